#include "queue/notifier.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "core/limits.h"
#include "core/timer.h"
#include "dkim/header_section.h"
#include "queue/ascii_envelope.h"
#include "queue/destination_key.h"
#include "queue/directory.h"
#include "queue/retry_policy.h"
#include "queue/router.h"
#include "queue/shard_log.h"
#include "queue/signing_line.h"
#include "queue/verp.h"

namespace outbox::queue {
namespace {

// Notices being composed or committed; each holds a window and a DSN in memory. Others wait.
constexpr uint32_t kNoticesActiveMax = 64;
// After a commit or a read that failed.
constexpr int64_t kRetryNs = core::kNsPerSecond;
// Tries to read the original, a second apart, before it counts as lost.
constexpr uint32_t kReadsMax = 10;

smtp::NotifyBits WhatIsTold(DsnAction action) {
  switch (action) {
    case DsnAction::kFailed:
      return smtp::kNotifyFailure;
    case DsnAction::kDelayed:
      return smtp::kNotifyDelay;
    case DsnAction::kSucceeded:
      break;
  }
  return smtp::kNotifySuccess;
}

// A notice that fits no record leaves out the original, then its header and what was said, and is
// given up then.
constexpr uint32_t kShorterMax = 2;

// Dots that stand before another one at the beginning of a line of the wire form.
uint32_t StuffedDots(std::string_view body) {
  uint32_t dots = body.starts_with("..") ? 1 : 0;
  for (size_t at = body.find("\n.."); at != std::string_view::npos;
       at = body.find("\n..", at + 1)) {
    ++dots;
  }
  return dots;
}

// With VERP a failure is reported to the address that says whose it is.
bool Alone(const HomeTicket& ticket, DsnAction action) {
  return action == DsnAction::kFailed && !VerpOf(ticket.destination->key).empty();
}

}  // namespace

struct Notifier::Notice {
  enum class Step : uint8_t { kGathering, kFetching, kSigning, kCommitting, kPausing };

  Notifier* notifier = nullptr;
  Message* message = nullptr;  // gone once a commit that ends it has succeeded
  uint64_t id = 0;             // the message's
  Store* store = nullptr;
  DsnAction action = DsnAction::kFailed;
  Step step = Step::kGathering;
  bool ends_message = false;
  bool told = false;       // with a DSN
  bool eight_bit = false;  // the DSN
  uint32_t recipients = 0;
  uint32_t reads = 0;    // of the original that failed
  uint32_t shorter = 0;  // times that it was too large for a record
  uint64_t dsn_id = 0;   // the same in every try, so that no two records could both count
  core::IntrusiveList<HomeTicket, &HomeTicket::notice_link> tickets;
  std::unique_ptr<Notice> behind;  // the message's next notice
  Window window;                   // of the original
  std::string record;              // its meta, when its body lies apart; and then the beginning
  std::string beginning;           // of that, as far as it is quoted
  FetchOp fetch;
  CommitOp commit;
  CommitOp::State state;
  CommitOp::NewMessage dsn;
  Message* done = nullptr;
  StateBuilder builder;
  MetaBuilder meta;
  std::string body;
  std::string prefix;  // its signature
  std::string to;      // whom it is for
  std::unique_ptr<SigningJob> signing;
  iovec body_part = {};
  core::Timer timer;

