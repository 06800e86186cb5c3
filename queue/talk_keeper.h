// TalkKeeper: what was said in a shard's attempts, so that an operator can read it afterwards
// (`outbox talk`), without having switched anything on before.
//
// Every attempt goes into a ring in memory (queue/talk_ring.h); one that failed is also written to
// the disk, as a line of JSON, off the loop by Io's helper. What the disk does not take, or what
// comes faster than it, is counted and lost: the mail never waits for it. One per shard.
#ifndef OUTBOX_QUEUE_TALK_KEEPER_H_
#define OUTBOX_QUEUE_TALK_KEEPER_H_

#include <cstdint>
#include <functional>
#include <string_view>

#include "core/event_log.h"
#include "core/metrics.h"
#include "io/io.h"
#include "queue/talk_ring.h"

namespace outbox::queue {

class TalkKeeper {
 public:
  // Writes whole lines somewhere that a restart survives, waiting if it must: it runs on the helper
  // thread. False: they are lost.
  using Writer = std::function<bool(std::string_view)>;

  // `memory`: of the ring, in bytes. `writer` may be empty.
  TalkKeeper(io::Io* io, core::ShardMetrics* metrics, size_t memory, Writer writer);
  TalkKeeper(const TalkKeeper&) = delete;
  TalkKeeper& operator=(const TalkKeeper&) = delete;
  // A write that is under way has ended, or never will (a simulated crash).
  ~TalkKeeper();

  // An attempt is over. `facts` but for the times, which are of now.
  void Keep(TalkFacts facts, const smtp::Dialogue& dialogue);
  // Starts to write what waits, if that is much or `all` is to go: each write wakes a thread. Once
  // a turn.
  void Flush(bool all);
  bool busy() const { return op_.in_flight; }
  const TalkRing& ring() const { return ring_; }

 private:
  void KeepFailed(const TalkFacts& facts, const smtp::Dialogue& dialogue);
  void OnWritten(const io::OpResult& result);
  void CountLost();

  io::Io* const io_;
  core::ShardMetrics* const metrics_;
  const Writer writer_;
  TalkRing ring_;
  core::EventLog failed_;  // lines for the disk
  std::string_view taken_;
  int64_t refused_ = 0;  // lines that the disk has refused
  io::Op op_;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_TALK_KEEPER_H_
