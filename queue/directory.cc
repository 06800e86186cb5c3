#include "queue/directory.h"

#include "core/check.h"
#include "core/hash.h"
#include "queue/destination_key.h"

namespace outbox::queue {
namespace {

// Entries without tickets that are kept for others.
constexpr size_t kFreeEntries = 1024;

}  // namespace

DirectoryEntry* Directory::Acquire(std::string_view key) {
  DirectoryEntry* entry = Find(key);
  if (entry == nullptr) {
    std::unique_ptr<DirectoryEntry> made;
    if (free_.empty()) {
      made = std::make_unique<DirectoryEntry>();
    } else {
      made = std::move(free_.back());
      free_.pop_back();
    }
    entry = made.get();
    entry->key.assign(key);
    entry->action = ActionOf(key);
    entry->lane_open = false;
    entry->out = 0;
    entry->route_seen = 0;
    entry->window = DirectoryEntry::kNarrowWindow;
    entry->hash = core::Hash64(key);
    entries_.insert(std::move(made));
  }
  ++entry->tickets;
  return entry;
}

void Directory::Release(DirectoryEntry* entry) {
  CHECK(entry->tickets > 0);
  if (--entry->tickets > 0) return;
  const auto found = entries_.find(entry->key);
  CHECK(found != entries_.end());
  auto taken = entries_.extract(found);
  if (free_.size() < kFreeEntries) free_.push_back(std::move(taken.value()));
}

DirectoryEntry* Directory::Find(std::string_view key) {
  const auto found = entries_.find(key);
  return found == entries_.end() ? nullptr : found->get();
}

}  // namespace outbox::queue
