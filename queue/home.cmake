# Home: the accepting shard's side, and the shard itself.
outbox_library(outbox_home
  FILES
    added_headers.cc
    bounce.cc
    client_limits.cc
    directory.cc
  LINK
    outbox_core
    absl::flat_hash_map
)
