# The benchmarks of core/. Paths are relative to bench/.
outbox_bench(core_bench
  FILES
    core_crc32c_bench.cc
    core_mailbox_bench.cc
    core_slab_bench.cc
    core_timer_wheel_bench.cc
  LINK outbox_core
)
