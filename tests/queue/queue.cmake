outbox_test(destination_test
  FILES queue/destination_test.cc queue/shard_world.cc queue/scripted_link.cc
  LINK outbox_queue)
outbox_test(queue_simulation_test
  FILES queue/queue_simulation_test.cc queue/shard_world.cc queue/scripted_link.cc
  LINK outbox_queue LABEL simulation)
