# outboxd, the daemon.
# What the tests try without a daemon.
add_library(outbox_daemon_parts STATIC descriptor_plan.cc queue_answer.cc queue_json.cc)
target_link_libraries(outbox_daemon_parts PUBLIC outbox_control outbox_home)

add_executable(outboxd
  census_answer.cc
  command_answer.cc
  config_file.cc
  daemon.cc
  daemon_commands.cc
  daemon_reload.cc
  listener_probe.cc
  log_file.cc
  log_tail.cc
  machine.cc
  outboxd.cc
  why_answer.cc
)
target_link_libraries(outboxd PRIVATE
  outbox_daemon_parts outbox_request outbox_control outbox_home outbox_io CLI11::CLI11)
outbox_tool_options(outboxd)
if(NOT OUTBOX_SANITIZE)  # sanitizers bring an allocator of their own
  target_link_libraries(outboxd PRIVATE PkgConfig::JEMALLOC)
endif()
