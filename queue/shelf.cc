#include "queue/shelf.h"

#include <algorithm>

#include "core/check.h"
#include "queue/retry_policy.h"
#include "queue/state_writer.h"

namespace outbox::queue {
namespace {

constexpr uint32_t kNone = Message::kNoIndex;
// Steps to a message's place in its lane: it follows its predecessor, the first or the last, or
// some that were accepted in the same moment.
constexpr int kStepsMax = 64;
// Messages whose deadlines are handled in one call of the timer; the rest follows at the next tick.
constexpr int kDeadlinesAtOnce = 1024;
// Times of acceptance are kept in units of 2^26 ns, 67 ms, rounded up: nothing is early by that.
constexpr int kAcceptedShift = 26;

int64_t AcceptedNs(const Message& message) {
  return int64_t{message.note.accepted} << kAcceptedShift;
}

// Message::home of one on a shelf: 1, the shelf's index (31 bits), the message before it (32).
static_assert(sizeof(uintptr_t) == 8);
void* Place(uint32_t shelf, uint32_t prev) {
  return reinterpret_cast<void*>(uintptr_t{prev} << 32 | uintptr_t{shelf} << 1 | 1);
}

uint32_t Prev(const Message& message) {
  return static_cast<uint32_t>(reinterpret_cast<uintptr_t>(message.home) >> 32);
}

void SetPrev(Message* message, uint32_t prev) {
  const auto word = static_cast<uint32_t>(reinterpret_cast<uintptr_t>(message->home));
  message->home = Place(word >> 1, prev);
}

uint32_t LaneOf(const Message& message) { return message.note.sender % Shelf::kLanes; }

int32_t AcceptedUnits(int64_t accepted_ns) {
  const int64_t units = (accepted_ns + (int64_t{1} << kAcceptedShift) - 1) >> kAcceptedShift;
  return static_cast<int32_t>(std::clamp<int64_t>(units, INT32_MIN, INT32_MAX));
}

}  // namespace

void Shelf::OnTimer() { owner->OnTimer(this); }

Shelves::~Shelves() {
  for (uint32_t i = 0; i < all_.taken(); ++i) {
    if (Shelf* shelf = all_.Find(i)) Delete(shelf);
  }
}

int64_t Shelves::DeadlineOf(int64_t accepted_ns, const PeriodSet& periods, bool notified) {
  return std::min(
      ExpiryTime(accepted_ns, periods.retry_until_ns),
      NotifyTime(accepted_ns, periods.notify_after_ns, periods.retry_until_ns, notified));
}

bool Shelves::Fits(const HomeTicket& ticket) {
  const Message& message = *ticket.message;
  return message.pending == 1 && !StateWriter::Owes(message) && ticket.mask == 1 &&
         ticket.first == 0 && ticket.group == 0 && ticket.settled == 0 && ticket.priority == 0 &&
         !ticket.ordered && !ticket.rerouting && !ticket.diverted && !ticket.released &&
         ticket.hold == 0 && !ticket.purged && ticket.paused_ns == 0 && !ticket.expired &&
         !ticket.ending && !ticket.archive && FirstTicket(&message) == &ticket;
}

Shelf* Shelves::Of(const Message& message) const {
  CHECK(message.shelved());
  const auto word = static_cast<uint32_t>(reinterpret_cast<uintptr_t>(message.home));
  return &all_[word >> 1];
}

Shelf* Shelves::Find(const HomeTicket& ticket) {
  DirectoryEntry* entry = ticket.destination;
  for (Shelf* shelf = entry->shelves; shelf != nullptr; shelf = shelf->next) {
    if (shelf->store == ticket.store && shelf->periods == ticket.periods &&
        shelf->routing == ticket.routing && shelf->notified == ticket.notified) {
      return shelf;
    }
  }
  Shelf* shelf = all_.New();
  CHECK(shelf != nullptr);  // fewer than there may be tickets
  shelf->owner = this;
  shelf->entry = entry;
  shelf->store = ticket.store;
  shelf->periods = ticket.periods;
  shelf->routing = ticket.routing;
  shelf->notified = ticket.notified;
  shelf->timer.Bind<&Shelf::OnTimer>(shelf);
  shelf->next = entry->shelves;
  entry->shelves = shelf;
  return shelf;
}

bool Shelves::Put(const HomeTicket& ticket) {
  Message* message = ticket.message;
  Shelf* shelf = Find(ticket);
  Message::Note& note = message->note;
  note.size_bytes = ticket.size_bytes;
  note.accepted = AcceptedUnits(ticket.accepted_ns);
  note.reply = ticket.reply == nullptr ? ReplyTable::kNoIndex : ticket.reply->index();
  note.sender = static_cast<uint16_t>(ticket.sender_hash);
  note.attempts = ticket.attempts;
  if (!Insert(shelf, &shelf->lanes[LaneOf(*message)], message)) {
    if (shelf->count == 0) Delete(shelf);
    return false;
  }
  ++shelf->count;
  ++messages_;
  const int64_t deadline_ns = DeadlineOf(AcceptedNs(*message), *shelf->periods, shelf->notified);
  if (!shelf->timer.set() || deadline_ns < shelf->due_ns) Arm(shelf);
  return true;
}

// Behind everything that was accepted before it.
bool Shelves::Insert(Shelf* shelf, Shelf::Lane* lane, Message* message) {
  Store* store = shelf->store;
  const int32_t accepted = message->note.accepted;
  const auto after = [&](uint32_t index) { return store->At(index)->note.accepted > accepted; };
  if (lane->first == kNone || !after(lane->last)) {
    LinkBehind(shelf, lane, lane->last, message);
    return true;
  }
  if (after(lane->first)) {
    LinkBehind(shelf, lane, kNone, message);
    return true;
  }
  const bool known =
      shelf->finger != kNone && LaneOf(*store->At(shelf->finger)) == LaneOf(*message);
  uint32_t before = known ? shelf->finger : lane->last;
  for (int steps = 0; steps < kStepsMax; ++steps) {
    if (after(before)) {
      before = Prev(*store->At(before));  // not beyond the first, which is not after it
      continue;
    }
    const uint32_t next = store->At(before)->note.next;
    if (next == kNone || after(next)) {
      LinkBehind(shelf, lane, before, message);
      return true;
    }
    before = next;
  }
  return false;
}

void Shelves::LinkBehind(Shelf* shelf, Shelf::Lane* lane, uint32_t before, Message* message) {
  Store* store = shelf->store;
  const uint32_t index = Store::IndexOf(message);
  uint32_t& link = before == kNone ? lane->first : store->At(before)->note.next;
  const uint32_t next = link;
  link = index;
  message->home = Place(all_.IndexOf(shelf), before);
  message->note.next = next;
  if (next == kNone) {
    lane->last = index;
  } else {
    SetPrev(store->At(next), index);
  }
  shelf->finger = index;
}

Message* Shelves::Next(DirectoryEntry* entry) {
  Shelf* shelf = entry->shelves;
  if (shelf == nullptr) return nullptr;
  // The others of the destination come next.
  if (shelf->next != nullptr) {
    entry->shelves = shelf->next;
    Shelf* last = shelf->next;
    while (last->next != nullptr) last = last->next;
    last->next = shelf;
    shelf->next = nullptr;
  }
  for (;;) {
    const Shelf::Lane& lane = shelf->lanes[shelf->turn];
    shelf->turn = static_cast<uint8_t>((shelf->turn + 1) % Shelf::kLanes);
    if (lane.first != kNone) return shelf->store->At(lane.first);
  }
}

void Shelves::Fill(Message* message, HomeTicket* ticket) const {
  const Shelf& shelf = *Of(*message);
  const Message::Note& note = message->note;
  ticket->message = message;
  ticket->store = shelf.store;
  ticket->destination = shelf.entry;
  ticket->mask = 1;
  ticket->message_id = message->id;
  ticket->sender_hash = note.sender;
  ticket->size_bytes = note.size_bytes;
  ticket->attempts = note.attempts;
  ticket->eight_bit = (message->flags & kFlagEightBit) != 0;
  ticket->periods = shelf.periods;
  ticket->routing = shelf.routing;
  ticket->retry_s = static_cast<uint32_t>(shelf.periods->retry_ns[0] / core::kNsPerSecond);
  // What was rounded up is not in the future.
  ticket->accepted_ns = std::min(AcceptedNs(*message), io_->now_ns());
  ticket->since_ns = ticket->accepted_ns;
  ticket->deadline_ns = DeadlineOf(ticket->accepted_ns, *shelf.periods, shelf.notified);
  ticket->notified = shelf.notified;
  ticket->reply = replies_->At(note.reply);
}

void Shelves::Remove(Message* message) {
  Shelf* shelf = Of(*message);
  Store* store = shelf->store;
  const uint32_t prev = Prev(*message);
  const uint32_t next = message->note.next;
  Shelf::Lane& lane = shelf->lanes[LaneOf(*message)];
  (prev == kNone ? lane.first : store->At(prev)->note.next) = next;
  if (next == kNone) {
    lane.last = prev;
  } else {
    SetPrev(store->At(next), prev);
  }
  if (shelf->finger == Store::IndexOf(message)) shelf->finger = prev;
  message->home = nullptr;
  --messages_;
  if (--shelf->count == 0) Delete(shelf);
}

int64_t Shelves::FirstDeadline(const Shelf& shelf) const {
  int64_t first_ns = core::kNever;
  for (const Shelf::Lane& lane : shelf.lanes) {
    if (lane.first == kNone) continue;
    first_ns = std::min(first_ns, DeadlineOf(AcceptedNs(*shelf.store->At(lane.first)),
                                             *shelf.periods, shelf.notified));
  }
  return first_ns;
}

// A timer that is set already is never too late: what leaves a shelf makes the first deadline a
// later one.
void Shelves::Arm(Shelf* shelf) {
  const int64_t first_ns = FirstDeadline(*shelf);
  if (first_ns == core::kNever || (shelf->timer.set() && shelf->due_ns <= first_ns)) return;
  shelf->due_ns = first_ns;
  CHECK(shelf->timer.Set(wheel_, first_ns));  // the wheel holds more than there are tickets
}

void Shelves::OnTimer(Shelf* shelf) {
  // With its last message the shelf goes.
  bool more = true;
  for (int left = kDeadlinesAtOnce; left > 0 && more; --left) {
    Message* due = nullptr;
    for (const Shelf::Lane& lane : shelf->lanes) {
      if (lane.first == kNone) continue;
      Message* first = shelf->store->At(lane.first);
      const int64_t deadline_ns = DeadlineOf(AcceptedNs(*first), *shelf->periods, shelf->notified);
      if (deadline_ns <= io_->now_ns()) due = first;
    }
    if (due == nullptr) break;
    more = shelf->count > 1;
    owner_->OnShelfDeadline(due);
  }
  if (more) Arm(shelf);
}

void Shelves::Delete(Shelf* shelf) {
  Shelf** link = &shelf->entry->shelves;
  while (*link != shelf) link = &(*link)->next;
  *link = shelf->next;
  shelf->timer.Cancel();
  all_.Delete(shelf);
}

}  // namespace outbox::queue
