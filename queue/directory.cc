#include "queue/directory.h"

#include "core/check.h"
#include "core/hash.h"

namespace outbox::queue {

DirectoryEntry* Directory::Acquire(std::string_view key) {
  DirectoryEntry* entry = Find(key);
  if (entry == nullptr) {
    auto made = std::make_unique<DirectoryEntry>();
    entry = made.get();
    entry->key = std::string(key);
    entry->hash = core::Hash64(key);
    entries_.emplace(entry->key, std::move(made));
  }
  ++entry->tickets;
  return entry;
}

void Directory::Release(DirectoryEntry* entry) {
  CHECK(entry->tickets > 0);
  if (--entry->tickets > 0) return;
  const auto found = entries_.find(entry->key);
  CHECK(found != entries_.end());
  entries_.erase(found);
}

DirectoryEntry* Directory::Find(std::string_view key) {
  const auto found = entries_.find(key);
  return found == entries_.end() ? nullptr : found->second.get();
}

}  // namespace outbox::queue
