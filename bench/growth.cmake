# What must not grow with the number of items, and a main that says so by its exit code.
add_executable(growth_bench
  growth.cc growth_core.cc growth_queue.cc growth_smtp.cc growth_spool.cc step_counter.cc)
target_link_libraries(growth_bench PRIVATE bench_fixtures benchmark::benchmark)
# The two smaller sizes: seconds.
add_test(NAME growth
  COMMAND growth_bench "--benchmark_filter=/(1000|10000|30000|100000)(/|$)")
set_tests_properties(growth PROPERTIES LABELS unit TIMEOUT 120)
