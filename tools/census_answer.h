// CensusAnswer: how much is queued, all together or by a column, from all shards to one client of
// the control socket. What the shards counted is added up on the main thread; the largest groups
// are sent, and the rest as one. Holds itself alive until every shard is through.
#ifndef OUTBOX_TOOLS_CENSUS_ANSWER_H_
#define OUTBOX_TOOLS_CENSUS_ANSWER_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/string_map.h"
#include "queue/queue_counter.h"
#include "queue/shard.h"
#include "tools/control_server.h"

namespace outbox::tools {

class CensusAnswer : public queue::QueueCensusSink,
                     public std::enable_shared_from_this<CensusAnswer> {
 public:
  // `limit`: groups that are sent.
  CensusAnswer(ControlServer* server, std::shared_ptr<ReplyStream> reply,
               std::optional<queue::QueueColumn> by, uint32_t limit)
      : server_(server), reply_(std::move(reply)), by_(by), limit_(limit) {}

  // Asks all shards. To be called once.
  void Start(const std::vector<queue::Shard*>& shards, const queue::QueueFilter& filter);

  // queue::QueueCensusSink, on the shards' threads
  bool gone() const override { return gone_.load(std::memory_order_relaxed); }
  void OnCensus(queue::QueueCensus census) override;

 private:
  void Take(queue::QueueCensus census);
  void Refuse();
  void EndOne();
  void Finish();

  ControlServer* const server_;
  const std::shared_ptr<ReplyStream> reply_;
  const std::optional<queue::QueueColumn> by_;
  const uint32_t limit_;
  std::atomic<bool> gone_ = false;
  // The main thread's:
  core::StringMap<queue::QueueGroup> groups_;
  queue::QueueGroup others_;
  queue::ListGaps gaps_;
  bool refused_ = false;
  size_t shards_left_ = 0;
  std::shared_ptr<CensusAnswer> self_;
};

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_CENSUS_ANSWER_H_
