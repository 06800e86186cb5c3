#include "queue/attempt.h"

#include <algorithm>
#include <bit>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "core/check.h"
#include "core/idna.h"
#include "core/utf8.h"
#include "queue/attempt_log.h"
#include "queue/delivery_link.h"
#include "queue/destination_key.h"
#include "queue/directory.h"
#include "queue/shard_mail.h"
#include "queue/verp.h"

namespace outbox::queue {
namespace {

// Looks after which a send that goes on is one that stalls: some two seconds.
constexpr uint32_t kStalledLooks = 8;

}  // namespace

Attempt::Attempt(Ticket* t, PostOffice* post, AttemptLog* log, int64_t now_ns)
    : ticket(t), started_ns(now_ns), post_(post), log_(log), undecided_(t->mask) {
  part0_ = ticket->window;
  ticket->window = {};
  ticket->place = this;
  EnterState(ticket, RecipientState::kSending);
  if (ticket->result == nullptr) ticket->result = post_->TakeResult();
  ticket->result->unreachable = false;
  ticket->result->delivered = 0;
  ticket->result->failed.clear();
  ticket->result->mailhost.clear();
  ticket->result->confirm.clear();
}

Attempt::~Attempt() { CHECK(lent_ == 0 && !part0_ && !ahead_); }

// What home lends comes from a disk: it is checked here, and a message that cannot be read is
// deferred, so that an operator has time to look.
bool Attempt::Readable() {
  if (broken_) return false;
  if (mail_.known()) return true;
  if (!part0_) {
    if (!ticket->fetching) FetchPart(0);
    return false;
  }
  ReadMail();
  return !broken_;
}

void Attempt::ReadMail() {
  broken_ = !mail_.Take(*ticket, part0_.bytes());
  // The body comes in windows of its own.
  if (!broken_ && mail_.extent_count() > 0) GiveUpLease();
}

void Attempt::FetchPart(uint32_t part) {
  if (part > 0) wanted_ = mail_.extent(part - 1);
  post_->Fetch(ticket, part, part > 0 ? &wanted_ : nullptr);
}

void Attempt::GiveUpLease() {
  for (Window* window : {&part0_, &ahead_}) {
    if (*window) post_->Release(ticket, *window);
    *window = {};
  }
}

// What the peer has asked for stays: it is about to be sent.
bool Attempt::OnPatience() {
  if (++waited_ < 2) return false;
  if (!asked_) {
    GiveUpLease();
  } else if (lent_ > 0 && ahead_) {
    slow_ = true;
    GiveUpLease();
  }
  return lent_ > 0 && waited_ >= kStalledLooks;
}

void Attempt::OnFetched(uint32_t part, const Window& window) {
  if (!window) {
    broken_ = true;
    return;
  }
  if (part == 0 && (!mail_.known() || (!finished_ && in_transaction && next_part_ == 0))) {
    CHECK(!part0_);
    part0_ = window;
    if (!mail_.known()) ReadMail();  // at once: the window may be given up before it is needed
    return;
  }
  if (finished_ || !in_transaction || part != next_part_ || ahead_) {
    post_->Release(ticket, window);  // for a host that has gone meanwhile
    return;
  }
  ahead_ = window;
  ahead_part_ = part;
}

void Attempt::BeginTransaction(smtp::DeliveryRequest* request) {
  CHECK(mail_.known() && !in_transaction && undecided_ != 0);
  in_transaction = began_ = true;
  replied = false;
  lost_early = false;
  window_wanted_ = false;
  waited_ = 0;
  asked_ = slow_ = false;
  const uint64_t due = again_ != 0 ? again_ : undecided_;
  again_ = 0;
  recipients_.clear();
  bits_.clear();
  mail_.ForEachRecipient([&](uint8_t bit, std::string_view to) {
    if ((due >> bit & 1) == 0) return;
    recipients_.push_back(to);
    bits_.push_back(bit);
  });
  next_part_ = mail_.extent_count() > 0 ? 1 : 0;
  Address(&request->envelope);
  request->envelope.size = mail_.smtp_size();
  request->envelope.eight_bit = mail_.eight_bit();
  request->envelope.by_data = by_data_;
  request->envelope.dsn = mail_.dsn() == nullptr ? nullptr : mail_.dsn()->Begin(bits_);
  if (seven_bit_ != nullptr) {
    EndConversion();
    seven_bit_ = std::make_unique<SevenBitBody>();
    request->envelope.eight_bit = false;
    request->envelope.size = 0;  // what it will be is not known
  }
  request->prefix = mail_.prefix();
  request->stuffed_dots = mail_.stuffed_dots();
  request->cookie = reinterpret_cast<uintptr_t>(this);
  request->message_id = ticket->message_id;
  request->accepted_wall_ns = mail_.accepted_wall_ns();
  request->may_repeat = ticket->may_repeat;
}

// With VERP a ticket has one recipient.
std::string_view Attempt::ReturnPath() {
  const std::string_view separators = VerpOf(ticket->destination->key);
  if (separators.empty() || mail_.reverse_path().empty()) return mail_.reverse_path();
  if (verp_ == nullptr) {
    auto verp = std::make_unique<std::string>();
    const char* const why_not =
        MakeVerp(mail_.reverse_path(), recipients_.front(), separators, verp.get());
    if (why_not == nullptr) {
      verp_ = std::move(verp);
    } else if (log_ != nullptr) {
      log_->OnNoVerp(*ticket, mail_.reverse_path(), recipients_.front(), why_not);
    }
  }
  return verp_ == nullptr ? mail_.reverse_path() : std::string_view(*verp_);
}

smtp::NextAnswer Attempt::NextWindow(smtp::BodyWindow* window) {
  asked_ = true;
  const smtp::NextAnswer answer = seven_bit_ != nullptr ? LendConverted(window) : Lend(window);
  window_wanted_ = answer == smtp::NextAnswer::kLater;
  return answer;
}

bool Attempt::TakeWindowDue() {
  if (!window_wanted_ || lent_ > 0) return false;
  if (!in_transaction || (!broken_ && !ahead_ && !part0_ && ticket->fetching)) return false;
  window_wanted_ = false;
  return true;
}

smtp::NextAnswer Attempt::LendConverted(smtp::BodyWindow* window) {
  if (seven_bit_->lent()) return smtp::NextAnswer::kLater;
  do {
    smtp::BodyWindow read;
    const smtp::NextAnswer answer = Lend(&read);
    if (answer != smtp::NextAnswer::kYes) return answer;
    const bool converted = seven_bit_->Take(read.bytes);
    ReleaseWindow(read.token);
    if (!converted) return smtp::NextAnswer::kNo;
    // The end of the body is that of the message, or the record is damaged.
    broken_ = read.last != seven_bit_->complete();
    if (broken_) return smtp::NextAnswer::kNo;
  } while (seven_bit_->empty());
  seven_bit_->Lend(window);
  window->token = reinterpret_cast<uintptr_t>(seven_bit_.get());
  ++lent_;
  return smtp::NextAnswer::kYes;
}

smtp::NextAnswer Attempt::Lend(smtp::BodyWindow* window) {
  if (broken_) return smtp::NextAnswer::kNo;
  Lent* lent = nullptr;
  for (Lent& entry : lent_windows_) {
    if (!entry.out) lent = &entry;
  }
  if (lent == nullptr) return smtp::NextAnswer::kLater;  // ReleaseWindow comes first
  const smtp::NextAnswer answer = mail_.extent_count() == 0 ? LendInline(window, &lent->window)
                                                            : LendExtent(window, &lent->window);
  if (answer != smtp::NextAnswer::kYes) return answer;
  lent->out = true;
  ++lent_;
  waited_ = 0;
  window->token = static_cast<uint64_t>(lent - lent_windows_.data());
  return answer;
}

smtp::NextAnswer Attempt::LendInline(smtp::BodyWindow* window, Window* lent) {
  if (!part0_) {
    if (!ticket->fetching) FetchPart(0);
    return smtp::NextAnswer::kLater;
  }
  const std::optional<std::span<const char>> body = MetaView::Body(part0_.bytes());
  broken_ = !body.has_value();
  if (broken_) return smtp::NextAnswer::kNo;
  window->bytes = *body;
  window->last = true;
  *lent = std::exchange(part0_, Window());
  return smtp::NextAnswer::kYes;
}

// One at a time: the next one waits with us, where it can be given up.
smtp::NextAnswer Attempt::LendExtent(smtp::BodyWindow* window, Window* lent) {
  if (lent_ > 0) return smtp::NextAnswer::kLater;
  if (ahead_ && ahead_part_ != next_part_) {  // of an earlier host
    post_->Release(ticket, ahead_);
    ahead_ = {};
  }
  if (!ahead_) {
    if (!ticket->fetching) FetchPart(next_part_);
    return smtp::NextAnswer::kLater;
  }
  window->bytes = ahead_.bytes();
  window->last = next_part_ == mail_.extent_count();
  *lent = std::exchange(ahead_, Window());
  ++next_part_;
  if (!window->last && !slow_ && !ticket->fetching) FetchPart(next_part_);
  return smtp::NextAnswer::kYes;
}

void Attempt::ReleaseWindow(uint64_t token) {
  if (token >= lent_windows_.size()) {
    ReleaseConverted(token);
    return;
  }
  CHECK(token < lent_windows_.size() && lent_windows_[token].out);
  Lent& lent = lent_windows_[token];
  post_->Release(ticket, lent.window);
  lent = {};
  --lent_;
}

// What this host has taken is committed now, however long the others take; but what a sender is to
// hear of is committed together with what they hear.
void Attempt::EndTransaction() {
  in_transaction = false;
  uint64_t news = ticket->result->delivered & ~told_;
  for (const Confirmation& one : ticket->result->confirm) {
    news &= ~(uint64_t{1} << (one.words.recipient - ticket->first));
  }
  if (undecided_ == 0 || news == 0) return;  // it all goes with the return
  told_ |= news;
  post_->Progress(ticket, news);
}

RecipientResult* Attempt::Failed(uint64_t bit) {
  const uint16_t recipient = static_cast<uint16_t>(ticket->first + bit);
  for (RecipientResult& failed : ticket->result->failed) {
    if (failed.recipient == recipient) return &failed;
  }
  ticket->result->failed.emplace_back().recipient = recipient;
  return &ticket->result->failed.back();
}

// An earlier host's answer does not count any more.
void Attempt::Forget(uint64_t bit) {
  const uint16_t recipient = static_cast<uint16_t>(ticket->first + bit);
  std::erase_if(ticket->result->failed,
                [&](const RecipientResult& failed) { return failed.recipient == recipient; });
}

// The host takes no 8-bit content: the next transaction with it has the message without.
bool Attempt::Converts(const smtp::RecipientResult& result) {
  if (result.kind != smtp::ResultKind::kNeeds8BitMime || !may_convert) return false;
  if (mail_.utf8_header()) return false;  // its fields are UTF-8 on purpose
  if (seven_bit_ == nullptr) seven_bit_ = std::make_unique<SevenBitBody>();
  return true;
}

void Attempt::Address(smtp::ClientEnvelope* envelope) {
  ascii_.reset();
  const std::string_view return_path = ReturnPath();
  if (as_ascii_) ascii_ = std::make_unique<AsciiEnvelope>(return_path, recipients_);
  envelope->reverse_path = as_ascii_ ? ascii_->reverse_path() : return_path;
  envelope->recipients = recipients_;
  if (as_ascii_) envelope->recipients = ascii_->recipients();
  envelope->utf8_header = mail_.utf8_header();
  envelope->utf8_address =
      !core::IsAscii(envelope->reverse_path) ||
      std::any_of(envelope->recipients.begin(), envelope->recipients.end(),
                  [](std::string_view recipient) { return !core::IsAscii(recipient); });
}

// The host takes no UTF-8: the next transaction with it has A-labels, if that is all it needs.
bool Attempt::GoesAsAscii(const smtp::RecipientResult& result, std::string_view recipient) {
  if (result.kind != smtp::ResultKind::kNeedsSmtpUtf8 || ascii_ != nullptr) return false;
  if (!HasAsciiForm(ReturnPath()) || !HasAsciiForm(recipient)) return false;
  as_ascii_ = true;
  return true;
}

void Attempt::EndConversion() {
  if (seven_bit_ != nullptr && seven_bit_->lent()) still_lent_.push_back(std::move(seven_bit_));
  seven_bit_.reset();
}

void Attempt::ReleaseConverted(uint64_t token) {
  const auto is_it = [token](const std::unique_ptr<SevenBitBody>& body) {
    return reinterpret_cast<uintptr_t>(body.get()) == token;
  };
  --lent_;
  if (seven_bit_ != nullptr && is_it(seven_bit_)) {
    seven_bit_->Return();
  } else {
    CHECK(std::erase_if(still_lent_, is_it) == 1);
  }
}

void Attempt::OnResult(uint16_t index, const smtp::RecipientResult& result, std::string_view at,
                       const io::TlsFacts& tls) {
  CHECK(in_transaction && index < bits_.size());
  const uint64_t bit = bits_[index];
  const uint64_t mask = uint64_t{1} << bit;
  if (Converts(result) || GoesAsAscii(result, recipients_[index])) {
    again_ |= mask;
    return;
  }
  if (result.kind == smtp::ResultKind::kAnew) {
    replied = by_data_ = true;
    again_ |= mask;
    return;
  }
  if (result.kind == smtp::ResultKind::kLost) {
    lost_early = lost_early || result.stage <= smtp::Stage::kRcpt;
  } else {
    replied = true;
  }
  smtp::RecipientResult judged = result;
  const bool unconvertible = seven_bit_ != nullptr && seven_bit_->failed();
  // We have ended the session ourselves.
  if (unconvertible) judged.kind = smtp::ResultKind::kNeeds8BitMime;
  const Action action = JudgeRecipient(judged);
  switch (action) {
    case Action::kDelivered:
      ticket->result->delivered |= mask;
      undecided_ &= ~mask;
      if (!ticket->result->failed.empty()) Forget(bit);
      if (mail_.dsn() != nullptr) mail_.dsn()->OnDelivered(bit, result, at, ticket);
      if (log_ != nullptr) {
        log_->OnDelivered(*ticket, mail_.reverse_path(), recipients_[index], at, result.reply,
                          started_ns, tls);
      }
      return;
    case Action::kNextTransaction:
      again_ |= mask;
      break;
    case Action::kBounce:
      undecided_ &= ~mask;
      break;
    case Action::kNextHost:
      break;
  }
  RecipientResult* failed = Failed(bit);
  failed->verdict = action == Action::kBounce ? Verdict::kBounced : Verdict::kDeferred;
  DescribeRecipient(judged, at, failed);
  if (judged.kind == smtp::ResultKind::kNeedsSmtpUtf8) {
    failed->text = WhyUtf8(mail_.reverse_path(), recipients_[index], at);
  }
  if (unconvertible) failed->text.append("; it cannot be converted: ").append(seven_bit_->why());
  ticket->result->mailhost.assign(at);
  if (action != Action::kNextTransaction) talk_failed_ = true;
  if (log_ != nullptr) {
    log_->OnRecipient(*ticket, mail_.reverse_path(), recipients_[index], at, failed->verdict,
                      *failed);
  }
}

void Attempt::TellTalk(const DeliveryLink& session, std::string_view at) {
  const bool failed = std::exchange(talk_failed_, false) && !ticket->result->failed.empty();
  if (log_ == nullptr) return;
  log_->OnTalk(*ticket, at, session, failed ? &ticket->result->failed.back() : nullptr);
}

void Attempt::OnSessionEnd(smtp::SessionEnd end, smtp::Stage stage, const smtp::Reply& reply,
                           std::string_view at, std::string_view user) {
  RecipientResult words;
  DescribeSession(end, stage, reply, at, user, &words);
  if (log_ != nullptr) log_->OnHostFailed(*ticket, at, words);
  for (uint64_t left = undecided_; left != 0; left &= left - 1) {
    RecipientResult* failed = Failed(static_cast<uint64_t>(std::countr_zero(left)));
    words.recipient = failed->recipient;
    *failed = words;
  }
  ticket->result->mailhost.assign(at);
  talk_failed_ = true;
}

void Attempt::OnUnreadable() {
  for (uint64_t left = undecided_; left != 0; left &= left - 1) {
    RecipientResult* failed = Failed(static_cast<uint64_t>(std::countr_zero(left)));
    failed->code = 0;
    failed->enhanced = "4.3.0";
    failed->text = "the message cannot be read from the spool";
  }
}

void Attempt::Finish(ReturnReason reason, Verdict verdict) {
  CHECK(!finished_ && !in_transaction);
  finished_ = true;
  ticket->result->reason = reason;
  for (uint64_t left = undecided_; left != 0; left &= left - 1) {
    if (reason != ReturnReason::kAttempted) break;  // nothing was tried: nothing to report
    Failed(static_cast<uint64_t>(std::countr_zero(left)))->verdict = verdict;
  }
  if (ticket->result->failed.empty() || !mail_.known()) return;
  mail_.ForEachRecipient([this](uint8_t bit, std::string_view to) {
    for (RecipientResult& failed : ticket->result->failed) {
      if (failed.recipient == ticket->first + bit) failed.address.assign(to);
    }
  });
}

void Attempt::Undo() {
  CHECK(!finished_ && !in_transaction && Undoable());
  finished_ = undone_ = true;
}

void Attempt::GiveUpTicket() {
  CHECK(undone_ && Quiet());
  GiveUpLease();
  ticket->result->failed.clear();
  ticket->result->mailhost.clear();
  ticket->result->confirm.clear();
  ticket->host.store(LiveHosts::kNone, std::memory_order_relaxed);
  ticket->place = nullptr;
}

void Attempt::Return() {
  CHECK(finished_ && !undone_ && Quiet());
  GiveUpLease();
  ticket->host.store(LiveHosts::kNone, std::memory_order_relaxed);
  post_->Return(ticket);
}

}  // namespace outbox::queue
