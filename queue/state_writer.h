// StateWriter: brings what has become of messages to the disk, a little later and together.
//
// Home marks a message whose tickets have changed. A few milliseconds after the first mark every
// marked message gets one snapshot of its whole present state in the store, so outcomes that arrive
// close together are written once. A message that a Notice is committing is left alone until then:
// the notice carries its state. So is one whose last snapshot is still on its way: a disk that
// stands still gets one of each message, however often it changes. When very many are marked at
// once, so many are written a turn.
//
// Who has changed a lot can ask when all of it is on the disk (Milestone, Written). One per shard,
// home's.
#ifndef OUTBOX_QUEUE_STATE_WRITER_H_
#define OUTBOX_QUEUE_STATE_WRITER_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "core/time.h"
#include "io/io.h"
#include "queue/home_ticket.h"
#include "queue/message_state.h"
#include "queue/store.h"

namespace outbox::queue {

// Builds the present state of `message`: one part for each ticket that is not `ending`. The words
// of peers are left out when they would make it larger than core::kStateBytesMax. Empty: all
// recipients are final.
std::span<const char> BuildState(const Message* message, int64_t now_ns, int64_t wall_ns,
                                 StateBuilder* builder);

class StateWriter {
 public:
  explicit StateWriter(io::Io* io);
  StateWriter(const StateWriter&) = delete;
  StateWriter& operator=(const StateWriter&) = delete;
  // REQUIRES: idle().
  ~StateWriter();

  // The message's tickets have changed in a way that must survive.
  void Mark(Store* store, Message* message);
  // The message is finished, or its state was committed otherwise: no snapshot is owed any more.
  void Unmark(Message* message);
  // While locked, marks are kept and written after Unlock.
  void Lock(Message* message);
  void Unlock(Message* message);
  // Instead of Unlock: what was committed has ended the message.
  void Ended(uint64_t id) { Resume(id); }
  // Somebody is committing its state.
  static bool IsLocked(const Message& message) { return (message.policy & kLocked) != 0; }
  // A snapshot of it is owed, or somebody is committing it.
  static bool Owes(const Message& message) { return (message.policy & (kMarked | kLocked)) != 0; }

  // All that is marked by now; Written tells when the disk has it, or it is over otherwise. What
  // the disk refuses counts when it has taken it after all.
  uint64_t Milestone();
  bool Written(uint64_t milestone);

  // From now on what the disk does not take is not written again.
  void Close() { closing_ = true; }
  // Once a turn: writes what is due.
  void Tick(bool force);
  int64_t NextDeadline() const;
  // Nothing is marked, nothing in flight.
  bool idle() const { return marked_.empty() && in_flight_ == 0 && waiting_.empty(); }

 private:
  struct Commit;
  struct MarkedMessage {
    Store* store;
    uint64_t id;         // the message may have been finished since
    uint64_t milestone;  // that it counts for
  };

  Commit* Take();
  void OnCommitted(Commit* commit, const core::Status& status);
  void Push(const MarkedMessage& mark, int64_t due_ns);
  // The message's marks that wait are looked at again.
  void Resume(uint64_t id);
  // False: there is no room for a commit.
  bool Write(const MarkedMessage& mark, Message* message);
  // Nothing is owed for this mark any more.
  void Settle(uint64_t milestone) { --owed_[milestone - first_milestone_]; }

  // Flags in Message::policy, which is home's.
  static constexpr uint8_t kMarked = 1;
  static constexpr uint8_t kLocked = 2;
  static constexpr uint8_t kWriting = 4;  // a snapshot is on its way

  io::Io* const io_;
  std::deque<MarkedMessage> marked_;  // a million of them grow and go without being moved
  // Those that Tick has met while they were locked or being written, by message.
  absl::flat_hash_map<uint64_t, std::vector<MarkedMessage>> waiting_;
  std::deque<int64_t> owed_ = {0};  // marks, by the milestone that they count for
  uint64_t first_milestone_ = 0;    // that of the first of them
  int64_t due_ns_ = core::kNever;
  std::vector<std::unique_ptr<Commit>> pool_;
  std::vector<Commit*> free_;
  uint32_t in_flight_ = 0;
  bool closing_ = false;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_STATE_WRITER_H_
