outbox_test(mx_plan_test
  FILES dns/mx_plan_test.cc LINK outbox_dns)
outbox_test(resolver_test
  FILES dns/resolver_test.cc LINK outbox_dns)
