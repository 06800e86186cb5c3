# The control socket: its server (part of outboxd), its client, and `outbox`, which operators type.
add_library(outbox_control STATIC
  control_client.cc
  control_connection.cc
  control_server.cc
)
target_link_libraries(outbox_control
  PUBLIC outbox_core outbox_io nlohmann_json::nlohmann_json Threads::Threads)

# The event log's lines, for who reads them, and times as operators write them.
add_library(outbox_log_lines STATIC event_fields.cc log_fact.cc moment.cc)
target_link_libraries(outbox_log_lines PUBLIC outbox_core)

# What requests mean: apart, since the client's side knows nothing of queues.
add_library(outbox_request STATIC control_request.cc route_order_request.cc route_question.cc
  suspend_request.cc talk_record.cc)
target_link_libraries(outbox_request PUBLIC outbox_control outbox_home outbox_log_lines)

add_library(outbox_commands STATIC
  log_reader.cc
  outbox_census.cc
  outbox_queue.cc
  outbox_report.cc
  outbox_stats.cc
  outbox_act.cc
  outbox_purge.cc
  outbox_reroute.cc
  outbox_route.cc
  outbox_log.cc
  outbox_sites.cc
  outbox_stop.cc
  outbox_suspend.cc
  outbox_table.cc
  outbox_talk.cc
  outbox_text.cc
  outbox_why.cc
  report.cc
)
target_link_libraries(outbox_commands PUBLIC
  outbox_control outbox_log_lines outbox_request outbox_start)


add_executable(outbox
  outbox.cc outbox_completion.cc outbox_dkim.cc outbox_options.cc outbox_requests.cc
  outbox_reroute_options.cc)
target_link_libraries(outbox PRIVATE outbox_commands outbox_doctor CLI11::CLI11)
outbox_tool_options(outbox outbox_control outbox_log_lines outbox_request outbox_commands)
