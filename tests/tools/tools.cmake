# tests/tools: the daemon's parts that need no daemon.
outbox_test(daemon_parts_test
  FILES
    tools/classic_log_test.cc
    tools/descriptor_plan_test.cc
    tools/queue_answer_test.cc
  LINK outbox_daemon_parts outbox_commands
)
