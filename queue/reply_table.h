// ReplyTable: the last replies of deferred tickets, each distinct one kept once.
//
// What a listing shows and the next snapshot needs. Thousands of tickets that wait for one dead
// host share one entry; an entry goes with its last ticket. Shard-local; bounded by the tickets
// that exist.
#ifndef OUTBOX_QUEUE_REPLY_TABLE_H_
#define OUTBOX_QUEUE_REPLY_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"

namespace outbox::queue {

class LastReply;

// What a reply says; the views are of the caller, or of the LastReply.
struct ReplyWords {
  uint16_t code = 0;          // 0: no reply
  std::string_view enhanced;  // RFC 3463, or ""
  std::string_view text;
  std::string_view mailhost;

  bool operator==(const ReplyWords&) const = default;
};

// One block of memory with its texts: every dead host has one.
class LastReply {
 public:
  uint16_t code() const { return code_; }
  std::string_view enhanced() const { return {chars(), enhanced_bytes_}; }
  std::string_view text() const { return {chars() + enhanced_bytes_, text_bytes_}; }
  std::string_view mailhost() const {
    return {chars() + enhanced_bytes_ + text_bytes_, mailhost_bytes_};
  }
  ReplyWords words() const { return {code_, enhanced(), text(), mailhost()}; }
  uint32_t index() const { return index_; }  // ReplyTable::At

 private:
  friend class ReplyTable;
  LastReply() = default;
  const char* chars() const { return reinterpret_cast<const char*>(this + 1); }

  uint16_t code_ = 0;
  uint16_t enhanced_bytes_ = 0;
  uint16_t text_bytes_ = 0;
  uint16_t mailhost_bytes_ = 0;
  uint32_t references_ = 0;
  uint32_t index_ = 0;
};

class ReplyTable {
 public:
  // The index of no reply.
  static constexpr uint32_t kNoIndex = UINT32_MAX;

  ReplyTable() = default;
  ReplyTable(const ReplyTable&) = delete;
  ReplyTable& operator=(const ReplyTable&) = delete;
  ~ReplyTable();

  // The entry with these words, one reference more. Texts are cut to core::kReplyTextMax.
  LastReply* Acquire(ReplyWords words);
  // The same once more; null is allowed.
  LastReply* Acquire(LastReply* reply);
  // One reference less; null is allowed. REQUIRES: there is one.
  void Release(LastReply* reply);
  // By index, for who has no room for a pointer; null for kNoIndex. REQUIRES: it is referred to.
  LastReply* At(uint32_t index) const {
    return index == kNoIndex ? nullptr : by_index_[index];
  }
  size_t size() const { return replies_.size(); }

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(const ReplyWords& words) const;
    size_t operator()(const LastReply* reply) const { return (*this)(reply->words()); }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const LastReply* a, const LastReply* b) const { return a == b; }
    bool operator()(const LastReply* a, const ReplyWords& b) const { return a->words() == b; }
  };

  static LastReply* Make(const ReplyWords& words);
  static void Free(LastReply* reply);

  absl::flat_hash_set<LastReply*, Hash, Equal> replies_;
  std::vector<LastReply*> by_index_;
  std::vector<uint32_t> free_;  // indexes
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_REPLY_TABLE_H_
