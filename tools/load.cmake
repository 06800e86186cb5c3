# The load tools: smtp_source and smtp_sink.
add_library(outbox_load STATIC
  load_hash.cc
  load_loop.cc
  load_message.cc
  load_report.cc
  sink_connection.cc
  sink_ledger.cc
  source_connection.cc
  source_work.cc
)
target_link_libraries(outbox_load PUBLIC outbox_io outbox_core nlohmann_json::nlohmann_json)
set_target_properties(outbox_load PROPERTIES UNITY_BUILD ON)

add_executable(smtp_source smtp_source.cc)
target_link_libraries(smtp_source PRIVATE outbox_load CLI11::CLI11)
add_executable(smtp_sink smtp_sink.cc)
target_link_libraries(smtp_sink PRIVATE outbox_load CLI11::CLI11 absl::flat_hash_map)
