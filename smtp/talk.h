// Talk: the newest lines of an outbound session's dialogue, with the time of each.
//
// A ring of core::kTalkBytes, which is held only while something of it may be wanted: a session
// between two messages has none. In it are commands and replies as they were, one a line behind who
// said it and when (DialogueReader), each cut to core::kTalkLineBytes. The driver shows it what it
// sends and receives, but no message: of that it notes the size alone. What a client says to
// authenticate itself is left out before it is kept. Costs two copies of a few hundred bytes a
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

// A piece of a dialogue as it lies in a ring: the two halves are one text, which DialogueReader
// reads. Valid until the session goes on.
struct Dialogue {
  std::string_view first;
  std::string_view second;
  int64_t started_ns = 0;  // steady: the time that those of the lines are counted from

  size_t size() const { return first.size() + second.size(); }
};

// Reads the lines of a dialogue, the oldest first. What is not a whole line at the beginning, since
// the ring has cut it, is passed over.
class DialogueReader {
 public:
  struct Line {
    char who = 'S';      // 'C', us, or 'S', the server
    uint32_t at_ms = 0;  // since the session's beginning
    std::string_view text;
  };

  explicit DialogueReader(std::string_view bytes) : rest_(bytes) {}
  // False: there is no further one.
  bool Next(Line* line);

 private:
  std::string_view rest_;
};

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
  ~Talk() { Drop(); }
  Talk(const Talk&) = delete;
  Talk& operator=(const Talk&) = delete;

  // Under way at a time (ClientSession::kSlots).
  static constexpr size_t kTransactions = 2;
  // Before each line: who, and when.
  static constexpr size_t kPrefixBytes = 6;

  // The session's beginning; what was kept of an earlier one is gone.
  void Start(int64_t now_ns);
  // Whole command lines. `now_ns` is steady time, in all of these.
  void Sent(std::string_view bytes, int64_t now_ns) { Add('C', bytes, &sent_line_, now_ns); }
  // What the server says, cut anywhere.
  void Received(std::string_view bytes, int64_t now_ns) {
    Add('S', bytes, &received_line_, now_ns);
  }
  // What we have done besides, in words: "(TLSv1.3 ...)".
  void Note(std::string_view text, int64_t now_ns);
  // A message has been sent behind the commands.
  void SentMessage(uint64_t bytes, int64_t now_ns);

  // A transaction begins: nothing of it has been sent. `slot`: below kTransactions, its own until
  // it has been told.
  void BeginTransaction(size_t slot);
  // It is over: Since() is about it until Told().
  void EndTransaction(size_t slot) { since_ = begun_at_[slot]; }
  void Told();
  // Nothing that was said so far will be wanted, unless a transaction is under way.
  void Forget();

  bool empty() const { return written_ == 0; }
  // What was said since the transaction that is over began; with what was said before and belongs
  // to no other (the greeting). Outside of transactions: what belongs to none.
  Dialogue Since() const;
  // The lines as text behind "C: " or "S: ", the oldest first, with LF between them; without what
  // the ring has cut in two, and without transactions before the last two.
  std::string Text() const;

 private:
  // Octets of the line that is being written; the prefix is not counted.
  struct Line {
    bool open = false;
    size_t octets = 0;
  };

  void Drop();
  bool HasRing();
  void Add(char who, std::string_view bytes, Line* line, int64_t now_ns);
  void Put(std::string_view bytes);
  void PutLine(std::string_view text, bool whole, Line* line);
  void SetPrefix(char who, int64_t now_ns);
  // Ends what the other side has left open, so that lines do not mix.
  void Close(Line* line);
  // What is kept instead of a client's line that has a secret in it.
  std::string_view WithoutSecret(std::string_view line);
  Dialogue From(uint64_t position) const;

  TalkRings* const rings_;
  TalkRing* ring_ = nullptr;  // null: nothing was said
  uint64_t written_ = 0;  // octets, ever
  int64_t started_ns_ = 0;
  int64_t prefix_ns_ = INT64_MIN;  // the time that prefix_ says
  std::array<char, kPrefixBytes> prefix_;
  uint64_t line_start_ = 0;  // of the line that is or was written last
  uint64_t since_ = 0;       // where Since() begins
  std::array<uint64_t, kTransactions> begun_at_ = {};
  uint8_t begun_ = 0;            // transactions under way
  bool authenticating_ = false;  // the client's lines are secrets
  Line sent_line_;
  Line received_line_;
};

}  // namespace outbox::smtp

#endif  // OUTBOX_SMTP_TALK_H_