  void OnFetched(const core::Status& status, Window fetched) {
    notifier->OnFetched(this, status, fetched);
  }
  void OnSigned() {
    prefix = signing->fields;
    notifier->Commit(this, /*told=*/true);
  }
  void OnCommitted(const core::Status& status) { notifier->OnCommitted(this, status); }
  void OnTimer() { notifier->ready_.push_back(this); }
};

Notifier::Notifier(io::Io* io, core::TimerWheel* wheel, StateWriter* states, NoticeOwner* owner,
                   ShardLog* log, SigningLine* signing, std::string hostname)
    : io_(io),
      wheel_(wheel),
      states_(states),
      owner_(owner),
      log_(log),
      signing_(signing),
      hostname_(std::move(hostname)) {}

Notifier::~Notifier() { CHECK(idle()); }

void Notifier::Add(HomeTicket* ticket, DsnAction action) {
  CHECK(!closing_ && ticket->where != TicketPlace::kOut);
  CHECK(ticket->timer == core::TimerWheel::kNone);
  ticket->where = TicketPlace::kNotice;
  Notice* notice = nullptr;
  const auto found = notices_.find(ticket->message);
  std::unique_ptr<Notice>* end = nullptr;
  if (found != notices_.end()) {
    // The first one in line that still gathers and says the same.
    for (Notice* one = found->second; one != nullptr && notice == nullptr;
         one = one->behind.get()) {
      if (one->step == Notice::Step::kGathering && one->action == action &&
          one->recipients + ticket->recipients() <= core::kNoticeRecipients &&
          !Alone(*ticket, action) && !Alone(*one->tickets.front(), action)) {
        notice = one;
      }
      end = &one->behind;
    }
  }
  if (notice == nullptr) {
    auto made = std::make_unique<Notice>();
    notice = made.get();
    notice->notifier = this;
    notice->message = ticket->message;
    notice->id = ticket->message_id;
    notice->store = ticket->store;
    notice->action = action;
    notice->fetch.Bind<&Notice::OnFetched>(notice);
    notice->commit.Bind<&Notice::OnCommitted>(notice);
    notice->timer.Bind<&Notice::OnTimer>(notice);
    if (end != nullptr) {
      *end = std::move(made);
    } else {
      notices_.emplace(ticket->message, made.release());
      ready_.push_back(notice);
    }
  }
  notice->tickets.PushBack(ticket);
  notice->recipients += static_cast<uint32_t>(ticket->recipients());
}

void Notifier::Tick() {
  if (closing_) return;
  for (size_t left = ready_.size(); left > 0 && active_ < kNoticesActiveMax; --left) {
    Notice* const notice = ready_.front();
    ready_.pop_front();
    ++active_;
    Start(notice);
  }
}

void Notifier::Start(Notice* notice) {
  notice->step = Notice::Step::kFetching;
  notice->window = notice->store->Lease(notice->message);
  if (notice->window) {
    ComposeAndSign(notice);
    return;
  }
  Fetch(notice, 0);
}

void Notifier::Fetch(Notice* notice, uint32_t part) {
  notice->fetch.message = notice->message;
  notice->fetch.part = part;
  notice->store->Fetch(&notice->fetch);
}

// Of a body that lies apart the beginning is read as well, for the header in it.
bool Notifier::FetchBeginning(Notice* notice) {
  if (!notice->window || !notice->record.empty()) return false;
  const std::optional<MetaView> meta = MetaView::Parse(notice->window.bytes());
  if (!meta.has_value() || meta->extent_count() == 0) return false;
  notice->record.assign(meta->bytes().data(), meta->bytes().size());
  notice->fetch.extent = meta->extent(0);
  notice->store->Return(std::exchange(notice->window, Window()));
  Fetch(notice, 1);
  return true;
}

std::optional<MetaView> Notifier::MetaOf(const Notice& notice) {
  if (!notice.record.empty()) return MetaView::Parse(notice.record);
  return notice.window ? MetaView::Parse(notice.window.bytes()) : std::nullopt;
}

void Notifier::OnFetched(Notice* notice, const core::Status& status, Window window) {
  notice->window = window;
  if (!status.ok()) {
    const bool give_up =
        status.code() == core::StatusCode::kDataLoss || ++notice->reads >= kReadsMax;
    if (!give_up) {
      Retry(notice);
      return;
    }
    log_->Damage("message " + FormatMessageId(notice->id) +
                 (notice->record.empty() ? " cannot be read, its sender cannot be told: "
                                         : " cannot be read, its sender is told without: ") +
                 status.ToString());
  }
  if (!notice->record.empty() && notice->window) {
    notice->beginning.assign(window.data, std::min<size_t>(window.size, kDsnHeaderBytesMax));
    notice->store->Return(std::exchange(notice->window, Window()));
  }
  ComposeAndSign(notice);
}

void Notifier::ComposeAndSign(Notice* notice) {
  if (FetchBeginning(notice)) return;
  notice->step = Notice::Step::kSigning;
  const std::optional<MetaView> meta = MetaOf(*notice);
  // A record that cannot be read any more has no sender that could be told: it is ended without.
  const bool fits = notice->shorter <= kShorterMax;
  if (!fits) log_->Damage("message " + FormatMessageId(notice->id) + ": its notice fits no record");
  const bool told = meta.has_value() && fits && Compose(notice, *meta);
  if (!told || !Sign(notice)) Commit(notice, told);
}

// A notice of ours is signed like any other mail, if there is an entry for its author: this host.
bool Notifier::Sign(Notice* notice) {
  notice->prefix.clear();
  if (signing_ == nullptr || signing_->table() == nullptr) return false;
  const char* why_not = nullptr;
  size_t header = 0;
  if (!dkim::FindHeaderEnd(notice->body, &header)) return false;
  const std::string_view body = notice->body;
  auto job = std::make_unique<SigningJob>();
  job->signer = signing_->Choose(signing_->table(), body.substr(0, header), "", &why_not);
  if (job->signer == nullptr) return false;
  job->Bind<&Notice::OnSigned>(notice);
  job->body = dkim::BodyBehind(body, header);
  job->id = notice->dsn_id;
  notice->signing = std::move(job);
  if (!signing_->Sign(notice->signing.get())) return true;
  notice->prefix = notice->signing->fields;
  return false;
}

void Notifier::Commit(Notice* notice, bool told) {
  // It is on its way to another envelope, in part: after that.
  if (StateWriter::IsLocked(*notice->message)) return Retry(notice);
  notice->step = Notice::Step::kCommitting;
  notice->told = told;
  CommitOp* commit = &notice->commit;
  commit->messages = {};
  if (told) {
    BuildMeta(notice, notice->dsn_id);
    commit->messages = {&notice->dsn, 1};
  }
  for (HomeTicket* ticket = notice->tickets.front(); ticket != nullptr;
       ticket = notice->tickets.Next(ticket)) {
    ticket->ending = notice->action != DsnAction::kDelayed;
    if (notice->action == DsnAction::kDelayed) ticket->notified = true;
  }
  const std::span<const char> state =
      BuildState(notice->message, io_->now_ns(), io_->wall_ns(), &notice->builder);
  notice->ends_message = state.empty();
  commit->states = {};
  commit->done = {};
  states_->Lock(notice->message);
  states_->Unmark(notice->message);
  if (notice->ends_message) {
    notice->done = notice->message;
    commit->done = {&notice->done, 1};
  } else {
    notice->state = {notice->message, state};
    commit->states = {&notice->state, 1};
  }
  commit->lazy = false;
  notice->store->Commit(commit);
}

bool Notifier::Compose(Notice* notice, const MetaView& meta) {
  if (meta.reverse_path().empty()) return false;
  std::vector<DsnRecipient> recipients;
  int64_t retry_until_ns = 0;
  for (HomeTicket* ticket = notice->tickets.front(); ticket != nullptr;
       ticket = notice->tickets.Next(ticket)) {
    const int64_t late_ns = ticket->periods_begin_ns() - ticket->accepted_ns;
    retry_until_ns = std::max(retry_until_ns, AddTime(late_ns, ticket->periods->retry_until_ns));
    for (uint64_t mask = ticket->mask; mask != 0; mask &= mask - 1) {
      const uint32_t index = ticket->first + static_cast<uint32_t>(std::countr_zero(mask));
      if (index >= meta.recipient_count()) continue;
      const smtp::RecipientDsn dsn = meta.dsn().Of(index);
      if (!smtp::Wants(dsn.notify, WhatIsTold(notice->action))) continue;
      DsnRecipient recipient;
      recipient.address = meta.Recipient(index);
      if (notice->shorter < 2) recipient.orcpt = dsn.orcpt;
      recipient.relayed = !IsLastHop(ticket->destination->key);
      recipient.expired = ticket->expired;
      if (ticket->reply != nullptr) {
        recipient.code = ticket->reply->code();
        recipient.enhanced = ticket->reply->enhanced();
        if (notice->shorter < 2) recipient.text = ticket->reply->text();
        recipient.mailhost = ticket->reply->mailhost();
      }
      recipients.push_back(recipient);
    }
  }
  if (recipients.empty()) return false;
  if (notice->dsn_id == 0) notice->dsn_id = notice->store->NewId();
  const uint64_t dsn_id = notice->dsn_id;
  const std::string id = FormatMessageId(notice->message->id);
  const std::string dsn_name = FormatMessageId(dsn_id);
  DsnFacts facts;
  facts.action = notice->action;
  facts.reporting_mta = hostname_;
  notice->to = meta.reverse_path();
  if (const HomeTicket& first = *notice->tickets.front(); Alone(first, notice->action)) {
    std::string verp;
    const std::string_view separators = VerpOf(first.destination->key);
    if (MakeVerp(notice->to, recipients.front().address, separators, &verp) == nullptr) {
      notice->to = std::move(verp);
    }
  }
  facts.return_path = notice->to;
  facts.message_id = id;
  facts.dsn_id = dsn_name;
  facts.arrival_wall_ns = meta.accepted_wall_ns();
  facts.now_wall_ns = io_->wall_ns();
  facts.retry_until_wall_ns = AddTime(meta.accepted_wall_ns(), retry_until_ns);
  facts.recipients = recipients;
  facts.envid = meta.dsn().envid();
  facts.wants_full =
      notice->action == DsnAction::kFailed && meta.dsn().ret() == smtp::DsnReturn::kFull;
  facts.full = facts.wants_full && meta.extent_count() == 0 &&
               meta.body_bytes() <= return_full_max_ && notice->shorter == 0;
  facts.eight_bit = meta.eight_bit();
  facts.utf8_header = meta.utf8_header();
  notice->eight_bit = facts.full && facts.eight_bit;
  facts.original_prefix = meta.prefix();
  facts.original_body = meta.extent_count() > 0
                            ? std::string_view(notice->beginning)
                            : std::string_view(meta.body().data(), meta.body().size());
  if (notice->shorter > 1) facts.original_prefix = facts.original_body = {};
  notice->body.clear();
  ComposeDsn(facts, &notice->body);
  return true;
}

void Notifier::BuildMeta(Notice* notice, uint64_t dsn_id) {
  const std::string_view recipient = notice->to;
  RouteFacts facts;
  header_.Clear();
  if (router_->needs_header()) header_.Read(notice->body);
  facts.header = &header_;
  facts.size = notice->body.size();
  facts.draw = DrawOf(dsn_id);
  const RouteChoice choice = router_->Route(recipient, facts);
  uint8_t flags = kFlagGenerated | kFlagNullSender;
  if (notice->eight_bit) flags |= kFlagEightBit;
  // Its To is the recipient's address.
  if (!HasAsciiForm(recipient)) flags |= kFlagUtf8Header | kFlagEightBit;
  notice->meta.Start(dsn_id, io_->wall_ns(), flags, "", "");
  const auto add = [notice](const RouteChoice& one) {
    notice->meta.AddGroup(one.destination, one.route, one.retry_s, one.periods);
    notice->meta.AddRecipient(one.recipient);
  };
  const std::string_view archive = router_->ArchiveOfNotice(choice.index);
  if (archive.empty()) {
    add(choice);
  } else {  // in the order of their keys
    const RouteChoice copy = router_->RouteArchive(archive);
    const bool first = copy.destination < choice.destination;
    add(first ? copy : choice);
    add(first ? choice : copy);
  }
  notice->meta.SetPrefix(notice->prefix);
  notice->meta.SetBody(notice->body.size(), StuffedDots(notice->body));
  notice->body_part = {notice->body.data(), notice->body.size()};
  notice->dsn.meta = notice->meta.Finish();
  notice->dsn.body = {&notice->body_part, 1};
  notice->dsn.message = nullptr;
}

void Notifier::OnCommitted(Notice* notice, const core::Status& status) {
  // After a success that ended it the message is gone.
  const bool gone = status.ok() && notice->ends_message;
  if (gone) {
    states_->Ended(notice->id);
  } else {
    states_->Unlock(notice->message);
  }
  if (!status.ok()) {
    for (HomeTicket* ticket = notice->tickets.front(); ticket != nullptr;
         ticket = notice->tickets.Next(ticket)) {
      ticket->ending = false;
      if (notice->action == DsnAction::kDelayed) ticket->notified = false;
    }
    states_->Mark(notice->store, notice->message);
    // It is too large, and will be the next time: with less in it.
    if (status.code() == core::StatusCode::kInvalidArgument) ++notice->shorter;
    Retry(notice);
    return;
  }
  if (!notice->commit.messages.empty()) {
    CHECK(notice->dsn.message != nullptr);
    const std::optional<MetaView> meta = MetaView::Parse(notice->dsn.meta);
    CHECK(meta.has_value());
    owner_->OnNoticeMessage(notice->store, notice->dsn.message, *meta, notice->id);
  }
  End(notice);
}

void Notifier::Retry(Notice* notice) {
  notice->step = Notice::Step::kPausing;
  if (notice->window) notice->store->Return(std::exchange(notice->window, Window()));
  --active_;
  if (closing_) {
    Drop(notice);
    return;
  }
  // On a full disk all of a large queue may come to wait here: only those that are active have
  // their text in memory.
  notice->body = std::string();
  notice->record.clear();
  notice->beginning = std::string();
  notice->meta = MetaBuilder();
  notice->commit.messages = {};
  CHECK(notice->timer.Set(wheel_, io_->now_ns() + kRetryNs));
}

// The tickets go back to home one by one; the message may be finished by the last one.
void Notifier::End(Notice* notice) {
  --active_;
  const auto found = notices_.find(notice->message);
  CHECK(found != notices_.end() && found->second == notice);
  std::unique_ptr<Notice> ended(notice);
  const std::optional<MetaView> meta = MetaOf(*notice);
  if (notice->behind != nullptr) {
    found->second = notice->behind.release();
    if (closing_) {
      Drop(found->second);
    } else {
      ready_.push_back(found->second);
    }
  } else {
    notices_.erase(found);
  }
  while (HomeTicket* ticket = notice->tickets.PopFront()) {
    owner_->OnNoticeCommitted(ticket, notice->action, notice->ends_message, notice->told,
                              meta.has_value() ? &*meta : nullptr);
  }
  if (notice->window) notice->store->Return(std::exchange(notice->window, Window()));
  if (notice->ends_message) owner_->OnNoticeEndedMessage(notice->id);
}

void Notifier::Drop(Notice* notice) {
  CHECK(notices_.erase(notice->message) == 1);
  std::unique_ptr<Notice> dropped(notice);
  for (Notice* one = notice; one != nullptr; one = one->behind.get()) {
    while (HomeTicket* ticket = one->tickets.PopFront()) ticket->where = TicketPlace::kWaiting;
  }
}

void Notifier::Close() {
  closing_ = true;
  std::deque<Notice*> inactive;
  inactive.swap(ready_);
  for (auto& [message, notice] : notices_) {
    if (notice->step != Notice::Step::kPausing) continue;
    if (!notice->timer.set()) continue;  // it is in ready_
    notice->timer.Cancel();
    inactive.push_back(notice);
  }
  for (Notice* notice : inactive) Drop(notice);
}

}  // namespace outbox::queue
