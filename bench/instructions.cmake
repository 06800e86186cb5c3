# Instructions of the pure paths, counted under callgrind and compared with what the tree has; and
# allocations of a message's way.
add_library(bench_fixtures STATIC
  memory_io.cc memory_log.cc outside.cc peer_io.cc sending_shard.cc smtp_peer.cc whole_shard.cc)
target_link_libraries(bench_fixtures PUBLIC outbox_flags outbox_home outbox_queue outbox_spool)

add_executable(instructions
  instructions.cc core_paths.cc queue_paths.cc relay_paths.cc smtp_paths.cc spool_paths.cc)
target_link_libraries(instructions PRIVATE bench_fixtures PkgConfig::JEMALLOC)
add_executable(allocations allocations.cc)
target_link_libraries(allocations PRIVATE bench_fixtures)

if(CMAKE_BUILD_TYPE STREQUAL "Release")
  add_test(NAME instructions
    COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/instructions --program $<TARGET_FILE:instructions>)
  set_tests_properties(instructions PROPERTIES LABELS unit TIMEOUT 300)
  add_test(NAME allocations COMMAND allocations)
  set_tests_properties(allocations PROPERTIES LABELS unit TIMEOUT 60)
endif()
