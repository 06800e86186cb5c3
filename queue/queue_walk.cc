#include "queue/queue_walk.h"

#include <algorithm>
#include <bit>
#include <optional>
#include <utility>

#include "core/check.h"
#include "core/limits.h"
#include "core/time.h"
#include "queue/home.h"

namespace outbox::queue {
namespace {

// What is done in a turn, in units of some tens of nanoseconds: a few tenths of a millisecond, so
// that the mail does not notice. bench/listing measures it.
constexpr uint32_t kUnitsPerTurn = 5120;
// What a unit costs differs from one walker and machine to the next: a turn that has used as much
// processor time ends as well. Looked at every so many units.
constexpr int64_t kTurnProcessorNs = 300 * core::kNsPerUs;
constexpr uint32_t kUnitsBetweenLooks = 256;
constexpr uint32_t kLookUnits = 1;   // a message in memory
constexpr uint32_t kEntryUnits = 2;  // an entry of an index
constexpr uint32_t kVisitUnits = 3;  // and what a visit costs, with each recipient besides
constexpr uint32_t kSingleUnits = 32;
constexpr uint32_t kActUnits = 16;  // what is done to a message: a ticket, a timer, a log line
// Slots that are looked at between two looks at the budget.
constexpr uint32_t kSlotsAtOnce = 8;
// So many messages of a segment make its index worth reading.
constexpr uint32_t kIndexWorth = 16;
// Recipients of one part, give or take a ticket.
constexpr uint32_t kPartRecipients = 256;

// While it lives, a message on a shelf has a ticket to look at.
class ShownTicket {
 public:
  ShownTicket(const Home* home, Message* message) {
    if (!message->shelved()) return;
    message_ = message;
    home->Show(message, &ticket_.emplace());
    shelf_ = std::exchange(message->home, &*ticket_);
  }
  ~ShownTicket() {
    if (message_ != nullptr) message_->home = shelf_;
  }
  ShownTicket(const ShownTicket&) = delete;
  ShownTicket& operator=(const ShownTicket&) = delete;

