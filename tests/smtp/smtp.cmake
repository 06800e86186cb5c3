# tests/smtp: the protocol without a network; drivers in the simulated world.
outbox_test(smtp_test
  FILES
    smtp/address_test.cc
    smtp/body_scanner_test.cc
    smtp/client_session_test.cc
    smtp/command_test.cc
    smtp/line_masks_test.cc
    smtp/lmtp_session_test.cc
    smtp/reply_test.cc
    smtp/server_session_test.cc
    smtp/seven_bit_test.cc
    smtp/session_pair_test.cc
    smtp/talk_test.cc
    smtp/tls_session_test.cc
    smtp/wire_text_test.cc
    smtp/client_chunks_test.cc
    smtp/unstuffed_body_test.cc
    smtp/dsn_parameters_test.cc
  LINK outbox_smtp)
outbox_test(smtp_client_auth_test
  FILES
    smtp/auth_text_test.cc
    smtp/client_auth_test.cc
  LINK outbox_smtp)
outbox_test(smtp_server_auth_test
  FILES smtp/server_auth_test.cc
  LINK outbox_smtp)
outbox_test(smtp_connection_test
  FILES smtp/connection_test.cc
  LINK outbox_smtp outbox_sim)

outbox_fuzzer(address_fuzz FILES fuzz/address_fuzz.cc LINK outbox_smtp)
outbox_fuzzer(chunk_fuzz FILES fuzz/chunk_fuzz.cc LINK outbox_smtp)
outbox_fuzzer(client_session_fuzz FILES fuzz/client_session_fuzz.cc LINK outbox_smtp)
outbox_fuzzer(command_fuzz FILES fuzz/command_fuzz.cc LINK outbox_smtp)
outbox_fuzzer(dot_fuzz FILES fuzz/dot_fuzz.cc LINK outbox_smtp)
outbox_fuzzer(reply_fuzz FILES fuzz/reply_fuzz.cc LINK outbox_smtp)
outbox_fuzzer(seven_bit_fuzz FILES fuzz/seven_bit_fuzz.cc LINK outbox_smtp)
outbox_fuzzer(server_session_fuzz FILES fuzz/server_session_fuzz.cc LINK outbox_smtp)
