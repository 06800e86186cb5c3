# The tests of core/. Paths are relative to tests/.
outbox_test(core_test
  FILES
    core/config_archive_test.cc
    core/config_auth_test.cc
    core/config_errors_test.cc
    core/config_dkim_test.cc
    core/config_local_test.cc
    core/config_test.cc
    core/crc32c_test.cc
    core/duration_histogram_test.cc
    core/duration_test.cc
    core/event_log_test.cc
    core/hash_test.cc
    core/idna_test.cc
    core/ip_address_test.cc
    core/key_memory_test.cc
    core/mailbox_model_test.cc
    core/mailbox_test.cc
    core/metrics_test.cc
    core/rate_test.cc
    core/route_config_test.cc
    core/site_config_test.cc
    core/slab_test.cc
    core/source_config_test.cc
    core/time_format_test.cc
    core/timer_wheel_test.cc
    core/user_list_test.cc
    core/utf8_test.cc
  LINK outbox_core
)
outbox_fuzzer(config_fuzz
  FILES fuzz/config_fuzz.cc
  LINK outbox_core
)

# The house rules. CTest's label keeps it out of the runs with sanitizers.
add_test(NAME tidy COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/tidy)
set_tests_properties(tidy PROPERTIES LABELS tidy TIMEOUT 900)
