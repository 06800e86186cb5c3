# The disk: which mode of commit, and what UringIo adds to it. Prints a table of its own.
outbox_bench(commit_raw FILES commit_raw.cc LINK outbox_io)
# The network: what can be copied in two hops.
add_executable(loopback_copy loopback_copy.cc)
target_link_libraries(loopback_copy PRIVATE outbox_flags)

# Zero-copy sends: what they cost by size, and whether the kernel copied all the same.
add_executable(zero_copy zero_copy.cc)
target_link_libraries(zero_copy PRIVATE outbox_flags outbox_io)

# The dialogue and nothing else: what of the relay's CPU is the kernel's price of it.
add_executable(bare_relay bare_relay.cc)
target_link_libraries(bare_relay PRIVATE outbox_flags outbox_io)
