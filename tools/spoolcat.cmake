# spoolcat: lists, checks and exports a spool while the daemon is down.
add_executable(spoolcat spoolcat.cc)
target_link_libraries(spoolcat PRIVATE outbox_spool CLI11::CLI11 nlohmann_json::nlohmann_json)
outbox_tool_options(spoolcat)
