# tests/tools: the daemon's parts that need no daemon.
outbox_test(daemon_parts_test
  FILES
    tools/descriptor_plan_test.cc
    tools/queue_answer_test.cc
  LINK outbox_daemon_parts
)

# What the load tools compute.
outbox_test(load_tools_test
  FILES
    tools/load_hash_test.cc
  LINK outbox_load
)
