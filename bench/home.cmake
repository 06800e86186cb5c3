outbox_bench(router_bench FILES router_bench.cc LINK outbox_home)
