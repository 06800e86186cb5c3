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
#include <string>
#include <string_view>

#include "core/limits.h"
#include "core/slab.h"

namespace outbox::smtp {

struct TalkRing {
  TalkRing() {}  // not initialised
  std::array<char, core::kTalkBytes> bytes;
};

// The rings of a shard's sessions. When all are out another session's dialogue is not kept.
class TalkRings {
 public:
  TalkRing* Take() { return rings_.New(); }
  void Give(TalkRing* ring) { rings_.Delete(ring); }
  size_t out() const { return rings_.in_use(); }

 private:
  core::Slab<TalkRing> rings_{core::kMaxConnectionsOut};
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
  TalkRing* ring_ = nullptr;  // null: nothing was said
  uint64_t written_ = 0;  // octets, ever
  Line sent_line_;
  Line received_line_;
};

}  // namespace outbox::smtp

#endif  // OUTBOX_SMTP_TALK_H_
