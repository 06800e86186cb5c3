// QueueWalk: one way through all the mail of a shard, a bounded piece a turn, while the mail goes
// on.
//
// Home knows every live message of its logs, and each pending recipient is in exactly one of its
// tickets, so a recipient that is queued throughout the walk is met exactly once. Whoever walks is
// asked first whether it is interested in a message, and whether it needs its strings:
//
//   look     through all messages, in memory. What needs no strings is visited at once; what does
//            is marked, a bit a message, and counted by segment.
//   indexes  of the segments that have many of those: their metas are read together, in large
//            pieces (queue/spool/index_reader.h).
//   singles  what is left is read one by one, from the hot tail or from disk.
//
// A walker that can take nothing more (a client that does not read) keeps no index that another
// walk waits for: it is read again when the walk goes on.
//
// A message with many recipients is visited part by part, in several turns: what is bounded are
// recipients. One on a shelf (queue/shelf.h) looks as if it had its ticket, and gets it when
// something may be done.
//
// Shard-local. Stop() before the stores close.
#ifndef OUTBOX_QUEUE_QUEUE_WALK_H_
#define OUTBOX_QUEUE_QUEUE_WALK_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "io/io.h"
#include "queue/home_ticket.h"
#include "queue/message_meta.h"
#include "queue/spool/index_reader.h"
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

// The name of the route that a recipient of the ticket takes, as far as it is stored.
inline std::string_view RouteName(const HomeTicket& ticket, const WalkPart::Recipient& recipient) {
  return ticket.routing != nullptr ? std::string_view(ticket.routing->route) : recipient.route;
}

class QueueWalker {
 public:
  enum class Interest : uint8_t { kNone, kTickets, kMeta };

  virtual ~QueueWalker() = default;
  // What is wanted of the message, by its tickets alone.
  virtual Interest Look(const Message& message) = 0;
  // A part of the message; with kMeta also its meta, else null. May end its tickets, or all of it.
  // What it was looked at for may be over by now.
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
  // `ids`: only these messages; none: all. `stores` are the shard's; they, home and the walker
  // outlive the walk.
  QueueWalk(const io::Io* io, Home* home, std::vector<Store*> stores, QueueWalker* walker,
            std::vector<uint64_t> ids = {});
  // `id`: only that message; 0: all.
  QueueWalk(const io::Io* io, Home* home, std::vector<Store*> stores, QueueWalker* walker,
            uint64_t id)
      : QueueWalk(io, home, std::move(stores), walker,
                  id == 0 ? std::vector<uint64_t>() : std::vector<uint64_t>{id}) {}
  QueueWalk(const QueueWalk&) = delete;
  QueueWalk& operator=(const QueueWalk&) = delete;
  // REQUIRES: done().
  ~QueueWalk();

  // A piece of work. Once a turn; the loop must not sleep while wants_turn().
  void Tick();
  bool wants_turn() const;
  bool done() const { return done_; }
  // Ends with the next Tick at which nothing is in flight.
  void Stop() { stopping_ = true; }

 private:
  enum class Step : uint8_t { kLook, kIndexes, kSingles };

  bool in_flight() const {
    return fetch_.in_flight || indexes_[0].reading() || indexes_[1].reading();
  }
  Store* store() const { return stores_[store_]; }
  // Goes a little further. False: no more in this turn.
  bool Advance();
  bool AdvanceLook();
  // False: it has been through all.
  bool LookAtSome();
  void LookAt(Message* message);
  bool AdvanceIndexes();
  // Begins to read the index of a further segment, if there is one that is worth it.
  void StartIndex(IndexReader* reader);
  void NextIndexEntry(IndexReader* reader);
  // Others wait for an index, and ours are of no use now: our walker is full.
  bool IsInTheWay() const;
  void MakeWay();
  bool AdvanceSingles();
  void NextStore();

  void Want(const Message& message);
  bool Wanted(uint32_t index) const {
    return index / 64 < wanted_.size() && (wanted_[index / 64] >> index % 64 & 1) != 0;
  }
  void Unwant(uint32_t index) { wanted_[index / 64] &= ~(uint64_t{1} << index % 64); }
  // The lowest wanted message from the cursor on; false: there is none.
  bool NextWanted(uint32_t* index);

  // The message that is visited is id_, its next part begins at from_.
  bool VisitById();
  bool Begin(Message* message);
  void Read(Message* message, std::span<const char> bytes);
  void Visit(Message* message, const MetaView& meta);
  void VisitPart(Message* message, const MetaView* meta);
  void Leave();
  void Fetch(Message* message);
  void OnFetched(const core::Status& status, Window window);
  QueueWalker::Interest Look(Message* message);
  void Unreadable(Message* message, const core::Status& why);

  const io::Io* const io_;
  Home* const home_;
  const std::vector<Store*> stores_;
  QueueWalker* const walker_;
  const std::vector<uint64_t> ids_;
  Step step_ = Step::kLook;
  size_t store_ = 0;
  uint32_t cursor_ = 0;           // slots, ids, segments, or bits
  std::vector<uint64_t> page_;    // ids of messages to visit without their strings, the last first
  std::vector<uint64_t> wanted_;  // a bit a message, by Store::IndexOf
  std::vector<uint32_t> wanted_in_;  // so many by segment
  // The one whose messages are visited, and the one that is read meanwhile.
  std::array<IndexReader, 2> indexes_;
  uint32_t reader_ = 0;
  EntryRef entry_;
  uint32_t budget_ = 0;  // of this turn
  std::vector<WalkPart::Recipient> recipients_;
  uint64_t id_ = 0;    // 0: none
  uint32_t from_ = 0;  // of the message id_: what was visited ends here
  int tries_ = 0;      // to read it
  FetchOp fetch_;
  bool looked_ = false;  // at all messages of the store
  bool stopping_ = false;
  bool done_ = false;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_QUEUE_WALK_H_
