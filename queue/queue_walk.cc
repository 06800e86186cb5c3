#include "queue/queue_walk.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/check.h"
#include "core/limits.h"
#include "queue/home.h"

namespace outbox::queue {
namespace {

// Slots looked at in one turn, and recipients looked at or visited: some tens of microseconds. A
// message counts as so many recipients at least.
constexpr uint32_t kSlotsPerTurn = 256;
constexpr uint32_t kRecipientsPerTurn = 1024;
constexpr uint32_t kMessageCost = 32;
// Slots that are looked at between two looks at the budget.
constexpr uint32_t kSlotsAtOnce = 4;
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

QueueWalk::QueueWalk(Home* home, std::vector<Store*> stores, QueueWalker* walker, uint64_t id)
    : home_(home), stores_(std::move(stores)), walker_(walker), id_(id) {
  fetch_.Bind<&QueueWalk::OnFetched>(this);
}

QueueWalk::~QueueWalk() { CHECK(done_ && !fetch_.in_flight); }

void QueueWalk::Tick() {
  if (!wants_turn()) return;
  if (stopping_) {
    done_ = true;
    return;
  }
  budget_ = kRecipientsPerTurn;
  if (next_in_page_ == page_.size() && !NextPage()) {
    done_ = true;
    return;
  }
  while (budget_ > 0 && next_in_page_ < page_.size() && !walker_->full() && VisitNext()) {
  }
}

bool QueueWalk::NextPage() {
  page_.clear();
  next_in_page_ = 0;
  if (store_ == stores_.size()) return false;
  page_store_ = stores_[store_];
  if (id_ != 0) {
    ++store_;
    page_.push_back(id_);
    return true;
  }
  bool more = true;
  for (uint32_t slots = 0; more && slots < kSlotsPerTurn && budget_ > 0; slots += kSlotsAtOnce) {
    more = page_store_->ForEach(&cursor_, kSlotsAtOnce, [this](Message* message) {
      if (message->home == nullptr) return;
      budget_ = Spend(budget_, message->pending);
      if (Look(message) == QueueWalker::Interest::kNone) return;
      page_.push_back(message->id);
    });
  }
  if (!more) {
    ++store_;
    cursor_ = 0;
  }
  return true;
}

bool QueueWalk::VisitNext() {
  const uint64_t id = page_[next_in_page_];
  Message* message = page_store_->Find(id);
  if (message == nullptr || message->home == nullptr) {  // finished meanwhile
    Skip();
    return true;
  }
  budget_ = Spend(budget_, kMessageCost + message->pending / 4);
  const QueueWalker::Interest interest = Look(message);
  if (interest == QueueWalker::Interest::kNone) {
    Skip();
    return true;
  }
  if (interest == QueueWalker::Interest::kTickets) {
    Visit(message, nullptr);
    return true;
  }
  if (const Window window = page_store_->Lease(message)) {
    Read(message, window);
    page_store_->Return(window);
    return true;
  }
  fetching_ = id;
  tries_ = 0;
  Fetch(message);
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
  page_store_->Fetch(&fetch_);
}

void QueueWalk::Skip() {
  ++next_in_page_;
  from_ = 0;
}

void QueueWalk::OnFetched(const core::Status& status, Window window) {
  Message* message = page_store_->Find(fetching_);
  const bool alive = message != nullptr && message->home != nullptr;
  if (alive && status.ok()) {
    Read(message, window);
  } else {
    const bool again = alive && status.code() != core::StatusCode::kDataLoss && !stopping_;
    if (again && tries_ < core::kSpoolReadTries) return Fetch(message);
    if (alive) Unreadable(message, status);
    Skip();
  }
  if (window) page_store_->Return(window);
}

void QueueWalk::Read(Message* message, const Window& window) {
  const std::optional<MetaView> meta = MetaView::Parse(window.bytes());
  if (!meta.has_value()) {
    const core::Status why(core::StatusCode::kDataLoss, "its meta is damaged");
    Unreadable(message, why);
    return Skip();
  }
  recipients_.clear();
  const uint32_t end = from_ + kPartRecipients + core::kTicketRecipients - 1;
  GroupView group;
  for (bool more = meta->FirstGroup(&group); more && group.first() < end;
       more = meta->NextGroup(&group)) {
    if (group.first() + group.count() <= from_) continue;
    meta->ForEachRecipient(group, [&](uint32_t index, std::string_view address) {
      if (index >= from_ && index < end) recipients_.push_back({address, group.route()});
    });
  }
  Visit(message, &*meta);
}

// The walker may end the message: where to go on is seen before.
void QueueWalk::Visit(Message* message, const MetaView* meta) {
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
  if (more) {
    from_ = part.to;
  } else {
    Skip();
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
  if (shelved) home_->Settle(page_store_, id);
}

}  // namespace outbox::queue
