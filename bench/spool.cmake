# The spool. Paths are relative to bench/.
outbox_bench(spool_commit FILES spool_commit.cc LINK outbox_spool outbox_io)
