# The control socket: its server (part of outboxd), its client, and `outbox`, which operators type.
add_library(outbox_control STATIC
  control_client.cc
  control_connection.cc
  control_server.cc
)
target_link_libraries(outbox_control
  PUBLIC outbox_core nlohmann_json::nlohmann_json Threads::Threads)

# What requests mean: apart, since the client's side knows nothing of queues.
add_library(outbox_request STATIC control_request.cc)
target_link_libraries(outbox_request PUBLIC outbox_control outbox_home)

add_library(outbox_commands STATIC
  outbox_census.cc
  outbox_queue.cc
  outbox_stats.cc
  outbox_act.cc
  outbox_log.cc
  outbox_stop.cc
  outbox_table.cc
  outbox_text.cc
  outbox_why.cc
)
target_link_libraries(outbox_commands PUBLIC outbox_control)


add_executable(outbox outbox.cc outbox_completion.cc outbox_options.cc)
target_link_libraries(outbox PRIVATE outbox_commands CLI11::CLI11)
outbox_tool_options(outbox outbox_control outbox_request outbox_commands)