 private:
  std::optional<HomeTicket> ticket_;
  Message* message_ = nullptr;
  void* shelf_ = nullptr;
};

uint32_t Spend(uint32_t budget, uint32_t cost) { return budget > cost ? budget - cost : 0; }

}  // namespace

QueueWalk::QueueWalk(const io::Io* io, Home* home, std::vector<Store*> stores, QueueWalker* walker,
                     std::vector<uint64_t> ids)
    : io_(io), home_(home), stores_(std::move(stores)), walker_(walker), ids_(std::move(ids)) {
  fetch_.Bind<&QueueWalk::OnFetched>(this);
}

QueueWalk::~QueueWalk() { CHECK(done_ && !in_flight()); }

bool QueueWalk::wants_turn() const {
  if (done_ || fetch_.in_flight) return false;
  if (stopping_) return !in_flight();
  if (step_ != Step::kIndexes) return !walker_->full();
  if (IsInTheWay()) return true;
  const IndexReader& now = indexes_[reader_];
  if (now.wants_turn() || indexes_[1 - reader_].wants_turn()) return true;
  return !walker_->full() && (now.ready() || now.failed() || now.idle());
}

void QueueWalk::Tick() {
  if (done_ || fetch_.in_flight) return;
  if (stopping_) {
    done_ = !in_flight();
    return;
  }
  const int64_t until_ns = io_->ProcessorNs() + kTurnProcessorNs;
  if (IsInTheWay()) MakeWay();
  for (IndexReader* const reader : {&indexes_[reader_], &indexes_[1 - reader_]}) reader->Tick();
  budget_ = kUnitsPerTurn;
  uint32_t next_look = budget_ - kUnitsBetweenLooks;
  while (budget_ > 0 && !done_ && !walker_->full() && Advance()) {
    if (budget_ > next_look) continue;
    if (io_->ProcessorNs() >= until_ns) return;
    next_look = Spend(budget_, kUnitsBetweenLooks);
  }
}

bool QueueWalk::Advance() {
  if (store_ == stores_.size()) {
    done_ = true;
    return false;
  }
  switch (step_) {
    case Step::kLook:
      return AdvanceLook();
    case Step::kIndexes:
      return AdvanceIndexes();
    case Step::kSingles:
      return AdvanceSingles();
  }
  return false;
}

// --- In memory ---------------------------------------------------------------------------------

bool QueueWalk::AdvanceLook() {
  if (id_ == 0 && !page_.empty()) {
    id_ = page_.back();
    page_.pop_back();
  }
  if (id_ != 0) return VisitById();
  if (!looked_) {
    looked_ = !LookAtSome();
    return true;
  }
  step_ = Step::kIndexes;
  cursor_ = 0;
  return true;
}

bool QueueWalk::LookAtSome() {
  budget_ = Spend(budget_, kLookUnits);  // also for what is not there
  if (ids_.empty()) {
    return store()->ForEach(&cursor_, kSlotsAtOnce, [this](Message* message) { LookAt(message); });
  }
  Message* const message = store()->Find(ids_[cursor_]);
  if (message != nullptr) LookAt(message);
  return ++cursor_ < ids_.size();
}

void QueueWalk::LookAt(Message* message) {
  if (message->home == nullptr) return;
  budget_ = Spend(budget_, kLookUnits + message->pending / 8);
  switch (Look(message)) {
    case QueueWalker::Interest::kNone:
      return;
    case QueueWalker::Interest::kMeta:
      return Want(*message);
    case QueueWalker::Interest::kTickets:
      break;
  }
  // Who only looks does so on the spot; what is done to a message may end it, and others.
  if (walker_->acts() || message->pending > kPartRecipients) {
    page_.push_back(message->id);
    return;
  }
  budget_ = Spend(budget_, message->pending);
  const ShownTicket shown(home_, message);
  walker_->Visit(message, nullptr, {.from = 0, .to = UINT32_MAX, .recipients = {}});
}

void QueueWalk::Want(const Message& message) {
  const uint32_t index = Store::IndexOf(&message);
  if (wanted_.size() <= index / 64) wanted_.resize(index / 64 + 1);
  wanted_[index / 64] |= uint64_t{1} << index % 64;
  if (!message.place.set()) return;
  const uint32_t segment = message.place.segment();
  if (wanted_in_.size() <= segment) wanted_in_.resize(segment + 1);
  ++wanted_in_[segment];
}

// --- From indexes ------------------------------------------------------------------------------

bool QueueWalk::IsInTheWay() const {
  const uint32_t line = std::max(indexes_[0].line(), indexes_[1].line());
  const uint32_t own = uint32_t{indexes_[0].in_line()} + uint32_t{indexes_[1].in_line()};
  return step_ == Step::kIndexes && line > own && !in_flight() && walker_->full();
}

void QueueWalk::MakeWay() {
  for (IndexReader& reader : indexes_) {
    if (!reader.idle()) cursor_ = std::min(cursor_, reader.segment());
    reader.LetGo();
  }
}

bool QueueWalk::AdvanceIndexes() {
  IndexReader* const now = &indexes_[reader_];
  // The rest of a message whose index we let go.
  if (id_ != 0 && !now->ready()) return VisitById();
  if (now->idle()) {
    reader_ = 1 - reader_;
    // With what is read to its end nobody is kept waiting, ourselves among them.
    if (indexes_[reader_].in_line()) now->LetGo();
    if (!indexes_[reader_].idle()) return true;
    StartIndex(&indexes_[reader_]);
    if (!indexes_[reader_].idle()) return false;
    for (IndexReader& reader : indexes_) reader.LetGo();
    step_ = Step::kSingles;
    cursor_ = 0;
    return true;
  }
  if (now->failed()) {
    now->GiveUp();  // its messages are left for the singles
    return true;
  }
  if (!now->ready()) return false;
  // Not earlier: who waits for others must not keep them waiting.
  if (indexes_[1 - reader_].idle()) StartIndex(&indexes_[1 - reader_]);
  NextIndexEntry(now);
  return true;
}

void QueueWalk::StartIndex(IndexReader* reader) {
  while (cursor_ < wanted_in_.size() && wanted_in_[cursor_] < kIndexWorth) ++cursor_;
  if (cursor_ < wanted_in_.size()) reader->Start(store(), cursor_++);
}

void QueueWalk::NextIndexEntry(IndexReader* reader) {
  if (id_ == 0) {
    budget_ = Spend(budget_, kEntryUnits);
    if (!reader->Next(&entry_)) return;
  }
  Message* const message = store()->Find(entry_.id);
  if (message == nullptr || message->home == nullptr) return Leave();
  // Whether it is still what was looked for, the walker sees for itself.
  budget_ = Spend(budget_, kVisitUnits + message->pending / 4);
  if (id_ != 0) return Read(message, entry_.data);
  const uint32_t index = Store::IndexOf(message);
  if (!Wanted(index)) return;
  const std::optional<MetaView> meta = MetaView::Parse(entry_.data);
  if (!meta.has_value() || meta->id() != entry_.id) return;  // the record itself may be well
  Unwant(index);
  id_ = entry_.id;
  Visit(message, *meta);
}

// --- One by one --------------------------------------------------------------------------------

bool QueueWalk::NextWanted(uint32_t* index) {
  for (size_t word = cursor_ / 64; word < wanted_.size(); ++word) {
    if (wanted_[word] == 0) continue;
    const auto bit = static_cast<size_t>(std::countr_zero(wanted_[word]));
    *index = static_cast<uint32_t>(word * 64 + bit);
    return true;
  }
  return false;
}

bool QueueWalk::AdvanceSingles() {
  if (id_ != 0) return VisitById();
  uint32_t index = 0;
  if (!NextWanted(&index)) {
    NextStore();
    return true;
  }
  Unwant(index);
  cursor_ = index;
  uint32_t slot = index;
  store()->ForEach(&slot, 1, [this](Message* message) {
    if (message->home != nullptr) id_ = message->id;
  });
  return true;
}

void QueueWalk::NextStore() {
  ++store_;
  step_ = Step::kLook;
  looked_ = false;
  cursor_ = 0;
  wanted_.clear();
  wanted_in_.clear();
}

bool QueueWalk::VisitById() {
  Message* const message = store()->Find(id_);
  if (message == nullptr || message->home == nullptr) {  // finished meanwhile
    Leave();
    return true;
  }
  if (!Begin(message)) return true;
  if (step_ == Step::kLook) {
    VisitPart(message, nullptr);
    return true;
  }
  budget_ = Spend(budget_, kSingleUnits);
  if (const Window window = store()->Lease(message)) {
    Read(message, window.bytes());
    store()->Return(window);
    return true;
  }
  tries_ = 0;
  Fetch(message);
  return false;
}

// Looks again: what it was looked at for may be over.
bool QueueWalk::Begin(Message* message) {
  budget_ = Spend(budget_, kVisitUnits + message->pending / 4);
  switch (Look(message)) {
    case QueueWalker::Interest::kNone:
      Leave();
      return false;
    case QueueWalker::Interest::kTickets:
      return true;
    case QueueWalker::Interest::kMeta:
      if (step_ != Step::kLook) return true;
      Want(*message);
      Leave();
      return false;
  }
  return false;
}

QueueWalker::Interest QueueWalk::Look(Message* message) {
  const ShownTicket shown(home_, message);
  return walker_->Look(*message);
}

void QueueWalk::Unreadable(Message* message, const core::Status& why) {
  const ShownTicket shown(home_, message);
  walker_->OnUnreadable(message, from_, why);
}

void QueueWalk::Fetch(Message* message) {
  ++tries_;
  fetch_.message = message;
  fetch_.part = 0;
  store()->Fetch(&fetch_);
}

void QueueWalk::Leave() {
  id_ = 0;
  from_ = 0;
}

void QueueWalk::OnFetched(const core::Status& status, Window window) {
  Message* message = store()->Find(id_);
  const bool alive = message != nullptr && message->home != nullptr;
  if (alive && status.ok()) {
    Read(message, window.bytes());
  } else {
    const bool again = alive && status.code() != core::StatusCode::kDataLoss && !stopping_;
    if (again && tries_ < core::kSpoolReadTries) return Fetch(message);
    if (alive) Unreadable(message, status);
    Leave();
  }
  if (window) store()->Return(window);
}

void QueueWalk::Read(Message* message, std::span<const char> bytes) {
  const std::optional<MetaView> meta = MetaView::Parse(bytes);
  if (!meta.has_value()) {
    const core::Status why(core::StatusCode::kDataLoss, "its meta is damaged");
    Unreadable(message, why);
    return Leave();
  }
  Visit(message, *meta);
}

void QueueWalk::Visit(Message* message, const MetaView& meta) {
  recipients_.clear();
  const uint32_t end = from_ + kPartRecipients + core::kTicketRecipients - 1;
  GroupView group;
  for (bool more = meta.FirstGroup(&group); more && group.first() < end;
       more = meta.NextGroup(&group)) {
    if (group.first() + group.count() <= from_) continue;
    meta.ForEachRecipient(group, [&](uint32_t index, std::string_view address) {
      if (index >= from_ && index < end) recipients_.push_back({address, group.route()});
    });
  }
  VisitPart(message, &meta);
}

// The walker may end the message: where to go on is seen before.
void QueueWalk::VisitPart(Message* message, const MetaView* meta) {
  WalkPart part;
  part.from = from_;
  part.to = from_ + kPartRecipients;
  if (meta != nullptr) part.recipients = recipients_;
  bool more = false;
  for (const HomeTicket* ticket = FirstTicket(message); ticket != nullptr;
       ticket = ticket->sibling) {
    more = more || ticket->first >= part.to;
  }
  budget_ = Spend(budget_, std::min<uint32_t>(message->pending, kPartRecipients));
  if (walker_->acts()) budget_ = Spend(budget_, kActUnits);
  if (more) {
    from_ = part.to;
    budget_ = Spend(budget_, kUnitsPerTurn / 2);  // two parts of a large message a turn
  } else {
    Leave();
  }
  if (!walker_->acts()) {
    const ShownTicket shown(home_, message);
    walker_->Visit(message, meta, part);
    return;
  }
  const bool shelved = message->shelved();
  const uint64_t id = message->id;
  if (shelved) home_->TakeOffShelf(message);
  walker_->Visit(message, meta, part);
  if (shelved) home_->Settle(store(), id);
}

}  // namespace outbox::queue
