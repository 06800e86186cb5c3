# The disk: which mode of commit, and what UringIo adds to it. Prints a table of its own.
outbox_bench(commit_raw FILES commit_raw.cc LINK outbox_io)
