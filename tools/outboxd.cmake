# outboxd, the daemon.
# What the tests try without a daemon.
add_library(outbox_daemon_parts STATIC
  classic_log.cc
  log_file.cc
  log_tail.cc
  maildrop_pickup.cc
  queue_answer.cc
  queue_json.cc
  service_manager.cc
  suspension_book.cc
  talk_file.cc
)
target_link_libraries(outbox_daemon_parts PUBLIC
  outbox_control outbox_home outbox_log_lines outbox_sendmail_parts outbox_start)

add_executable(outboxd
  allocator.cc
  census_answer.cc
  command_answer.cc
  daemon.cc
  daemon_commands.cc
  daemon_reload.cc
  daemon_suspensions.cc
  daemon_tls.cc
  outboxd.cc
  preview_answer.cc
  route_answer.cc
  sites_answer.cc
  talk_answer.cc
  why_answer.cc
)
target_link_libraries(outboxd PRIVATE
  outbox_daemon_parts outbox_request outbox_control outbox_home outbox_io CLI11::CLI11)
outbox_tool_options(outboxd)
if(NOT OUTBOX_SANITIZE)  # sanitizers bring an allocator of their own
  target_link_libraries(outboxd PRIVATE PkgConfig::JEMALLOC)
endif()
