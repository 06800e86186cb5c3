// QueueLister: shows the queue of one shard, or the part of it that a filter leaves.
//
// Walks the shard's mail (queue/queue_walk.h) and hands over lines in chunks. What the owner of the
// destination is doing with a ticket that is out is read from the ticket's atomics.
//
// Made for one request, run by its shard (queue/shard_operator.h), gone when done.
#ifndef OUTBOX_QUEUE_QUEUE_LISTER_H_
#define OUTBOX_QUEUE_QUEUE_LISTER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "io/io.h"
#include "queue/operator_work.h"
#include "queue/queue_filter.h"
#include "queue/queue_walk.h"
#include "queue/ticket_view.h"

namespace outbox::queue {

class Home;

// One queued recipient.
struct QueueLine {
  uint64_t id = 0;
  std::string sender;
  std::string recipient;
  std::string domain;
  std::string mailhost;    // that it is being sent to, or that spoke last; may be empty
  std::string last_reply;  // "450 4.2.1 mailbox busy"; empty: none
  RecipientState state = RecipientState::kReady;
  uint32_t attempts = 0;
  int64_t next_attempt_wall_ns = 0;  // 0: nothing is to be waited for
  int64_t age_ns = 0;
  uint64_t size = 0;
};

// The line of one recipient of a ticket.
QueueLine MakeQueueLine(const HomeTicket& ticket, const MetaView& meta, std::string_view recipient,
                        const io::Io& io, const LiveHosts* live);

// Lines that are handed over together.
inline constexpr size_t kQueueLinesPerChunk = 64;

// What a shard's part of a listing leaves out.
struct ListGaps {
  uint64_t unreadable = 0;  // recipients that may be meant, of messages that cannot be read
  uint32_t recovering = 0;  // logs that are still being read: there may be more mail in them
};

// What the lines go to. Called on the shard's thread.
class QueueListSink {
 public:
  virtual ~QueueListSink() = default;
  // Some lines, kQueueLinesPerChunk at most. False: nobody listens any more.
  virtual bool Lines(std::vector<QueueLine> lines) = 0;
  // The receiver is behind: call Tick again later.
  virtual bool full() const = 0;
  // Nobody listens any more.
  virtual bool gone() const { return false; }
  // The last call.
  virtual void Done(const ListGaps& gaps) = 0;
};

class QueueLister : public OperatorWork, private QueueWalker {
 public:
  // `stores` are the shard's; they, home and the sink outlive the lister.
  QueueLister(io::Io* io, Home* home, std::vector<Store*> stores, QueueFilter filter,
              QueueListSink* sink);
  QueueLister(const QueueLister&) = delete;
  QueueLister& operator=(const QueueLister&) = delete;
  // REQUIRES: done().
  ~QueueLister() override = default;

  // OperatorWork
  void Tick() override;
  bool wants_turn() const override { return walk_.wants_turn(); }
  bool done() const override { return walk_.done(); }
  void Stop() override { walk_.Stop(); }

 private:
  // QueueWalker
  Interest Look(const Message& message) override;
  void Visit(Message* message, const MetaView* meta, const WalkPart& part) override;
  void OnUnreadable(Message* message, uint32_t from, const core::Status& why) override;
  bool full() const override { return sink_->full(); }
  bool acts() const override { return false; }

  io::Io* const io_;
  Home* const home_;
  const std::vector<Store*> stores_;
  const QueueFilter filter_;
  QueueListSink* const sink_;
  QueueWalk walk_;
  std::vector<QueueLine> lines_;
  ListGaps gaps_;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_QUEUE_LISTER_H_
