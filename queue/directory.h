// Directory: the destinations that a home has tickets for.
//
// A ticket names its destination by an entry here. The entry's key string is written once, before
// any ticket that names it leaves home, and stays in place until home has freed the last such
// ticket: so the destination's owner can read it on another shard without a copy. Shard-local
// otherwise.
#ifndef OUTBOX_QUEUE_DIRECTORY_H_
#define OUTBOX_QUEUE_DIRECTORY_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "core/config.h"
#include "core/string_map.h"

namespace outbox::queue {

struct Shelf;  // queue/shelf.h

struct DirectoryEntry {
  // Tickets that may be out: when no host of the destination would talk, the one that finds out
  // whether they do again; while nobody knows that it takes mail, two; when one of its hosts talks
  // to us, as many as keep their leases; at most, more than lanes need to open.
  static constexpr uint32_t kShutWindow = 1;
  static constexpr uint32_t kNarrowWindow = 2;
  static constexpr uint32_t kTalkingWindow = 128;
  static constexpr uint32_t kWidestWindow = 4096;

  // Constant while any ticket names the entry; may be read by the destination's owner.
  std::string key;    // "via:10.1.2.3:25,[::1]:25", "mx:example.com" (queue/destination.h)
  uint64_t hash = 0;  // stable over runs; hash % shards is the owner
  // Home's alone.
  core::RouteAction action = core::RouteAction::kSend;  // what the key says
  uint32_t tickets = 0;    // that name this entry
  // It says where to go (queue/destination_key.h).
  bool routed() const { return key.starts_with("via:") || key.starts_with("mx:"); }
  bool lane_open = false;  // offer to ourselves instead of the owner
  uint32_t out = 0;        // tickets that are out
  uint32_t window = kNarrowWindow;  // no more of them, if the next one may wait on a shelf
  uint64_t route_seen = 0;  // a route that leads here, by a hash of today's routes (Home)
  Shelf* shelves = nullptr;        // the mail that waits for them to come back
};

class Directory {
 public:
  // The entry for `key`, made if missing, with its ticket count raised by one.
  DirectoryEntry* Acquire(std::string_view key);
  // Lowers the ticket count; at zero the entry goes. REQUIRES: entry->tickets > 0.
  void Release(DirectoryEntry* entry);
  // The entry for `key`, or null.
  DirectoryEntry* Find(std::string_view key);
  size_t size() const { return entries_.size(); }

 private:
  absl::flat_hash_set<std::unique_ptr<DirectoryEntry>, core::KeyHash, core::KeyEqual> entries_;
  // With the memory of their strings, for reuse: most destinations come and go with every message.
  std::vector<std::unique_ptr<DirectoryEntry>> free_;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_DIRECTORY_H_
