# tests/spool/: the durable log on simulated and on real disks.
add_library(spool_test_support STATIC
  spool/ledger.cc spool/spool_client.cc spool/spool_machine.cc)
target_link_libraries(spool_test_support PUBLIC outbox_flags outbox_spool outbox_sim)

outbox_test(spool_store_test
  FILES spool/hot_tail_test.cc spool/store_test.cc
  LINK spool_test_support
)
outbox_test(spool_random_test
  FILES spool/store_random_test.cc
  LINK spool_test_support
)
outbox_test(spool_move_test
  FILES spool/extent_move_test.cc
  LINK spool_test_support
)
outbox_test(spool_uring_test
  FILES spool/uring_store_test.cc
  LINK spool_test_support outbox_io
)
outbox_fuzzer(recovery_fuzz FILES fuzz/recovery_fuzz.cc LINK outbox_spool)
outbox_fuzzer(meta_fuzz FILES fuzz/meta_fuzz.cc LINK outbox_spool)
outbox_test(spool_fault_test
  FILES spool/store_fault_test.cc
  LINK spool_test_support
)
outbox_test(spool_spoolcat_test
  FILES spool/spoolcat_test.cc
  LINK outbox_spool outbox_io
)
target_compile_definitions(spool_spoolcat_test PRIVATE OUTBOX_SPOOLCAT="$<TARGET_FILE:spoolcat>")
add_dependencies(spool_spoolcat_test spoolcat)
# Writes the fuzzers' seeds anew after a change of the format: spool_corpus tests/fuzz/corpus
add_executable(spool_corpus EXCLUDE_FROM_ALL fuzz/spool_corpus.cc)
target_link_libraries(spool_corpus PRIVATE outbox_flags outbox_spool)
