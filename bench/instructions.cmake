# Instructions of the pure paths, counted under callgrind and compared with what the tree has.
add_library(bench_fixtures STATIC memory_io.cc memory_log.cc sending_shard.cc)
target_link_libraries(bench_fixtures PUBLIC outbox_flags outbox_queue outbox_spool outbox_smtp)
add_executable(instructions
  instructions.cc core_paths.cc queue_paths.cc smtp_paths.cc spool_paths.cc)
target_link_libraries(instructions PRIVATE bench_fixtures PkgConfig::JEMALLOC)
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  add_test(NAME instructions
    COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/instructions --program $<TARGET_FILE:instructions>)
  set_tests_properties(instructions PROPERTIES LABELS unit TIMEOUT 300)
endif()
