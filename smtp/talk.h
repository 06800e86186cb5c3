// Talk: the newest lines of an outbound session's dialogue, kept in case its attempt fails.
//
// A ring of core::kTalkBytes, which is held only while something of it may be wanted: a session
// between two messages has none. In it are commands and replies as they were, one a line behind
// "C: " or "S: ", each cut to core::kTalkLineBytes. The driver shows it what it sends and receives,
// but no message: of that it notes the size alone. Costs two copies of a few hundred bytes a
// transaction, and nothing is formatted before somebody asks.
#ifndef OUTBOX_SMTP_TALK_H_
#define OUTBOX_SMTP_TALK_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/check.h"
#include "core/limits.h"

namespace outbox::smtp {

using TalkRing = std::array<char, core::kTalkBytes>;

// The rings of a shard's sessions that are used by none at the moment.
class TalkRings {
 public:
  std::unique_ptr<TalkRing> Take() {
    ++out_;
    if (free_.empty()) return std::unique_ptr<TalkRing>(new TalkRing);  // not initialised
    std::unique_ptr<TalkRing> ring = std::move(free_.back());
    free_.pop_back();
    return ring;
  }
  // REQUIRES: ring came from Take.
  void Give(std::unique_ptr<TalkRing> ring) {
    CHECK(ring != nullptr && out_ > 0);
    --out_;
    if (free_.size() < core::kTalkRingsKept) free_.push_back(std::move(ring));
  }
  size_t out() const { return out_; }

 private:
  std::vector<std::unique_ptr<TalkRing>> free_;
  size_t out_ = 0;
};

class Talk {
 public:
  // `rings` outlives it.
  explicit Talk(TalkRings* rings) : rings_(rings) {}
  ~Talk() { Forget(); }
  Talk(const Talk&) = delete;
  Talk& operator=(const Talk&) = delete;

  // Whole command lines.
  void Sent(std::string_view bytes) { Add("C: ", bytes, &sent_line_); }
  // What the server says, cut anywhere.
  void Received(std::string_view bytes) { Add("S: ", bytes, &received_line_); }
  // A message has been sent behind the commands.
  void SentMessage(uint64_t bytes);

  // Nothing that was said so far will be wanted.
  void Forget();

  bool empty() const { return written_ == 0; }
  // The lines, the oldest first, with LF between them; without what the ring has cut in two, and
  // without transactions before the last two.
  std::string Text() const;

 private:
  // Octets of the line that is being written; the prefix is not counted.
  struct Line {
    bool open = false;
    uint16_t octets = 0;
  };

  void Add(std::string_view prefix, std::string_view bytes, Line* line);
  void Put(std::string_view bytes);
  // Ends what the other side has left open, so that lines do not mix.
  void Close(Line* line);

  TalkRings* const rings_;
  std::unique_ptr<TalkRing> ring_;  // null: nothing was said
  uint64_t written_ = 0;  // octets, ever
  Line sent_line_;
  Line received_line_;
};

}  // namespace outbox::smtp

#endif  // OUTBOX_SMTP_TALK_H_
