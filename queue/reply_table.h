// ReplyTable: the last replies of deferred tickets, each distinct one kept once.
//
// What a listing shows and the next snapshot needs. Thousands of tickets that wait for one dead
// host share one entry; an entry goes with its last ticket. Shard-local; bounded by the tickets
// that exist.
#ifndef OUTBOX_QUEUE_REPLY_TABLE_H_
#define OUTBOX_QUEUE_REPLY_TABLE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/string_map.h"

namespace outbox::queue {

struct LastReply {
  uint16_t code = 0;     // 0: no reply
  std::string enhanced;  // RFC 3463, or ""
  std::string text;
  std::string mailhost;
  uint32_t references = 0;
  uint32_t index = 0;  // ReplyTable::At
};

class ReplyTable {
 public:
  // The index of no reply.
  static constexpr uint32_t kNoIndex = UINT32_MAX;

  // The entry with these contents, one reference more. Texts are cut to core::kReplyTextMax.
  LastReply* Acquire(uint16_t code, std::string_view enhanced, std::string_view text,
                     std::string_view mailhost);
  // One reference less; null is allowed. REQUIRES: references > 0.
  void Release(LastReply* reply);
  // By index, for who has no room for a pointer; null for kNoIndex. REQUIRES: it is referred to.
  LastReply* At(uint32_t index) const {
    return index == kNoIndex ? nullptr : by_index_[index];
  }
  size_t size() const { return replies_.size(); }

 private:
  static void MakeKey(uint16_t code, std::string_view enhanced, std::string_view text,
                      std::string_view mailhost, std::string* key);

  core::StringMap<std::unique_ptr<LastReply>> replies_;
  std::vector<LastReply*> by_index_;
  std::vector<uint32_t> free_;  // indexes
  std::string key_;             // scratch
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_REPLY_TABLE_H_
