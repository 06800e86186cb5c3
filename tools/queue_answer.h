// QueueAnswer: one listing of the queue, from all shards to one client of the control socket.
//
// Each shard's lister hands over chunks of lines on its own thread; they are posted to the main
// thread, which writes them as JSON as fast as the client reads them, and not faster. When it does
// not read, `full` tells the listers to wait, and they are woken when it goes on; when it has gone,
// they end. Of a sorted listing the best lines of all shards are put in order when the last one has
// come. Holds itself alive until every shard is through.
#ifndef OUTBOX_TOOLS_QUEUE_ANSWER_H_
#define OUTBOX_TOOLS_QUEUE_ANSWER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "queue/queue_lister.h"
#include "tools/control_server.h"

namespace outbox::tools {

class QueueAnswer : public queue::QueueListSink, public std::enable_shared_from_this<QueueAnswer> {
 public:
  // `wake` gives all shards a turn; may be called from the main thread for as long as one lists.
  QueueAnswer(ControlServer* server, std::shared_ptr<ReplyStream> reply, uint32_t shards,
              const queue::QueueQuery& query = {}, std::function<void()> wake = {});

  // One shard does not list: the answer ends in an error.
  void Refuse();
  // Keeps the object alive until Done was called for every shard. To be called once, on the main
  // thread.
  void HoldUntilDone();

  // queue::QueueListSink, on the shards' threads
  bool Lines(std::vector<queue::QueueLine> lines) override;
  bool full() const override;
  bool gone() const override { return gone_.load(std::memory_order_relaxed); }
  void Done(const queue::ListGaps& gaps) override;

 private:
  // Lines on their way to the client, over all shards; a chunk more of each shard may come.
  static constexpr size_t kLinesMax = 4096;

  // On the main thread. Writes what is there until the client is full; ends when all is written.
  void Pump();
  void Take(std::vector<queue::QueueLine> lines);
  void Finish();
  void OnGone();
  void EndOne(const queue::ListGaps& gaps);
  // Keeps the best of sorted_, in order if it is the end.
  void Cut(bool end);

  ControlServer* const server_;
  const std::shared_ptr<ReplyStream> reply_;
  const queue::QueueQuery query_;
  const std::function<void()> wake_;
  std::atomic<size_t> waiting_ = 0;
  mutable std::atomic<bool> held_ = false;  // a lister was told to wait
  std::atomic<bool> gone_ = false;
  // The main thread's:
  std::deque<queue::QueueLine> lines_;
  std::vector<queue::QueueLine> sorted_;
  std::string text_;
  uint64_t shown_ = 0;
  bool paused_ = false;  // WhenReady calls Pump
  bool refused_ = false;
  queue::ListGaps gaps_;  // summed over the shards that are through
  uint32_t shards_left_;
  std::shared_ptr<QueueAnswer> self_;
};

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_QUEUE_ANSWER_H_
