# The control socket: its server (part of outboxd), its client, and `outbox`, which operators type.
add_library(outbox_control STATIC
  control_client.cc
  control_connection.cc
  control_server.cc
)
target_link_libraries(outbox_control
  PUBLIC outbox_core nlohmann_json::nlohmann_json Threads::Threads)

# What requests mean: apart, since the client's side knows nothing of queues.
add_library(outbox_request STATIC control_request.cc route_question.cc)
target_link_libraries(outbox_request PUBLIC outbox_control outbox_home)

# The configuration, as outboxd and `outbox route test` read it.
add_library(outbox_config_file STATIC config_file.cc machine.cc route_secrets.cc)
target_link_libraries(outbox_config_file PUBLIC outbox_core outbox_dns)

add_library(outbox_commands STATIC
  outbox_queue.cc
  outbox_stats.cc
  outbox_act.cc
  outbox_route.cc
  outbox_log.cc
  outbox_stop.cc
  outbox_table.cc
  outbox_why.cc
)
target_link_libraries(outbox_commands PUBLIC outbox_control outbox_config_file outbox_request)


add_executable(outbox outbox.cc)
target_link_libraries(outbox PRIVATE outbox_commands CLI11::CLI11)
outbox_tool_options(outbox outbox_config_file outbox_control outbox_request outbox_commands)
