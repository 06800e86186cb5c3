// BDAT of a client session (RFC 3030).
#include <charconv>

#include "core/check.h"
#include "smtp/client_session.h"

namespace outbox::smtp {
namespace {

// The server does not know the command, or lost its way before it.
bool IsNoBdat(const Reply& reply) {
  return reply.code == 500 || reply.code == 502 || reply.code == 503;
}

}  // namespace

// RFC 3030 2: the size of a chunk is told before it, so a message of unknown size goes by DATA. One
// to an LMTP server waits for the answers to its envelope: how many replies come behind it, they
// tell.
void ClientSession::ChooseBdat(Slot* slot) const {
  const ClientEnvelope& envelope = slot->envelope;
  slot->bdat = offers_chunking() && !use_data_ && !envelope.by_data && !envelope.verify_only &&
               envelope.size > 0;
  slot->ahead = slot->bdat && pipelining() && !options_.lmtp && !envelope.patient &&
                envelope.size <= core::kClientAheadBytes;
}

void ClientSession::OnLastRcptBeforeBdat(Slot* slot) {
  slot->receive = Point::kFinal;
  // What was written must be answered, also when nobody is left.
  if (slot->accepted != 0 || slot->send > Point::kData) return;
  reset_needed_ = slot->mail_accepted;
  Finish(slot);
}

bool ClientSession::MayWriteBdat(const Slot& slot) const {
  return slot.ahead || slot.receive == Point::kFinal;
}

void ClientSession::WriteBdat(Slot* slot, OutputBuffer* out) {
  char digits[24];
  const char* end = std::to_chars(digits, digits + sizeof(digits), slot->envelope.size).ptr;
  out->Append("BDAT ");
  out->Append({digits, static_cast<size_t>(end - digits)});
  out->Append(" LAST\r\n");
  slot->send = Point::kBody;
}

// RFC 3030 2: one reply, behind the octets; and by LMTP one for each recipient.
void ClientSession::OnBdat(Slot* slot, const Reply& reply) {
  if (slot->accepted != 0 && IsNoBdat(reply)) {
    // It may take our octets for commands: no word more.
    Decide(slot, slot->accepted, ResultKind::kAnew, Stage::kFinalDot, reply);
    return End(SessionEnd::kNoChunking, Stage::kFinalDot, reply);
  }
  if (slot->send == Point::kBody) return OnRefusedWithinBody(slot, reply);
  // RFC 3030 2: what a failed one leaves behind is not defined.
  if (reply.first_digit() != 2) reset_needed_ = slot->mail_accepted;
  OnFinal(slot, reply);
}

}  // namespace outbox::smtp
