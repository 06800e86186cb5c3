#include "queue/maildir_link.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "core/check.h"
#include "core/domain_name.h"
#include "core/hash.h"
#include "core/mailbox_name.h"
#include "core/time.h"
#include "queue/message_id.h"

namespace outbox::queue {
namespace {

using smtp::Reply;
using smtp::ResultKind;
using smtp::Stage;

// What may stand in a file's name and means nothing to a reader of Maildirs.
std::string FileNamePart(const std::string& text) {
  std::string part;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '-';
    part.push_back(plain ? c : '_');
  }
  return part;
}

// RFC 3463: the mail system is full; the mailbox is; something else is wrong with the system.
Reply ReplyTo(int error) {
  if (error == ENOSPC) return {452, {4, 3, 1}, {}};
  if (error == EDQUOT) return {452, {4, 2, 2}, {}};
  return {451, {4, 3, 0}, {}};
}

}  // namespace

MaildirLink::MaildirLink(io::Io* io, std::string maildir, const std::string& hostname,
                         smtp::DeliverySource* source)
    : io_(io),
      maildir_(std::move(maildir)),
      hostname_(FileNamePart(hostname)),
      source_(source),
      file_(io, this) {
  kick_.Bind<&MaildirLink::OnKick>(this);
  Kick(State::kAsking);
}

MaildirLink::~MaildirLink() { CHECK(!kick_.in_flight && !file_.busy()); }

// The source is called from the loop.
void MaildirLink::Kick(State state) {
  state_ = state;
  if (!kick_.in_flight) io_->RunOnHelper(&kick_, [] { return 0; });
}

void MaildirLink::OnKick(const io::OpResult&) {
  switch (state_) {
    case State::kAsking:
      return AskForTransaction();
    case State::kFailing:
      // No path can be made of such an address: it is nobody's here.
      return EndTransaction(
          {ResultKind::kReply, Stage::kRcpt,
           {550, {5, 1, 3}, "the address cannot be the name of a Maildir"}});
    case State::kEnding:
      source_->OnSessionEnd(end_, Stage::kIdle, {0, {}, smtp::SessionEndName(end_)});
      return;  // we may be gone
    case State::kIdle:
    case State::kWriting:
      return;
  }
}

// --- The source --------------------------------------------------------------------------------

void MaildirLink::Poke() {
  if (state_ == State::kIdle) {
    AskForTransaction();
  } else {
    asking_again_ = true;
  }
}

void MaildirLink::Quit() {
  quit_ = true;
  if (state_ == State::kIdle) Kick(State::kEnding);
}

void MaildirLink::Abandon(smtp::SessionEnd why) {
  if (abandoned_ || state_ == State::kEnding) return;
  abandoned_ = true;
  end_ = why;
  if (state_ == State::kWriting) {
    file_.Abort();  // OnOver follows
  } else if (state_ != State::kFailing) {
    Kick(State::kEnding);
  }
}

void MaildirLink::AskForTransaction() {
  if (quit_ || abandoned_) return Kick(State::kEnding);
  asking_again_ = false;
  state_ = State::kAsking;
  request_ = {};
  switch (source_->NextTransaction(&request_)) {
    case smtp::NextAnswer::kYes:
      return BeginTransaction();
    case smtp::NextAnswer::kLater:
      state_ = State::kIdle;
      if (quit_) return Kick(State::kEnding);
      if (asking_again_) Kick(State::kAsking);
      return;
    case smtp::NextAnswer::kNo:
      return Kick(State::kEnding);
  }
}

void MaildirLink::BeginTransaction() {
  const std::string_view recipient = request_.envelope.recipients[0];
  const size_t at = recipient.rfind('@');
  std::string path;
  if (at != std::string_view::npos) {
    path = core::MaildirPath(maildir_, core::ToLower(recipient.substr(0, at)),
                             core::ToLower(recipient.substr(at + 1)));
  }
  if (path.empty()) return Kick(State::kFailing);
  state_ = State::kWriting;
  window_asked_ = last_window_ = source_failed_ = false;
  wire_.Reset();
  size_t unique = 0;
  std::string name = NameOf(recipient, &unique);
  text_ = HeaderOf(recipient);
  wire_.Append(request_.prefix, &text_);
  file_.Start(std::move(path), core::MaildirRoot(maildir_), std::move(name), unique,
              request_.may_repeat);
}

