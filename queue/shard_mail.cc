#include "queue/shard_mail.h"

#include <bit>
#include <utility>

#include "core/check.h"
#include "core/limits.h"
#include "core/mailbox.h"
#include "io/io.h"

namespace outbox::queue {
namespace {

static_assert(sizeof(Mail) == 32);

// Rounds of Drain over our own queue: what is answered at once is handled in the same turn, what
// goes on and on leaves the loop its chance.
constexpr int kLocalRounds = 4;
// Mails of our own queue whose room is kept: more than a busy turn has, less than a recovery.
constexpr size_t kLocalKept = 4096;
// Results that are kept: about what is between the end of an attempt and home's look at it.
constexpr size_t kResultsKept = 256;

}  // namespace

// One of two sizes.
struct Exchange::Ring {
  std::unique_ptr<core::Mailbox<Mail, core::kMailboxCapacity>> full_size;
  std::unique_ptr<core::Mailbox<Mail, 2>> tiny;

  bool TryPush(const Mail& mail) {
    return full_size != nullptr ? full_size->TryPush(mail) : tiny->TryPush(mail);
  }
  template <typename Take>
  size_t Drain(Take&& take) {
    return full_size != nullptr ? full_size->Drain(take, core::kMailboxCapacity)
                                : tiny->Drain(take, 2);
  }
  bool empty() const { return full_size != nullptr ? full_size->empty() : tiny->empty(); }
};

Exchange::Exchange(uint32_t shards, bool tiny) : shards_(shards), live_hosts_(shards) {
  CHECK(shards > 0 && shards <= core::kMaxShards);
  for (uint32_t i = 0; i < shards * shards; ++i) {
    rings_.push_back(std::make_unique<Ring>());
    if (i % shards == i / shards) continue;  // nobody needs a ring to himself
    if (tiny) {
      rings_.back()->tiny = std::make_unique<core::Mailbox<Mail, 2>>();
    } else {
      rings_.back()->full_size = std::make_unique<core::Mailbox<Mail, core::kMailboxCapacity>>();
    }
  }
}

namespace {

// A notice belongs to its mail until it is read.
void DeleteNotice(const Mail& mail) {
  if (mail.kind == MailKind::kLane) delete static_cast<LaneNotice*>(mail.object);
  if (mail.kind == MailKind::kLift) delete static_cast<LiftNotice*>(mail.object);
}

}  // namespace

// Notices that were never read go with their rings.
Exchange::~Exchange() {
  for (uint32_t i = 0; i < rings_.size(); ++i) {
    if (i % shards_ == i / shards_) continue;
    rings_[i]->Drain([](const Mail& mail) { DeleteNotice(mail); });
  }
}

PostOffice::PostOffice(Exchange* exchange, uint8_t self)
    : exchange_(exchange), self_(self), overflow_(exchange->shards()) {
  CHECK(self < exchange->shards());
}

PostOffice::~PostOffice() {
  for (const Mail& mail : local_) DeleteNotice(mail);
  for (const std::deque<Mail>& queue : overflow_) {
    for (const Mail& mail : queue) DeleteNotice(mail);
  }
}

void PostOffice::SetHandlers(HomeMail* home, OwnerMail* owner, ControlMail* control) {
  home_ = home;
  owner_ = owner;
  control_ = control;
}

void PostOffice::SetIos(std::vector<io::Io*> ios) {
  CHECK(ios.size() == exchange_->shards());
  ios_ = std::move(ios);
}

void PostOffice::Offer(uint8_t to, Ticket* ticket) {
  CHECK(!ticket->recall_pending && !ticket->return_waits);
  ticket->holder = to;
  ticket->recalled = false;
  Post(to, MailKind::kOffer, ticket);
}

void PostOffice::Recall(Ticket* ticket) {
  CHECK(!ticket->recall_pending);
  ticket->recall_pending = true;
  Post(ticket->holder, MailKind::kRecall, ticket);
}

void PostOffice::Fetched(Ticket* ticket, uint32_t part, const Window& window) {
  Post(ticket->holder, MailKind::kFetched, ticket, part, window);
}

void PostOffice::Return(Ticket* ticket) {
  CHECK(ticket->held && !ticket->fetching && !ticket->window);
  CHECK(!ticket->link.linked() && !ticket->fresh_link.linked());
  ticket->held = false;
  ticket->place = nullptr;
  Post(ticket->home, MailKind::kReturn, ticket);
}

void PostOffice::Fetch(Ticket* ticket, uint32_t part, const Extent* extent) {
  CHECK(!ticket->fetching && (part == 0) == (extent == nullptr));
  ticket->fetching = true;
  ++fetches_;
  Window place;  // not a window: the mail has room for a second pointer there
  place.data = reinterpret_cast<const char*>(extent);
  Post(ticket->home, MailKind::kFetch, ticket, part, place);
}

void PostOffice::Release(Ticket* ticket, const Window& window) {
  Post(ticket->home, MailKind::kRelease, ticket, 0, window);
}

void PostOffice::Started(Ticket* ticket) { Post(ticket->home, MailKind::kStarted, ticket); }

void PostOffice::Progress(Ticket* ticket, uint64_t delivered) {
  Window mask;
  mask.size = static_cast<uint32_t>(delivered);
  mask.buffer = static_cast<uint32_t>(delivered >> 32);
  Post(ticket->home, MailKind::kProgress, ticket, 0, mask);
}

void PostOffice::Lane(const std::string& key, uint64_t hash, bool open) {
  for (uint32_t to = 0; to < shards(); ++to) {
    LaneNotice* notice = new LaneNotice{key, hash, open};  // the reader deletes it
    Post(static_cast<uint8_t>(to), MailKind::kLane, notice);
  }
}

void PostOffice::Lift(const std::string& key, uint64_t hash, bool ask_again) {
  for (uint32_t to = 0; to < shards(); ++to) {
    LiftNotice* notice = new LiftNotice{key, hash, ask_again};  // the reader deletes it
    Post(static_cast<uint8_t>(to), MailKind::kLift, notice);
  }
}

void PostOffice::SlotGrant(uint8_t to, uint32_t site, bool slot) {
  Post(to, slot ? MailKind::kSlotGrant : MailKind::kSiteNews, nullptr, site);
}

void PostOffice::SlotWanted(uint8_t to, uint32_t site) {
  Post(to, MailKind::kSlotWanted, nullptr, site);
}

void PostOffice::Command(uint8_t to, void* command) { Post(to, MailKind::kCommand, command); }

void PostOffice::Reply(uint8_t to, void* reply) { Post(to, MailKind::kReply, reply); }

void PostOffice::Post(uint8_t to, MailKind kind, void* object, uint32_t number,
                      const Window& window) {
  const Mail mail{object, window, number, kind, self_};
  if (to == self_) {
    local_.push_back(mail);
    return;
  }
  ++counters_.posted;
  std::deque<Mail>& overflow = overflow_[to];
  if (overflow.empty() && exchange_->ring(self_, to)->TryPush(mail)) {
    written_ |= uint64_t{1} << to;
    return;
  }
  ++counters_.full;
  ++waiting_;
  overflow.push_back(mail);
}

std::unique_ptr<TicketResult> PostOffice::TakeResult() {
  if (results_.empty()) return std::make_unique<TicketResult>();
  std::unique_ptr<TicketResult> result = std::move(results_.back());
  results_.pop_back();
  return result;
}

void PostOffice::GiveResult(std::unique_ptr<TicketResult> result) {
  if (results_.size() >= kResultsKept) return;
  result->reason = ReturnReason::kAttempted;
  result->unreachable = false;
  result->delivered = 0;
  result->failed.clear();
  result->mailhost.clear();
  result->confirm.clear();
  results_.push_back(std::move(result));
}

size_t PostOffice::Drain() {
  size_t count = 0;
  for (uint32_t from = 0; from < shards(); ++from) {
    if (from == self_) continue;
    count += exchange_->ring(from, self_)->Drain([this](const Mail& mail) { Handle(mail); });
  }
  for (int round = 0; round < kLocalRounds && !local_.empty(); ++round) {
    draining_.swap(local_);
    for (const Mail& mail : draining_) Handle(mail);
    count += draining_.size();
    draining_.clear();
    if (draining_.capacity() > kLocalKept) std::vector<Mail>().swap(draining_);
  }
  counters_.drained += count;
  return count;
}

void PostOffice::Flush() {
  for (uint32_t to = 0; waiting_ > 0 && to < shards(); ++to) {
    std::deque<Mail>& overflow = overflow_[to];
    while (!overflow.empty() && exchange_->ring(self_, to)->TryPush(overflow.front())) {
      overflow.pop_front();
      --waiting_;
      written_ |= uint64_t{1} << to;
    }
  }
  while (written_ != 0) {
    const int to = std::countr_zero(written_);
    written_ &= written_ - 1;
    if (ios_.empty()) continue;
    ios_[self_]->Wake(ios_[static_cast<size_t>(to)]);
    ++counters_.wakes;
  }
}

bool PostOffice::HasMail() const {
  if (!local_.empty()) return true;
  for (uint32_t from = 0; from < shards(); ++from) {
    if (from != self_ && !exchange_->ring(from, self_)->empty()) return true;
  }
  return false;
}

void PostOffice::Handle(const Mail& mail) {
  Ticket* ticket = static_cast<Ticket*>(mail.object);
  switch (mail.kind) {
    case MailKind::kOffer:
      CHECK(!ticket->held);
      ticket->held = true;
      owner_->OnOffer(ticket);
      return;
    case MailKind::kReturn:
      HandleReturn(ticket);
      return;
    case MailKind::kRecall:
      HandleRecall(mail);
      return;
    case MailKind::kRecallMissed:
      HandleRecallMissed(ticket);
      return;
    case MailKind::kFetch:
      home_->OnFetch(ticket, mail.number, reinterpret_cast<const Extent*>(mail.window.data));
      return;
    case MailKind::kFetched:
      CHECK(ticket->fetching);
      ticket->fetching = false;
      --fetches_;
      owner_->OnFetched(ticket, mail.number, mail.window);
      return;
    case MailKind::kRelease:
      home_->OnRelease(ticket, mail.window);
      return;
    case MailKind::kStarted:
      home_->OnStarted(static_cast<Ticket*>(mail.object));
      return;
    case MailKind::kProgress:
      home_->OnProgress(ticket, uint64_t{mail.window.buffer} << 32 | mail.window.size);
      return;
    case MailKind::kLane: {
      const std::unique_ptr<LaneNotice> notice(static_cast<LaneNotice*>(mail.object));
      home_->OnLane(*notice);
      return;
    }
    case MailKind::kLift: {
      const std::unique_ptr<LiftNotice> notice(static_cast<LiftNotice*>(mail.object));
      owner_->OnLift(*notice);
      return;
    }
    case MailKind::kSlotGrant:
      owner_->OnSlotGrant(mail.number, true);
      return;
    case MailKind::kSiteNews:
      owner_->OnSlotGrant(mail.number, false);
      return;
    case MailKind::kSlotWanted:
      owner_->OnSlotWanted(mail.number);
      return;
    case MailKind::kCommand:
      control_->OnCommand(mail.from, mail.object);
      return;
    case MailKind::kReply:
      control_->OnReply(mail.from, mail.object);
      return;
  }
}

void PostOffice::HandleReturn(Ticket* ticket) {
  if (ticket->recall_pending && !ticket->recalled) {
    ticket->return_waits = true;  // the recall is still under way: kRecallMissed will follow
    return;
  }
  Deliver(ticket);
}

// The owner alone writes `held`, and home keeps the ticket until this is answered: so it can be
// read here whether or not the ticket is ours.
void PostOffice::HandleRecall(const Mail& mail) {
  Ticket* ticket = static_cast<Ticket*>(mail.object);
  if (!ticket->held) {
    Post(mail.from, MailKind::kRecallMissed, ticket);
    return;
  }
  ticket->recalled = true;
  owner_->OnRecall(ticket);
}

void PostOffice::HandleRecallMissed(Ticket* ticket) {
  CHECK(ticket->return_waits);  // the return was posted first
  Deliver(ticket);
}

void PostOffice::Deliver(Ticket* ticket) {
  ticket->recall_pending = false;
  ticket->return_waits = false;
  home_->OnReturn(ticket);
}

}  // namespace outbox::queue
