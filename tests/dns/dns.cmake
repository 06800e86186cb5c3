# Tests of dns/. The simulated name server serves others, too.
outbox_library(outbox_sim_names
  FILES dns/sim_name_server.cc
  LINK outbox_sim)

outbox_test(mx_plan_test
  FILES dns/mx_plan_test.cc LINK outbox_dns)
outbox_test(resolver_test
  FILES dns/resolver_test.cc dns/name_server_faults_test.cc
  LINK outbox_dns outbox_sim_names)
