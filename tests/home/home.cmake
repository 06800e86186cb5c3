outbox_test(bounce_test FILES home/bounce_test.cc LINK outbox_home)
outbox_test(client_limits_test FILES home/client_limits_test.cc LINK outbox_home)
