#include "smtp/client_session.h"

#include <algorithm>
#include <bit>
#include <charconv>

#include "core/check.h"
#include "smtp/address.h"

namespace outbox::smtp {
namespace {

uint64_t Bit(uint16_t recipient) { return uint64_t{1} << recipient; }

uint64_t LowestBit(uint64_t mask) { return mask & (~mask + 1); }

// One that is there.
void AppendParameter(std::string_view keyword, std::string_view value, OutputBuffer* out) {
  if (value.empty()) return;
  out->Append(keyword);
  out->Append(value);
}

bool IsTooManyRecipients(const Reply& reply) { return reply.code == 452 || reply.code == 552; }

}  // namespace

ClientSession::Event ClientSession::Next(std::string_view* input) {
  Event event;
  while (true) {
    if (NextDue(&event)) return event;
    if (input->empty()) return event;  // kNeedBytes
    switch (parser_.Consume(input)) {
      case ReplyParser::Result::kNeedMore:
        return event;
      case ReplyParser::Result::kLine:
        if (state_ == State::kEhlo && parser_.code() == 250) {
          OnEhloLine(parser_.line());
          parser_.DropLine();
        }
        break;
      case ReplyParser::Result::kReply:
        ++replies_;
        OnReply(parser_.reply());
        if (state_ == State::kHandshake && !input->empty()) {
          EndByProtocolError("words in the clear behind the answer to STARTTLS");
        }
        break;
      case ReplyParser::Result::kError:
        EndByProtocolError(parser_.error());
        break;
    }
  }
}

// Tells one of the things that are due, in the order in which they happened.
bool ClientSession::NextDue(Event* event) {
  if (state_ == State::kEnded) {
    event->kind = EventKind::kEnded;
    event->end = end_;
    event->result = end_result_;
    return true;
  }
  if (ready_due_ || handshake_due_) {
    event->kind = ready_due_ ? EventKind::kReady : EventKind::kStartTls;
    ready_due_ = handshake_due_ = false;
    return true;
  }
  const uint8_t first = current_;
  if (NextDueOf(first, event) || NextDueOf(first ^ 1, event)) return true;
  if (state_ != State::kEnding) return false;
  state_ = State::kEnded;
  return NextDue(event);
}

bool ClientSession::NextDueOf(uint8_t index, Event* event) {
  Slot* slot = &slots_[index];
  if (!slot->active) return false;
  event->transaction = index;
  if (slot->deciding != 0) {
    event->kind = EventKind::kResult;
    event->recipient = static_cast<uint16_t>(std::countr_zero(slot->deciding));
    event->result = slot->decision;
    slot->deciding &= slot->deciding - 1;
    return true;
  }
  if (slot->lost != 0) {
    slot->deciding = slot->lost;
    slot->lost = 0;
    slot->decision = {ResultKind::kLost, slot->lost_stage, end_result_.reply};
    return NextDueOf(index, event);
  }
  const bool body_due = slot->bdat ? slot->send == Point::kBody : slot->receive == Point::kBody;
  if (body_due && !slot->body_asked) {
    slot->body_asked = true;
    event->kind = EventKind::kSendBody;
    return true;
  }
  if (slot->receive != Point::kDone) return false;
  CHECK(slot->undecided == 0);
  slot->active = false;
  --in_hand_;
  if (index == current_ && slots_[index ^ 1].active) current_ = index ^ 1;
  event->kind = EventKind::kTransactionDone;
  return true;
}

void ClientSession::OnReply(const Reply& reply) {
  switch (state_) {
    case State::kGreeting:
      return OnGreeting(reply);
    case State::kEhlo:
    case State::kHelo:
      return OnHello(reply);
    case State::kStartTls:
      return OnStartTls(reply);
    case State::kAuth:
      return OnAuth(reply);
    case State::kReady:
      if (current()->active && current()->receive != Point::kDone) {
        return OnTransactionReply(current(), reply);
      }
      if (reply.code == 421) return End(SessionEnd::kShutdown, Stage::kIdle, reply);
      return EndByProtocolError("a reply that nothing had asked for");
    case State::kQuitting:
      return End(SessionEnd::kQuit, Stage::kQuit, reply);
    default:
      return;
  }
}

// Something has been written that the next reply can be about.
bool ClientSession::IsReplyDue(const Slot& slot) {
  if (slot.bdat && slot.receive == Point::kFinal) return slot.send >= Point::kBody;
  if (slot.receive >= Point::kBody) return true;
  if (slot.receive == Point::kRcpt && slot.send == Point::kRcpt) {
    return slot.receive_recipient < slot.send_recipient;
  }
  return slot.receive < slot.send;
}

void ClientSession::OnTransactionReply(Slot* slot, const Reply& reply) {
  if (!IsReplyDue(*slot)) {
    if (reply.code == 421) return End(SessionEnd::kShutdown, SlotStage(*slot), reply);
    return EndByProtocolError("a reply before its command");
  }
  switch (slot->receive) {
    case Point::kReset:
      if (reply.first_digit() == 2) {
        slot->receive = Point::kMail;
        return;
      }
      if (reply.code == 421) return End(SessionEnd::kShutdown, Stage::kReset, reply);
      return EndByProtocolError("RSET was refused");
    case Point::kMail:
      return OnMail(slot, reply);
    case Point::kRcpt:
      return OnRcpt(slot, reply);
    case Point::kData:
      return OnData(slot, reply);
    case Point::kBody:
      return OnRefusedWithinBody(slot, reply);
    case Point::kFinal:
      return slot->bdat ? OnBdat(slot, reply) : OnFinal(slot, reply);
    case Point::kDone:
      return;
  }
}

// A server that cannot wait for the end refuses early and closes. What it said is final, but the
// dialogue cannot be continued.
void ClientSession::OnRefusedWithinBody(Slot* slot, const Reply& reply) {
  if (!reply.is_refusal()) return EndByProtocolError("a reply before the end of the message");
  Decide(slot, options_.lmtp ? LowestBit(slot->accepted) : slot->accepted, ResultKind::kReply,
         Stage::kBody, reply);
  End(reply.code == 421 ? SessionEnd::kShutdown : SessionEnd::kProtocolError, Stage::kBody, reply);
}

void ClientSession::OnMail(Slot* slot, const Reply& reply) {
  slot->mail_accepted = reply.first_digit() == 2;
  if (!slot->mail_accepted && !reply.is_refusal()) {
    return EndByProtocolError("MAIL was answered with neither 2xx nor a refusal");
  }
  slot->receive = Point::kRcpt;
  if (slot->mail_accepted) return;
  Decide(slot, slot->undecided, ResultKind::kReply, Stage::kMail, reply);
  if (reply.code == 421) return End(SessionEnd::kShutdown, Stage::kMail, reply);
  // What was written behind it must still be answered.
  if (!pipelining()) Finish(slot);
}

void ClientSession::OnRcpt(Slot* slot, const Reply& reply) {
  if (reply.first_digit() != 2 && !reply.is_refusal()) {
    return EndByProtocolError("RCPT was answered with neither 2xx nor a refusal");
  }
  const uint64_t bit = Bit(slot->receive_recipient);
  if ((slot->undecided & bit) != 0) {
    if (reply.first_digit() == 2 && slot->envelope.verify_only) {
      Decide(slot, bit, ResultKind::kReply, Stage::kRcpt, reply);
    } else if (reply.first_digit() == 2) {
      slot->accepted |= bit;
    } else {
      const bool try_next = slot->accepted != 0 && IsTooManyRecipients(reply);
      Decide(slot, bit, try_next ? ResultKind::kTryNext : ResultKind::kReply, Stage::kRcpt, reply);
    }
  }
  if (reply.code == 421) return End(SessionEnd::kShutdown, Stage::kRcpt, reply);
  if (++slot->receive_recipient < slot->envelope.recipients.size()) return;
  if (slot->bdat) return OnLastRcptBeforeBdat(slot);
  slot->receive = Point::kData;
  if (!slot->envelope.verify_only && (pipelining() || slot->accepted != 0)) return;
  reset_needed_ = slot->mail_accepted;
  Finish(slot);
}

void ClientSession::OnData(Slot* slot, const Reply& reply) {
  if (reply.first_digit() == 3) {
    slot->receive = Point::kBody;
    if (slot->accepted != 0) return;
    // RFC 2033 4.2: there would be no reply to its end.
    if (options_.lmtp) return EndByProtocolError("354 though no recipient was accepted");
    // RFC 2920 3.1: nobody was accepted, and yet the server takes data.
    slot->lone_dot = true;
    slot->body_asked = true;
    return;
  }
  if (!reply.is_refusal()) {
    return EndByProtocolError("DATA was answered with neither 354 nor a refusal");
  }
  reset_needed_ = slot->mail_accepted;
  Decide(slot, slot->accepted, ResultKind::kReply, Stage::kData, reply);
  if (reply.code == 421) return End(SessionEnd::kShutdown, Stage::kData, reply);
  Finish(slot);
}

void ClientSession::OnFinal(Slot* slot, const Reply& reply) {
  if (reply.first_digit() == 3) {
    return EndByProtocolError("the message was answered with neither 2xx nor a refusal");
  }
  if (options_.lmtp) return OnFinalOfOne(slot, reply);
  Decide(slot, slot->accepted, ResultKind::kReply, Stage::kFinalDot, reply);
  if (reply.code == 421) return End(SessionEnd::kShutdown, Stage::kFinalDot, reply);
  Finish(slot);
}

// RFC 2033 4.2: the replies come in the order of the RCPTs.
void ClientSession::OnFinalOfOne(Slot* slot, const Reply& reply) {
  Decide(slot, LowestBit(slot->accepted), ResultKind::kReply, Stage::kFinalDot, reply);
  if (reply.code == 421) return End(SessionEnd::kShutdown, Stage::kFinalDot, reply);
  if (slot->accepted == 0) Finish(slot);
}

// One decision at a time is told of each slot; Next tells all of it before it reads another reply.
void ClientSession::Decide(Slot* slot, uint64_t mask, ResultKind kind, Stage stage,
                           const Reply& reply) {
  mask &= slot->undecided;
  if (mask == 0) return;
  CHECK(slot->deciding == 0);
  slot->undecided &= ~mask;
  slot->accepted &= ~mask;
  slot->deciding = mask;
  slot->decision = {kind, stage, reply};
  slot->decision.told_dsn = dsn_ && slot->envelope.dsn != nullptr;
}

void ClientSession::Finish(Slot* slot) {
  CHECK(slot->undecided == 0);
  slot->send = slot->receive = Point::kDone;
}

// Everything undecided is lost. What was decided with the same reply is told first.
void ClientSession::End(SessionEnd end, Stage stage, const Reply& reply) {
  CHECK(state_ != State::kEnding && state_ != State::kEnded);
  end_ = end;
  end_result_ = {ResultKind::kReply, stage, reply};
  ready_due_ = handshake_due_ = false;
  for (Slot& slot : slots_) {
    if (!slot.active) continue;
    slot.lost = slot.undecided;
    // All of it may have been taken, though not even MAIL was answered.
    const bool sent = slot.bdat && slot.send == Point::kFinal;
    slot.lost_stage = sent ? Stage::kFinalDot : SlotStage(slot);
    slot.undecided = 0;
    slot.accepted = 0;
    slot.send = slot.receive = Point::kDone;
  }
  state_ = State::kEnding;
}

void ClientSession::EndByProtocolError(const char* what) {
  End(SessionEnd::kProtocolError, waiting_for(), Reply::Ours(what));
}

void ClientSession::Abandon(SessionEnd end, std::string_view text) {
  if (state_ == State::kEnding || state_ == State::kEnded) return;
  // After QUIT the server owes us nothing.
  if (state_ == State::kQuitting && end != SessionEnd::kCancelled) end = SessionEnd::kQuit;
  End(end, waiting_for(), Reply::Ours(text.empty() ? SessionEndName(end) : text));
}

Stage ClientSession::SlotStage(const Slot& slot) {
  switch (slot.receive) {
    case Point::kReset:
      return Stage::kReset;
    case Point::kMail:
      return Stage::kMail;
    case Point::kRcpt:
      return Stage::kRcpt;
    case Point::kData:
      return Stage::kData;
    case Point::kBody:
      return Stage::kBody;
    case Point::kFinal:
      return slot.send < Point::kFinal ? Stage::kBody : Stage::kFinalDot;
    case Point::kDone:
      break;
  }
  return Stage::kIdle;
}

Stage ClientSession::waiting_for() const {
  switch (state_) {
    case State::kGreeting:
      return Stage::kGreeting;
    case State::kEhlo:
    case State::kHelo:
      return Stage::kHello;
    case State::kStartTls:
      return Stage::kStartTls;
    case State::kHandshake:
      return Stage::kTls;
    case State::kAuth:
      return Stage::kAuth;
    case State::kReady:
      return current()->active ? SlotStage(*current()) : Stage::kIdle;
    default:
      return Stage::kQuit;
  }
}

// Nothing goes behind a BDAT that is not answered: what a failed one leaves behind is not defined
// (RFC 3030 2), and the next transaction would pay for it.
bool ClientSession::CanBegin() const {
  if (state_ != State::kReady || quit_wanted_) return false;
  if (in_hand_ == 0) return true;
  const Slot& slot = *current();
  return in_hand_ == 1 && pipelining() && slot.active && !slot.lone_dot &&
         slot.send == Point::kFinal && slot.receive == Point::kFinal && !slot.bdat;
}

int ClientSession::BeginTransaction(const ClientEnvelope& envelope) {
  CHECK(CanBegin());
  const size_t count = envelope.recipients.size();
  CHECK(count >= 1 && count <= core::kClientRecipientsMax);
  CHECK(envelope.reverse_path.size() <= kPathOctetsMax);
  CHECK(envelope.dsn == nullptr || envelope.dsn->recipients.size() == count);
  const uint8_t index = in_hand_ == 0 ? current_ : current_ ^ 1;
  Slot* slot = &slots_[index];
  *slot = Slot();
  slot->active = true;
  ++in_hand_;
  slot->envelope = envelope;
  slot->undecided = count == 64 ? UINT64_MAX : (uint64_t{1} << count) - 1;
  if (has_size_ && size_limit_ > 0 && envelope.size > size_limit_) {
    Decide(slot, slot->undecided, ResultKind::kTooLarge, Stage::kMail,
           Reply::Ours("the message is larger than the server's SIZE"));
    return index;
  }
  const bool utf8 = envelope.utf8_address || (envelope.utf8_header && !options_.lmtp);
  if (utf8 && !offers_smtp_utf8()) {
    Decide(slot, slot->undecided, ResultKind::kNeedsSmtpUtf8, Stage::kMail,
           Reply::Ours("the message needs SMTPUTF8 and the server does not offer it"));
    return index;
  }
  if (envelope.eight_bit && !eight_bit_mime_) {
    Decide(slot, slot->undecided, ResultKind::kNeeds8BitMime, Stage::kMail,
           Reply::Ours("the message has 8-bit content and the server does not offer 8BITMIME"));
    return index;
  }
  ChooseBdat(slot);
  slot->send = slot->receive = reset_needed_ ? Point::kReset : Point::kMail;
  reset_needed_ = false;
  return index;
}

void ClientSession::BodyQueued(int slot_index) {
  Slot* slot = &slots_[slot_index];
  if (state_ == State::kEnding || state_ == State::kEnded) return;
  CHECK(slot->active && slot->body_asked && slot->send == Point::kBody);
  slot->send = Point::kFinal;
  if (!slot->bdat) slot->receive = Point::kFinal;
}

void ClientSession::Quit() { quit_wanted_ = true; }

bool ClientSession::Write(OutputBuffer* out) {
  CHECK(out->room() >= core::kClientCommandMax);
  if (WriteHello(out) || state_ != State::kReady) return false;
  for (int i = 0; i < kSlots; ++i) {
    Slot* slot = &slots_[current_ ^ i];
    while (slot->active && MayWrite(*slot)) {
      if (out->room() < RoomFor(*slot)) return true;
      WriteNext(slot, out);
    }
  }
  if (!quit_wanted_ || in_hand_ > 0) return false;
  if (out->room() < core::kClientCommandMax) return true;
  out->Append("QUIT\r\n");
  state_ = State::kQuitting;
  return false;
}

bool ClientSession::MayWrite(const Slot& slot) const {
  if (slot.send == Point::kBody) return slot.lone_dot && slot.receive == Point::kBody;
  if (slot.send >= Point::kBody) return false;
  if (slot.bdat && slot.send == Point::kData) return MayWriteBdat(slot);
  if (pipelining()) return true;
  return slot.send == slot.receive && slot.send_recipient == slot.receive_recipient;
}

size_t ClientSession::RoomFor(const Slot& slot) const {
  return dsn_ && slot.envelope.dsn != nullptr ? core::kClientDsnCommandMax
                                              : core::kClientCommandMax;
}

void ClientSession::WriteNext(Slot* slot, OutputBuffer* out) {
  switch (slot->send) {
    case Point::kReset:
      out->Append("RSET\r\n");
      slot->send = Point::kMail;
      return;
    case Point::kMail:
      WriteMail(slot->envelope, out);
      slot->send = Point::kRcpt;
      return;
    case Point::kRcpt:
      WriteRcpt(slot->envelope, slot->send_recipient, out);
      if (++slot->send_recipient == slot->envelope.recipients.size()) {
        slot->send = slot->envelope.verify_only ? Point::kDone : Point::kData;
      }
      return;
    case Point::kData:
      if (slot->bdat) return WriteBdat(slot, out);
      out->Append("DATA\r\n");
      slot->send = Point::kBody;
      return;
    default:
      out->Append(".\r\n");  // the lone dot
      slot->send = slot->receive = Point::kFinal;
      return;
  }
}

void ClientSession::WriteMail(const ClientEnvelope& envelope, OutputBuffer* out) const {
  out->Append("MAIL FROM:<");
  out->Append(envelope.reverse_path);
  out->Append(">");
  if (has_size_ && envelope.size > 0) {
    char digits[24];
    const char* end = std::to_chars(digits, digits + sizeof(digits), envelope.size).ptr;
    out->Append(" SIZE=");
    out->Append({digits, static_cast<size_t>(end - digits)});
  }
  const bool utf8 = (envelope.utf8_address || envelope.utf8_header) && offers_smtp_utf8();
  if (envelope.eight_bit || utf8) out->Append(" BODY=8BITMIME");
  if (utf8) out->Append(" SMTPUTF8");
  if (dsn_ && envelope.dsn != nullptr) {
    AppendParameter(" RET=", ReturnText(envelope.dsn->ret), out);
    AppendParameter(" ENVID=", envelope.dsn->envid, out);
  }
  out->Append("\r\n");
}

void ClientSession::WriteRcpt(const ClientEnvelope& envelope, uint16_t recipient,
                              OutputBuffer* out) const {
  const std::string_view address = envelope.recipients[recipient];
  CHECK(address.size() <= kPathOctetsMax);
  out->Append("RCPT TO:<");
  out->Append(address);
  out->Append(">");
  if (dsn_ && envelope.dsn != nullptr) {
    const RecipientDsn& dsn = envelope.dsn->recipients[recipient];
    AppendParameter(" NOTIFY=", NotifyText(dsn.notify), out);
    AppendParameter(" ORCPT=", dsn.orcpt, out);
  }
  out->Append("\r\n");
}

}  // namespace outbox::smtp
