// AnswerCache: answers that still hold, by name and type.
//
// Bounded: at the bound the answer that was not asked for the longest makes room. Nothing is given
// out after its time; what has expired goes when it is asked for, or when its place is needed.
//
// Lives on one shard.
#ifndef OUTBOX_DNS_ANSWER_CACHE_H_
#define OUTBOX_DNS_ANSWER_CACHE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/intrusive_list.h"
#include "core/string_map.h"
#include "dns/answer.h"

namespace outbox::dns {

class AnswerCache {
 public:
  // `capacity` > 0.
  explicit AnswerCache(uint32_t capacity) : capacity_(capacity) {}
  AnswerCache(const AnswerCache&) = delete;
  AnswerCache& operator=(const AnswerCache&) = delete;
  ~AnswerCache() { Clear(); }

  // The key of a question; `name` in lower case.
  static std::string KeyOf(std::string_view name, RecordType type);

  // The answer, or null.
  AnswerPtr Find(std::string_view key, int64_t now_ns);
  // Keeps the answer until it expires. One that has expired already (TTL 0) is not kept.
  void Put(std::string_view key, const AnswerPtr& answer, int64_t now_ns);
  void Clear();

  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::string key;
    AnswerPtr answer;
    core::ListLink link;
  };
  void Remove(Entry* entry);

  const uint32_t capacity_;
  core::StringMap<std::unique_ptr<Entry>> entries_;
  core::IntrusiveList<Entry, &Entry::link> by_use_;  // the last used one is the last
};

}  // namespace outbox::dns

#endif  // OUTBOX_DNS_ANSWER_CACHE_H_
