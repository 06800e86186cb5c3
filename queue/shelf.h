// Shelf: mail that home keeps back, in a few bytes a message.
//
// A destination that is down needs a ticket or two to find out when it is up again; the rest would
// only wait in memory. So home offers no more than a window of tickets for one destination
// (DirectoryEntry::window) and puts the others on a shelf: the ticket is freed, and what a new one
// needs lies in the Message (Message::note). It goes to its destination when another one has come
// back, the one that was accepted first first; senders take turns by lanes, so that a newsletter
// does not keep everybody else's mail on the shelf. Only tickets of one recipient are shelved.
//
// The mail of one shelf shares destination, store, periods, routing and whether its sender has had
// the delay notice. So the order of acceptance is the order of deadlines as well, and one timer for
// the first of them is enough.
//
// Home's, shard-local. A shelf lives from its first message to its last.
#ifndef OUTBOX_QUEUE_SHELF_H_
#define OUTBOX_QUEUE_SHELF_H_

#include <cstdint>

#include "core/limits.h"
#include "core/slab.h"
#include "core/timer.h"
#include "core/timer_wheel.h"
#include "queue/directory.h"
#include "queue/home_ticket.h"
#include "queue/period_table.h"
#include "queue/reply_table.h"
#include "queue/store.h"

namespace outbox::queue {

class Shelves;

struct Shelf {
  // A sender shares a lane with one in sixteen others.
  static constexpr uint32_t kLanes = 16;

  struct Lane {
    uint32_t first = Message::kNoIndex;
    uint32_t last = Message::kNoIndex;
  };

  Shelves* owner = nullptr;
  DirectoryEntry* entry = nullptr;
  Store* store = nullptr;
  const PeriodSet* periods = nullptr;
  const Routing* routing = nullptr;
  Shelf* next = nullptr;  // of the same destination
  bool notified = false;
  uint8_t turn = 0;  // the lane that is next
  uint32_t count = 0;
  int64_t due_ns = 0;                   // of the timer, while it is set
  uint32_t finger = Message::kNoIndex;  // the message that came last: most follow their predecessor
  Lane lanes[kLanes];
  core::Timer timer;  // the first deadline
  void OnTimer();
};

// Who hears that the deadline of a message on a shelf has come: home.
class ShelfOwner {
 public:
  virtual ~ShelfOwner() = default;
  virtual void OnShelfDeadline(Message* message) = 0;
};

class Shelves {
 public:
  Shelves(io::Io* io, core::TimerWheel* wheel, ReplyTable* replies, ShelfOwner* owner)
      : io_(io), wheel_(wheel), replies_(replies), owner_(owner) {}
  Shelves(const Shelves&) = delete;
  Shelves& operator=(const Shelves&) = delete;
  // What is on them is forgotten.
  ~Shelves();

  // The ticket can be made again from what a shelf keeps.
  static bool Fits(const HomeTicket& ticket);
  // Puts the ticket's message on a shelf; the ticket may be freed, its references to destination
  // and reply stay with the message. False: its place could not be found in a few steps. O(1).
  // REQUIRES: Fits.
  bool Put(const HomeTicket& ticket);
  // The next in turn of this destination; null: there is none. It stays where it is.
  Message* Next(DirectoryEntry* entry);
  // Makes `ticket` what it was, but for its place at home. The message stays on the shelf.
  void Fill(Message* message, HomeTicket* ticket) const;
  // Off its shelf, which may go with it.
  void Remove(Message* message);

  uint32_t messages() const { return messages_; }
  static int64_t DeadlineOf(int64_t accepted_ns, const PeriodSet& periods, bool notified);

 private:
  friend struct Shelf;

  Shelf* Of(const Message& message) const;
  Shelf* Find(const HomeTicket& ticket);
  bool Insert(Shelf* shelf, Shelf::Lane* lane, Message* message);
  void LinkBehind(Shelf* shelf, Shelf::Lane* lane, uint32_t before, Message* message);
  int64_t FirstDeadline(const Shelf& shelf) const;
  void Arm(Shelf* shelf);
  void OnTimer(Shelf* shelf);
  void Delete(Shelf* shelf);

  io::Io* const io_;
  core::TimerWheel* const wheel_;
  ReplyTable* const replies_;
  ShelfOwner* const owner_;
  core::Slab<Shelf> all_{core::kMaxTicketsPerShard};  // messages name them by index
  uint32_t messages_ = 0;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_SHELF_H_
