# Tests of dns/. The simulated name server serves others, too.
outbox_library(outbox_sim_names
  FILES dns/sim_name_server.cc
  LINK outbox_sim)

outbox_test(dns_test
  FILES dns/answer_cache_test.cc dns/codec_test.cc dns/mx_plan_test.cc dns/mx_rules_test.cc
  LINK outbox_dns)
outbox_test(resolver_test
  FILES dns/resolver_test.cc dns/name_server_faults_test.cc
  LINK outbox_dns outbox_sim_names)
outbox_fuzzer(dns_answer_fuzz FILES fuzz/dns_answer_fuzz.cc LINK outbox_dns)
