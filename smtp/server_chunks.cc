// BDAT of a server session (RFC 3030 2): a message that comes in chunks whose sizes are told, and
// without stuffed dots.
//
// It becomes wire form on its way: a dot goes before every dot that begins a line, the final dot's
// line behind the last chunk, and a CRLF before that where the content does not end in one. Text
// is passed on as it lies in the input; only such a dot cuts it in two.
//
// Whatever a chunk is answered with, its octets are consumed before: they are never commands.
#include <algorithm>
#include <charconv>

#include "core/check.h"
#include "smtp/server_session.h"

namespace outbox::smtp {
namespace {

constexpr EnhancedCode kBadChunkSequence{5, 5, 1};
constexpr std::string_view kStuffedDot = ".";
constexpr std::string_view kFinalDot = ".\r\n";
constexpr std::string_view kEndAndFinalDot = "\r\n.\r\n";

}  // namespace

uint64_t ServerSession::body_left() const {
  if (state_ == State::kBody) return UINT64_MAX;
  return state_ == State::kChunk ? chunk_left_ : 0;
}

ServerSession::Step ServerSession::HandleBdat(OutputBuffer* out) {
  if (!options_->offers_chunking) {
    return Error({502, kBadChunkSequence, "Command not implemented"}, out);
  }
  if (!command_.ok()) {
    // Where its octets end is not known, and what they say are no commands.
    BadCommand(out);
    disowned_ = true;
    state_ = State::kClosed;
    return Step::kClose;
  }
  chunk_size_ = chunk_left_ = command_.chunk_size;
  last_chunk_ = command_.last_chunk;
  if (chunk_size_ == 0 && !last_chunk_ && ++idle_commands_ > core::kSmtpIdleCommandsMax &&
      ++errors_ >= options_->max_errors) {
    return Disown({421, {4, 7, 0}, "Too many commands that bring no mail. Closing"}, out);
  }
  std::string_view nothing;
  if (const Reply refusal = WhyNoChunk(); refusal.code != 0) {
    // Of chunks that were sent ahead the first one alone is an error.
    const bool counts = chunks_ == Chunks::kNone || chunks_ == Chunks::kOpen;
    RefuseChunk(refusal, counts);
    if (chunk_size_ > core::kSmtpDrainBytesMax) return Disown(refusal, out);
    return NextDrainedChunk(&nothing, out);
  }
  if (chunks_ != Chunks::kOpen) {
    state_ = State::kAskedChunk;
    return Step::kAskData;
  }
  state_ = State::kChunk;
  return chunk_left_ == 0 ? NextChunk(&nothing, out) : Step::kNeedBytes;
}

// Why the chunk cannot be taken, by what is known before it comes; code 0: it can.
Reply ServerSession::WhyNoChunk() const {
  if (chunks_ == Chunks::kFailed) {
    return {503, kBadChunkSequence, "The message was refused already; send RSET"};
  }
  if (!extended_) return {503, kBadChunkSequence, "Send EHLO first"};
  if (!transaction_) return {503, kBadChunkSequence, "Send MAIL and RCPT first"};
  if (recipients_ == 0) {
    if (rcpt_refused_) return {554, kBadChunkSequence, "No valid recipients"};
    return {503, kBadChunkSequence, "Send RCPT first"};
  }
  const uint64_t limit = options_->max_message_bytes;
  const uint64_t so_far = chunks_ == Chunks::kOpen ? scanner_.summary().message_size() : 0;
  if (limit > 0 && chunk_size_ > limit - std::min(limit, so_far)) {
    return {552, {5, 3, 4}, "The message is larger than the limit that EHLO tells"};
  }
  return {};
}

// The chunk in hand is dropped, then told why; and the message fails. REQUIRES: the text stays.
void ServerSession::RefuseChunk(const Reply& refusal, bool counts) {
  if (chunks_ != Chunks::kFailed && chunks_ != Chunks::kStray) drained_ = 0;
  if (chunks_ != Chunks::kFailed) chunks_ = transaction_ ? Chunks::kFailed : Chunks::kStray;
  chunk_refusal_ = refusal;
  chunk_error_ = counts;
  scans_drained_ = false;
  state_ = State::kDrainedChunk;
}

// kAskData's answer to the first chunk.
ServerSession::Step ServerSession::AnswerChunk(const Reply& reply) {
  CHECK(reply.code == 354 || reply.first_digit() >= 4);
  if (reply.code == 354) {
    scanner_.Reset();
    drained_ = 0;
    chunks_ = Chunks::kOpen;
    state_ = State::kChunk;
    return Step::kNeedBytes;
  }
  // No line is read before it is told.
  const size_t size = std::min(reply.text.size(), sizeof(line_));
  reply.text.copy(line_, size);
  RefuseChunk({reply.code, reply.enhanced, {line_, size}}, /*counts=*/false);
  return Step::kNeedBytes;
}

ServerSession::Step ServerSession::NextChunk(std::string_view* input, OutputBuffer* out) {
  if (chunk_left_ == 0) return EndChunk(out);
  if (input->empty()) return Step::kNeedBytes;
  const std::string_view piece = input->substr(0, std::min<uint64_t>(chunk_left_, input->size()));
  const size_t size = scanner_.ConsumePlain(piece);
  chunk_ = piece.substr(0, size);
  if (size == 0) {
    chunk_ = kStuffedDot;
    scanner_.Consume(chunk_);
  }
  input->remove_prefix(size);
  chunk_left_ -= size;
  if (BodyRefusal().code == 0) return Step::kBody;
  // The rest of the chunk is looked at as well, so that the reply does not depend on how the bytes
  // were split.
  RefuseChunk(BodyRefusal(), /*counts=*/true);
  scans_drained_ = true;
  chunk_ = {};
  return NextDrainedChunk(input, out);
}

ServerSession::Step ServerSession::EndChunk(OutputBuffer* out) {
  if (!last_chunk_) {
    state_ = State::kCommands;
    char text[48];
    constexpr std::string_view kReceived = " octets received";
    char* const end = std::to_chars(text, text + 24, chunk_size_).ptr;
    kReceived.copy(end, kReceived.size());
    const size_t size = static_cast<size_t>(end - text) + kReceived.size();
    return Say({250, {2, 0, 0}, {text, size}}, out);
  }
  if (scanner_.complete()) {
    state_ = State::kAskedCommit;
    return Step::kEndOfBody;
  }
  CompleteBody();
  if (BodyRefusal().code == 0) return Step::kBody;
  return RefuseWholeBody(out);
}

void ServerSession::CompleteBody() {
  chunk_ = scanner_.at_line_start() ? kFinalDot : kEndAndFinalDot;
  scanner_.Consume(chunk_);
}

// Drops the octets of a refused chunk, and tells why behind them.
ServerSession::Step ServerSession::NextDrainedChunk(std::string_view* input, OutputBuffer* out) {
  if (transaction_) {
    transaction_ = false;
    return Step::kAbort;
  }
  std::string_view piece = input->substr(0, std::min<uint64_t>(chunk_left_, input->size()));
  input->remove_prefix(piece.size());
  chunk_left_ -= piece.size();
  drained_ += piece.size();
  while (scans_drained_ && !piece.empty()) {
    const size_t size = scanner_.ConsumePlain(piece);
    if (size == 0) scanner_.Consume(kStuffedDot);
    piece.remove_prefix(size);
  }
  if (scans_drained_) {
    if (chunk_left_ == 0 && last_chunk_) CompleteBody();
    chunk_refusal_ = BodyRefusal();
  }
  if (drained_ > core::kSmtpDrainBytesMax) return Disown(chunk_refusal_, out);
  if (chunk_left_ > 0) return Step::kNeedBytes;
  state_ = State::kCommands;
  chunk_ = {};
  if (last_chunk_) ForgetTransaction();
  return chunk_error_ ? Error(chunk_refusal_, out) : Say(chunk_refusal_, out);
}

}  // namespace outbox::smtp
