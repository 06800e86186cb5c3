// QueueSorter: the first lines of a shard's queue in some order, among however many.
//
// Two walks. The first keeps the places and keys of the best ones, no more than the limit, so that
// memory does not depend on the queue; it reads strings only where the filter or the order needs
// them. The second one makes the lines of those that are left. They are handed over with their keys
// and in no order: who puts the shards' lines together sorts them all, and not in a shard's turn.
//
// Made for one request, run by its shard (queue/shard_operator.h), gone when done.
#ifndef OUTBOX_QUEUE_QUEUE_SORTER_H_
#define OUTBOX_QUEUE_QUEUE_SORTER_H_

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "queue/queue_lister.h"

namespace outbox::queue {

class QueueSorter : public OperatorWork, private QueueWalker {
 public:
  // As of QueueLister. REQUIRES: query.sort, and a limit.
  QueueSorter(io::Io* io, Home* home, std::vector<Store*> stores, QueueQuery query,
              QueueListSink* sink);
  QueueSorter(const QueueSorter&) = delete;
  QueueSorter& operator=(const QueueSorter&) = delete;
  // REQUIRES: done().
  ~QueueSorter() override = default;

  // OperatorWork
  void Tick() override;
  bool wants_turn() const override;
  bool done() const override { return done_; }
  void Stop() override;

 private:
  enum class Step : uint8_t { kChoose, kList, kShow };
  using Place = std::pair<uint64_t, uint32_t>;  // message, recipient

  // QueueWalker
  Interest Look(const Message& message) override;
  void Visit(Message* message, const MetaView* meta, const WalkPart& part) override;
  void OnUnreadable(Message* message, uint32_t from, const core::Status& why) override;
  bool full() const override { return step_ == Step::kShow && sink_->full(); }
  bool acts() const override { return false; }

  // `a` comes before `b` in the answer.
  bool Before(const QueueSortKey& a, const QueueSortKey& b) const {
    return a.Before(b, query_.descending);
  }
  void Consider(const QueueItem& item);
  void Show(const Message& message, const MetaView* meta, const WalkPart& part);
  // Notes some of those that were chosen for the second walk. False: all are.
  bool ListSome();
  void End();

  io::Io* const io_;
  Home* const home_;
  const std::vector<Store*> stores_;
  const QueueQuery query_;
  QueueListSink* const sink_;
  Step step_ = Step::kChoose;
  std::unique_ptr<QueueWalk> walk_;
  std::vector<QueueSortKey> best_;  // a heap, the last one of them in front
  QueueSortKey key_;                // of who is considered
  std::vector<uint64_t> ids_;       // of messages
  absl::flat_hash_set<uint64_t> listed_;  // the same
  absl::flat_hash_map<Place, QueueSortKey> chosen_;
  std::vector<QueueLine> lines_;
  ListGaps gaps_;
  bool stopping_ = false;
  bool done_ = false;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_QUEUE_SORTER_H_
