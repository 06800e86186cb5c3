// QueueLister: shows the queue of one shard, or the part of it that a filter leaves.
//
// Walks the shard's mail (queue/queue_walk.h) and hands over lines in chunks. What the owner of the
// destination is doing with a ticket that is out is read from the ticket's atomics. What the asked
// columns and the filter do not need is not read from the spool.
//
// Made for one request, run by its shard (queue/shard_operator.h), gone when done.
#ifndef OUTBOX_QUEUE_QUEUE_LISTER_H_
#define OUTBOX_QUEUE_QUEUE_LISTER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "io/io.h"
#include "queue/operator_work.h"
#include "queue/queue_filter.h"
#include "queue/queue_line.h"
#include "queue/queue_walk.h"

namespace outbox::queue {

class Home;

struct QueueQuery {
  QueueFilter filter;
  QueueColumns columns = kAllQueueColumns;
  std::optional<QueueColumn> sort;  // then `limit` is from 1 to core::kSortedLinesMax
  bool descending = false;
  uint32_t limit = 0;  // lines; 0: all
};

// Lines that are handed over together.
inline constexpr size_t kQueueLinesPerChunk = 256;

// What a shard's part of an answer was made of, and what it leaves out.
struct ListGaps {
  uint64_t found = 0;       // recipients that are meant, shown or not
  uint64_t unreadable = 0;  // recipients that may be meant, of messages that cannot be read
  uint32_t recovering = 0;  // logs that are still being read: there may be more mail in them
  uint64_t purged = 0;      // recipients that are purged, where those were not asked for
  int64_t purged_until_wall_ns = 0;  // when the first of them are final

  ListGaps& operator+=(const ListGaps& other) {
    found += other.found;
    unreadable += other.unreadable;
    recovering += other.recovering;
    purged += other.purged;
    if (other.purged > 0 && (purged_until_wall_ns == 0 ||
                             other.purged_until_wall_ns < purged_until_wall_ns)) {
      purged_until_wall_ns = other.purged_until_wall_ns;
    }
    return *this;
  }
};
// At the end of a walk of a shard: what it could not have seen, or was not to see.
void NoteUnseen(const io::Io& io, const Home& home, const std::vector<Store*>& stores,
                const QueueFilter& filter, ListGaps* gaps);

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
  // `stores` are the shard's; they, home and the sink outlive the lister. REQUIRES: not sorted.
  QueueLister(io::Io* io, Home* home, std::vector<Store*> stores, QueueQuery query,
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

  void Show(const QueueItem& item);

  io::Io* const io_;
  Home* const home_;
  const std::vector<Store*> stores_;
  const QueueQuery query_;
  QueueListSink* const sink_;
  QueueWalk walk_;
  std::vector<QueueLine> lines_;
  ListGaps gaps_;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_QUEUE_LISTER_H_
