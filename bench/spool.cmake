# The spool. Paths are relative to bench/.
outbox_bench(spool_commit FILES spool_commit.cc LINK outbox_spool outbox_io)
outbox_bench(spool_logs FILES spool_logs.cc LINK outbox_spool outbox_io)
# The disk's random reads of messages.
add_executable(read_raw read_raw.cc)
target_link_libraries(read_raw PRIVATE outbox_flags outbox_spool outbox_io)
