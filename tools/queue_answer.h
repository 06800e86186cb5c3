// QueueAnswer: one listing of the queue, from all shards to one client of the control socket.
//
// Each shard's lister hands over chunks of lines on its own thread; they are posted to the main
// thread, which writes them as JSON. When the client does not read, `full` tells the listers to
// wait. Holds itself alive until every shard is through.
#ifndef OUTBOX_TOOLS_QUEUE_ANSWER_H_
#define OUTBOX_TOOLS_QUEUE_ANSWER_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "queue/queue_lister.h"
#include "tools/control_server.h"

namespace outbox::tools {

// A line of a listing in the words of the protocol.
nlohmann::json QueueLineJson(const queue::QueueLine& line);

class QueueAnswer : public queue::QueueListSink, public std::enable_shared_from_this<QueueAnswer> {
 public:
  QueueAnswer(ControlServer* server, std::shared_ptr<ReplyStream> reply, uint32_t shards);

  // One shard does not list: the answer ends in an error.
  void Refuse();
  // Keeps the object alive until Done was called for every shard. To be called once.
  void HoldUntilDone() { self_ = shared_from_this(); }

  // queue::QueueListSink, on the shards' threads
  bool Lines(std::vector<queue::QueueLine> lines) override;
  bool full() const override { return waiting_.load(std::memory_order_relaxed) >= kChunksMax; }
  void Done() override;

 private:
  // Chunks on their way to the client, over all shards.
  static constexpr int kChunksMax = 64;

  void Write(const std::vector<queue::QueueLine>& lines);
  void EndOne();

  ControlServer* const server_;
  const std::shared_ptr<ReplyStream> reply_;
  std::atomic<int> waiting_ = 0;
  std::atomic<bool> gone_ = false;
  bool refused_ = false;
  uint32_t shards_left_;
  std::shared_ptr<QueueAnswer> self_;
};

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_QUEUE_ANSWER_H_
