# tests/dkim: signatures without a relay. Signatures that others verify are in tests/e2e.
outbox_test(dkim_test
  FILES
    dkim/author_test.cc
    dkim/body_canon_test.cc
    dkim/header_section_test.cc
    dkim/message_signer_test.cc
    dkim/signer_key_test.cc
    dkim/signing_table_test.cc
  LINK outbox_dkim)

outbox_fuzzer(dkim_canon_fuzz FILES fuzz/dkim_canon_fuzz.cc LINK outbox_dkim)
outbox_fuzzer(dkim_header_fuzz FILES fuzz/dkim_header_fuzz.cc LINK outbox_dkim)
