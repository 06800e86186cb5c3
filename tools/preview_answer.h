// PreviewAnswer: what a purge would take, from all shards to one client of the control socket: one
// line with the sums, and the senders and recipient domains that have the most of it. Holds itself
// alive until every shard is through.
#ifndef OUTBOX_TOOLS_PREVIEW_ANSWER_H_
#define OUTBOX_TOOLS_PREVIEW_ANSWER_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "queue/purge_preview.h"
#include "queue/shard.h"
#include "tools/control_server.h"

namespace outbox::tools {

class PreviewAnswer : public queue::PurgePreviewSink,
                      public std::enable_shared_from_this<PreviewAnswer> {
 public:
  // `undo_ns`: for how long the purge could be undone.
  PreviewAnswer(ControlServer* server, std::shared_ptr<ReplyStream> reply, int64_t undo_ns)
      : server_(server), reply_(std::move(reply)), undo_ns_(undo_ns) {}

  // Asks all shards. To be called once.
  void Start(const std::vector<queue::Shard*>& shards, const queue::QueueFilter& filter);

  // queue::PurgePreviewSink, on the shards' threads
  bool gone() const override { return gone_.load(std::memory_order_relaxed); }
  void OnPurgeFacts(queue::PurgeFacts facts) override;

 private:
  void EndOne();
  void Finish();

  ControlServer* const server_;
  const std::shared_ptr<ReplyStream> reply_;
  const int64_t undo_ns_;
  std::atomic<bool> gone_ = false;
  // The main thread's:
  queue::PurgeFacts sum_;
  bool refused_ = false;
  size_t shards_left_ = 0;
  std::shared_ptr<PreviewAnswer> self_;
};

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_PREVIEW_ANSWER_H_
