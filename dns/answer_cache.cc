#include "dns/answer_cache.h"

#include <utility>

namespace outbox::dns {

std::string AnswerCache::KeyOf(std::string_view name, RecordType type) {
  std::string key(name);
  key += ' ';
  key += static_cast<char>(type);
  return key;
}

AnswerPtr AnswerCache::Find(std::string_view key, int64_t now_ns) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return nullptr;
  Entry* const entry = found->second.get();
  if (entry->answer->expires_ns <= now_ns) {
    Remove(entry);
    return nullptr;
  }
  by_use_.Remove(entry);
  by_use_.PushBack(entry);
  return entry->answer;
}

void AnswerCache::Put(std::string_view key, const AnswerPtr& answer, int64_t now_ns) {
  if (const auto found = entries_.find(key); found != entries_.end()) Remove(found->second.get());
  if (answer->expires_ns <= now_ns) return;
  if (entries_.size() >= capacity_) Remove(by_use_.front());
  auto entry = std::make_unique<Entry>();
  entry->key = key;
  entry->answer = answer;
  by_use_.PushBack(entry.get());
  entries_.emplace(std::string(key), std::move(entry));
}

void AnswerCache::Remove(Entry* entry) {
  by_use_.Remove(entry);
  entries_.erase(entries_.find(entry->key));
}

void AnswerCache::Clear() {
  while (Entry* entry = by_use_.front()) Remove(entry);
}

}  // namespace outbox::dns
