outbox_test(control_server_test
  FILES control/control_server_test.cc
  LINK outbox_control
)
outbox_test(outbox_commands_test
  FILES
    control/outbox_commands_test.cc
    control/report_test.cc
  LINK outbox_commands
)
outbox_test(control_request_test
  FILES
    control/control_request_test.cc
    control/talk_record_test.cc
  LINK outbox_request outbox_commands
)
outbox_fuzzer(control_request_fuzz FILES fuzz/control_request_fuzz.cc LINK outbox_request)
