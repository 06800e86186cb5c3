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

# The resolver by itself, against real name servers (tests/e2e/names_test.py).
add_executable(dns_probe dns/dns_probe.cc)
target_link_libraries(dns_probe PRIVATE outbox_flags outbox_dns nlohmann_json::nlohmann_json)
