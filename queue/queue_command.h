// QueueCommand: what an operator wants done to queued mail, carried out by one shard for its own.
//
//   retry   what waits for its time goes now, and the destinations that it goes to are no longer
//           left alone after their failures (one message goes first, as ever).
//   remove  recipients leave the queue for good: counted as removed, committed, and nobody is told.
//           A ticket that is out is recalled first, and what its attempt has come to by then
//           counts: who has been delivered is not removed.
//   purge   the same, but final only after a time, until which `undo` takes it back.
//   undo    what is purged goes on as before: deferred, held, whatever it was.
//   bounce  recipients are returned to their senders, with the operator's reason.
//   hold    recipients stay in the queue until they are released; of those that are being sent,
//           those whom the attempt leaves.
//   release what is held goes its way.
//
// What purge and undo have done is on the disk before they say that they are done.
//
// Walks the shard's mail a bounded piece a turn (queue/queue_walk.h); at most core::kRecallsMax
// tickets are recalled at a time. Shard-local.
#ifndef OUTBOX_QUEUE_QUEUE_COMMAND_H_
#define OUTBOX_QUEUE_QUEUE_COMMAND_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "core/limits.h"
#include "io/io.h"
#include "queue/home.h"
#include "queue/operator_order.h"
#include "queue/operator_work.h"
#include "queue/queue_filter.h"
#include "queue/queue_walk.h"

namespace outbox::queue {

enum class QueueOrder : uint8_t { kRetry, kRemove, kHold, kRelease, kPurge, kUndo, kBounce };

// In recipients, of one shard.
struct CommandCounts {
  uint64_t found = 0;    // that the filter means
  uint64_t done = 0;     // retried: wait no longer; removed: are gone; held, released and so on
  uint64_t waiting = 0;  // to be removed, held and so on when their attempt is over
  uint64_t kept = 0;     // were delivered or returned to their sender meanwhile
  uint64_t held = 0;     // not retried, since they are held
  uint64_t unreadable = 0;  // may be meant, but their message cannot be read from the spool
  uint64_t failed = 0;      // not routed again (queue/redirector.h)
  uint64_t made = 0;        // recipients of the messages that took the place of others

  CommandCounts& operator+=(const CommandCounts& other) {
    found += other.found;
    done += other.done;
    waiting += other.waiting;
    kept += other.kept;
    held += other.held;
    unreadable += other.unreadable;
    failed += other.failed;
    made += other.made;
    return *this;
  }
};

// Who is told. Called on the shard's thread.
class CommandSink {
 public:
  virtual ~CommandSink() = default;
  // All mail was looked at; some recipients wait for the end of their attempt (counts.waiting).
  virtual void OnCommandWaits(const CommandCounts& counts) = 0;
  // The last word. With counts.waiting > 0 the shard stops: those stay queued.
  virtual void OnCommandDone(const CommandCounts& counts) = 0;
};

class QueueCommand : public OperatorWork, private QueueWalker, private RemovalOwner {
 public:
  // Everything outlives the command.
  QueueCommand(io::Io* io, Home* home, std::vector<Store*> stores, QueueOrder order,
               QueueFilter filter, CommandSink* sink, OrderDetails details = {});

  // OperatorWork
  void Tick() override;
  bool wants_turn() const override;
  bool done() const override { return done_; }
  void Stop() override;

 private:
  // QueueWalker
  Interest Look(const Message& message) override;
  void Visit(Message* message, const MetaView* meta, const WalkPart& part) override;
  void OnUnreadable(Message* message, uint32_t from, const core::Status& why) override;
  bool full() const override { return ordered_ >= core::kRecallsMax; }
  bool acts() const override { return true; }
  // RemovalOwner
  void OnRemoval(int removed, int kept) override;
  void OnKept(int kept) override;

  // The event log is behind: what is done now would not be told.
  bool Waits() const;
  void Retry(HomeTicket* ticket);
  void End(FinalOrder order, HomeTicket* ticket, uint64_t mask, const MetaView* meta);
  void Hold(HomeTicket* ticket, uint64_t mask);

  io::Io* const io_;
  Home* const home_;
  const QueueOrder order_;
  const QueueFilter filter_;
  CommandSink* const sink_;
  QueueWalk walk_;
  CommandCounts counts_;
  uint32_t ordered_ = 0;                  // tickets that are to come back to us
  absl::flat_hash_set<uint64_t> lifted_;  // destinations, by the hash of their key
  const std::shared_ptr<const OrderDetails> details_;
  std::optional<uint64_t> written_;  // the milestone that is waited for (Home::StatesMark)
  int64_t patience_until_ns_ = 0;  // it waits for the event log no longer than that
  bool walked_ = false;
  bool stopping_ = false;
  bool done_ = false;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_QUEUE_COMMAND_H_
