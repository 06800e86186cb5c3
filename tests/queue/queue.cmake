outbox_test(destination_test
  FILES
    queue/destination_mx_test.cc
    queue/destination_test.cc
    queue/plan_change_test.cc
    queue/own_shortage_test.cc
    queue/scripted_finder.cc
    queue/scripted_link.cc
    queue/shard_world.cc
  LINK outbox_queue Threads::Threads)
outbox_test(queue_simulation_test
  FILES
    queue/queue_simulation_test.cc
    queue/scripted_finder.cc
    queue/scripted_link.cc
    queue/shard_world.cc
  LINK outbox_queue LABEL simulation)
outbox_test(site_interleaving_test
  FILES queue/site_interleaving_test.cc LINK outbox_queue)
outbox_test(queue_policy_test
  FILES
    queue/policy_test.cc
    queue/destination_key_test.cc
    queue/verp_test.cc
  LINK outbox_queue)
outbox_test(shard_mail_test
  FILES queue/shard_mail_test.cc queue/contention_test.cc LINK outbox_queue)
outbox_test(site_thread_test
  FILES queue/site_thread_test.cc LINK outbox_queue Threads::Threads)
