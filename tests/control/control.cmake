outbox_test(control_server_test
  FILES control/control_server_test.cc
  LINK outbox_control
)
outbox_test(outbox_commands_test
  FILES control/outbox_commands_test.cc
  LINK outbox_commands
)
