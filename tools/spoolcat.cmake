# spoolcat: lists, checks, exports and purges a spool while the daemon is down.
add_executable(spoolcat spoolcat.cc spoolcat_purge.cc)
target_link_libraries(spoolcat PRIVATE
  outbox_home outbox_spool CLI11::CLI11 nlohmann_json::nlohmann_json)
outbox_tool_options(spoolcat)
