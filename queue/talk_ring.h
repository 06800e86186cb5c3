// TalkRing: the dialogues of a shard's newest attempts, whatever came of them.
//
// One piece of memory of a size that the operator chose ([talk] memory). Every attempt of every
// ticket is a record in it, its head and the lines as the session kept them (smtp/talk.h); the
// oldest records give way. Adding copies some hundred bytes and allocates nothing. Reading copies
// whole records out, a bounded number of bytes a call, so that whoever searches (tools/) does it on
// a thread of his own. Shard-local.
#ifndef OUTBOX_QUEUE_TALK_RING_H_
#define OUTBOX_QUEUE_TALK_RING_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "smtp/talk.h"

namespace outbox::queue {

// What is known of an attempt besides its lines.
struct TalkFacts {
  uint64_t message_id = 0;
  int64_t wall_ns = 0;      // when it ended
  uint32_t session_ms = 0;  // how long its session was old then
  bool failed = false;      // for one recipient at least
  std::string_view destination;  // its key (queue/destination_key.h)
  std::string_view mailhost;
  std::string_view outcome;  // of a failed one: the words of the host, or ours
};

class TalkRing {
 public:
  // `capacity` in bytes, at most 1 GiB.
  explicit TalkRing(size_t capacity);
  TalkRing(const TalkRing&) = delete;
  TalkRing& operator=(const TalkRing&) = delete;

  void Add(const TalkFacts& facts, const smtp::Dialogue& dialogue);

  // Copies whole records, the oldest first, from the position `*from` on (0: the beginning), of
  // `max` bytes at most, but one in any case, and moves `*from` behind them. What has given way
  // meanwhile is passed over. Empty: there are no more.
  std::string Copy(uint64_t* from, size_t max) const;

  // Reads the record at the front of `bytes`, which Copy has made, and removes it. False at the
  // end. The views are into `bytes`.
  static bool Next(std::string_view* bytes, TalkFacts* facts, std::string_view* lines);

 private:
  // In the ring before the strings and lines of a record; `size` is that of all of it.
  struct Head {
    uint32_t size = 0;
    uint32_t session_ms = 0;
    uint64_t message_id = 0;
    int64_t wall_ns = 0;
    uint32_t lines = 0;
    uint16_t destination = 0;
    uint16_t mailhost = 0;
    uint16_t outcome = 0;
    bool failed = false;
    uint8_t unused[5] = {};
  };
  static_assert(sizeof(Head) == 40);

  void Put(std::string_view bytes);
  // Moves a position and its place in the memory.
  void Advance(size_t size, uint64_t* position, size_t* at) const;
  // Of the record at this place.
  uint32_t SizeAt(size_t at) const;
  void Get(uint64_t position, void* into, size_t size) const;

  const size_t capacity_;
  const std::unique_ptr<char[]> memory_;
  uint64_t oldest_ = 0;  // positions: bytes, ever
  uint64_t written_ = 0;
  size_t oldest_at_ = 0;  // their places in the memory
  size_t write_at_ = 0;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_TALK_RING_H_
