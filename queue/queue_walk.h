// QueueWalk: one way through all the mail of a shard, a bounded piece a turn, while the mail goes
// on.
//
// Home knows every live message of its logs, and each pending recipient is in exactly one of its
// tickets, so a recipient that is queued throughout the walk is met exactly once. Whoever walks is
// asked first whether it is interested in a message, and whether it needs its strings; only then
// they are read, from the hot tail or from disk, one message at a time.
//
// Shard-local. Stop() before the stores close.
#ifndef OUTBOX_QUEUE_QUEUE_WALK_H_
#define OUTBOX_QUEUE_QUEUE_WALK_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "queue/home_ticket.h"
#include "queue/message_meta.h"
#include "queue/store.h"

namespace outbox::queue {

class QueueWalker {
 public:
  enum class Interest : uint8_t { kNone, kTickets, kMeta };

  virtual ~QueueWalker() = default;
  // What is wanted of the message, by its tickets alone.
  virtual Interest Look(const Message& message) = 0;
  // The message; with kMeta also its meta, else null. May end its tickets, or all of it.
  virtual void Visit(Message* message, const MetaView* meta) = 0;
  // Nothing more can be taken now; asked before each message.
  virtual bool full() const = 0;
};

class QueueWalk {
 public:
  // `id`: only that message; 0: all. `stores` are the shard's; they and the walker outlive the
  // walk.
  QueueWalk(std::vector<Store*> stores, QueueWalker* walker, uint64_t id);
  QueueWalk(const QueueWalk&) = delete;
  QueueWalk& operator=(const QueueWalk&) = delete;
  // REQUIRES: done().
  ~QueueWalk();

  // A piece of work. Once a turn; the loop must not sleep while wants_turn().
  void Tick();
  bool wants_turn() const { return !done_ && !fetch_.in_flight && (stopping_ || !walker_->full()); }
  bool done() const { return done_; }
  // Ends with the next Tick at which nothing is in flight.
  void Stop() { stopping_ = true; }

 private:
  // Takes up to a page of ids at the cursor. False when all stores are through.
  bool NextPage();
  // Goes to the message at the front of the page; true if that was done at once.
  bool VisitNext();
  void Read(Message* message, const Window& window);
  void OnFetched(const core::Status& status, Window window);

  const std::vector<Store*> stores_;
  QueueWalker* const walker_;
  const uint64_t id_;
  size_t store_ = 0;
  uint32_t cursor_ = 0;
  Store* page_store_ = nullptr;
  std::vector<uint64_t> page_;
  size_t next_in_page_ = 0;
  uint64_t fetching_ = 0;  // id
  FetchOp fetch_;
  bool stopping_ = false;
  bool done_ = false;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_QUEUE_WALK_H_
