outbox_bench(queue_bench FILES queue_bench.cc LINK outbox_home outbox_queue)
