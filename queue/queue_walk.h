// QueueWalk: one way through all the mail of a shard, a bounded piece a turn, while the mail goes
// on.
//
// Home knows every live message of its logs, and each pending recipient is in exactly one of its
// tickets, so a recipient that is queued throughout the walk is met exactly once. Whoever walks is
// asked first whether it is interested in a message, and whether it needs its strings; only then
// they are read, from the hot tail or from disk, one message at a time. A message with many
// recipients is visited part by part, in several turns: what is bounded are recipients. One on a
// shelf (queue/shelf.h) looks as if it had its ticket, and gets it when something may be done.
//
// Shard-local. Stop() before the stores close.
#ifndef OUTBOX_QUEUE_QUEUE_WALK_H_
#define OUTBOX_QUEUE_QUEUE_WALK_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "queue/home_ticket.h"
#include "queue/message_meta.h"
#include "queue/store.h"

namespace outbox::queue {

class Home;  // queue/home.h

// A part of a message: its tickets whose first recipient has an index from `from` on, below `to`.
// That index never changes, whatever becomes of tickets meanwhile.
struct WalkPart {
  struct Recipient {
    std::string_view address;
    std::string_view route;  // when the message was accepted
  };

  bool Has(const HomeTicket& ticket) const { return ticket.first >= from && ticket.first < to; }
  // The recipient with this index in the message; null: there is none. Only with kMeta.
  const Recipient* Find(uint32_t index) const {
    return index < from || index - from >= recipients.size() ? nullptr : &recipients[index - from];
  }

  uint32_t from = 0;
  uint32_t to = 0;
  std::span<const Recipient> recipients;  // from `from` on, for all tickets of the part
};

class QueueWalker {
 public:
  enum class Interest : uint8_t { kNone, kTickets, kMeta };

  virtual ~QueueWalker() = default;
  // What is wanted of the message, by its tickets alone.
  virtual Interest Look(const Message& message) = 0;
  // A part of the message; with kMeta also its meta, else null. May end its tickets, or all of it.
  virtual void Visit(Message* message, const MetaView* meta, const WalkPart& part) = 0;
  // Instead of Visit with kMeta: its strings cannot be read from the spool, tried often enough.
  // That is about its recipients from `from` on.
  virtual void OnUnreadable(Message* /*message*/, uint32_t /*from*/, const core::Status& /*why*/) {}
  // Nothing more can be taken now; asked before each part.
  virtual bool full() const = 0;
  // It does something with the tickets that it visits; else it only looks.
  virtual bool acts() const = 0;
};

class QueueWalk {
 public:
  // `id`: only that message; 0: all. `stores` are the shard's; they, home and the walker outlive
  // the walk.
  QueueWalk(Home* home, std::vector<Store*> stores, QueueWalker* walker, uint64_t id);
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
  // Goes to the next part of the message at the front of the page; true if that was done at once.
  bool VisitNext();
  void Read(Message* message, const Window& window);
  void Visit(Message* message, const MetaView* meta);
  void Skip();
  void Fetch(Message* message);
  void OnFetched(const core::Status& status, Window window);
  QueueWalker::Interest Look(Message* message);
  void Unreadable(Message* message, const core::Status& why);

  Home* const home_;
  const std::vector<Store*> stores_;
  QueueWalker* const walker_;
  const uint64_t id_;
  size_t store_ = 0;
  uint32_t cursor_ = 0;
  Store* page_store_ = nullptr;
  std::vector<uint64_t> page_;
  size_t next_in_page_ = 0;
  uint32_t from_ = 0;    // of the message at the front: what was visited ends here
  uint32_t budget_ = 0;  // of this turn, in recipients
  std::vector<WalkPart::Recipient> recipients_;
  uint64_t fetching_ = 0;  // id
  int tries_ = 0;          // to read it
  FetchOp fetch_;
  bool stopping_ = false;
  bool done_ = false;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_QUEUE_WALK_H_
