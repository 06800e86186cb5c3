// What outboxd asks of its allocator (jemalloc; without it, under a sanitizer, nobody reads this).
//
// Bursts of sessions, tickets and replies end, and their memory goes back within a second or two: a
// thread of jemalloc's own sees to it, since a shard at rest frees nothing that could set it going.
extern "C" {
extern const char* malloc_conf;
const char* malloc_conf = "background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0";
}