// "1700000000.O0A1B2C3D4E5F6R0123456789abcdef.relay.example": the time of acceptance, by which
// readers sort, the message's id and a hash of its recipient, which make it the only one.
std::string MaildirLink::NameOf(std::string_view recipient, size_t* unique) const {
  std::array<char, 32> hash;
  std::snprintf(hash.data(), hash.size(), "R%016llx",
                static_cast<unsigned long long>(core::Hash64(recipient)));
  std::string name = std::to_string(request_.accepted_wall_ns / core::kNsPerSecond);
  name.append(".O").append(FormatMessageId(request_.message_id)).append(hash.data()).append(".");
  *unique = name.size();
  return name.append(hostname_);
}

// RFC 5321 4.4: whoever makes the final delivery writes down the return path.
std::string MaildirLink::HeaderOf(std::string_view recipient) const {
  std::string header = "Return-Path: <";
  header.append(request_.envelope.reverse_path).append(">\nDelivered-To: ");
  return header.append(recipient).append("\n");
}

// --- The file ----------------------------------------------------------------------------------

void MaildirLink::OnReady() { GoOn(); }

void MaildirLink::OnWritten() {
  if (last_window_) return file_.Commit();
  GoOn();
}

// One window at a time, copied as the text that it stands for.
void MaildirLink::GoOn() {
  smtp::BodyWindow window;
  switch (source_->NextWindow(request_.cookie, &window)) {
    case smtp::NextAnswer::kYes:
      wire_.Append({window.bytes.data(), window.bytes.size()}, &text_);
      last_window_ = window.last;
      source_->ReleaseWindow(request_.cookie, window.token);
      if (text_.empty()) return last_window_ ? file_.Commit() : GoOn();
      return file_.Write(&text_);
    case smtp::NextAnswer::kLater:
      window_asked_ = true;
      return;
    case smtp::NextAnswer::kNo:
      source_failed_ = true;
      file_.Abort();
      return;
  }
}

void MaildirLink::OfferWindow(uint64_t) {
  if (!std::exchange(window_asked_, false) || abandoned_) return;
  GoOn();
}

void MaildirLink::OnOver(int32_t result, const std::string& path) {
  if (result == 0) {
    return EndTransaction(
        {ResultKind::kReply, Stage::kFinalDot, {250, {2, 0, 0}, "saved in the Maildir"}});
  }
  if (result == -ECANCELED && (abandoned_ || source_failed_)) {
    if (!abandoned_) end_ = smtp::SessionEnd::kSourceFailed;
    abandoned_ = true;
    return EndTransaction(
        {ResultKind::kLost, Stage::kBody, {0, {}, smtp::SessionEndName(end_)}});
  }
  Reply reply = ReplyTo(-result);
  reply_text_ = path + ": " + std::strerror(-result);
  reply.text = reply_text_;
  EndTransaction({ResultKind::kReply, Stage::kFinalDot, reply});
}

// The other recipients of the transaction are lost with the session, or come again.
void MaildirLink::EndTransaction(const smtp::RecipientResult& result) {
  source_->OnResult(request_.cookie, 0, result);
  const bool lost = result.kind == ResultKind::kLost;
  const smtp::RecipientResult again = {
      lost ? ResultKind::kLost : ResultKind::kTryNext, Stage::kRcpt,
      lost ? result.reply : Reply{452, {4, 5, 3}, "one recipient at a time"}};
  for (uint16_t i = 1; i < request_.envelope.recipients.size(); ++i) {
    source_->OnResult(request_.cookie, i, again);
  }
  state_ = State::kAsking;
  source_->OnTransactionDone(request_.cookie);
  if (state_ == State::kAsking) AskForTransaction();
}

}  // namespace outbox::queue
