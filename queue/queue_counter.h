// QueueCounter: how many recipients of a shard's queue there are, how many bytes and how old, all
// together or by a column; each group also by age, as a table of age by domain needs it.
//
// Walks the shard's mail (queue/queue_walk.h) and reads strings only where the column or the filter
// needs them. At most core::kQueueGroupsMax groups are told apart; what belongs to a further one is
// counted together, so that memory does not depend on the queue.
//
// Made for one request, run by its shard (queue/shard_operator.h), gone when done.
#ifndef OUTBOX_QUEUE_QUEUE_COUNTER_H_
#define OUTBOX_QUEUE_QUEUE_COUNTER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "queue/queue_lister.h"

namespace outbox::queue {

// In minutes; the last bucket is for what is older. Those of Postfix's qshape(1).
inline constexpr std::array<uint32_t, 9> kQueueAgeMinutes = {5,   10,  20,  40,  80,
                                                             160, 320, 640, 1280};
inline constexpr size_t kQueueAges = kQueueAgeMinutes.size() + 1;
// The bucket of an age.
size_t QueueAgeBucket(int64_t age_ns);
// "0-5m", "5-10m", ... "1280m+".
std::string QueueAgeName(size_t bucket);

struct QueueGroup {
  std::string name;
  uint32_t rank = 0;        // where the names have an order of their own: states, ages
  uint64_t recipients = 0;
  uint64_t bytes = 0;       // of their messages, once for each recipient
  int64_t oldest_ns = 0;
  std::array<uint64_t, kQueueAges> ages = {};  // recipients

  void Add(uint64_t more, uint64_t size, int64_t age_ns);
  QueueGroup& operator+=(const QueueGroup& other);
};

struct QueueCensus {
  std::deque<QueueGroup> groups;  // in no order
  QueueGroup others;              // of further groups
  ListGaps gaps;
};

class QueueCensusSink {
 public:
  virtual ~QueueCensusSink() = default;
  // Nobody listens any more.
  virtual bool gone() const = 0;
  // Once, on the shard's thread.
  virtual void OnCensus(QueueCensus census) = 0;
};

class QueueCounter : public OperatorWork, private QueueWalker {
 public:
  // `by`: none for all together. The rest as of QueueLister.
  QueueCounter(io::Io* io, Home* home, std::vector<Store*> stores, QueueFilter filter,
               std::optional<QueueColumn> by, QueueCensusSink* sink);

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
  bool full() const override { return false; }
  bool acts() const override { return false; }

  void Count(const QueueItem& item);
  QueueGroup* GroupOf(const QueueItem& item, int64_t age_ns);

  io::Io* const io_;
  Home* const home_;
  const std::vector<Store*> stores_;
  const QueueFilter filter_;
  const std::optional<QueueColumn> by_;
  QueueCensusSink* const sink_;
  QueueWalk walk_;
  QueueCensus census_;
  absl::flat_hash_map<std::string_view, QueueGroup*> by_name_;  // into census_.groups
  QueueSortKey key_;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_QUEUE_COUNTER_H_
