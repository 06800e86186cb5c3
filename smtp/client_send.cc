// What a ClientConnection sends: commands and messages, a piece at a time.
#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "core/check.h"
#include "core/limits.h"
#include "smtp/client_connection.h"

namespace outbox::smtp {

// One send: commands, then, if a body is due, its prefix and next window, and behind the last
// window the next transaction's envelope.
void ClientConnection::SendOnce() {
  sending_ = context_->blocks->Take();
  OutputBuffer out(BlockCache::Memory(sending_));
  parts_.clear();
  AskForTransaction();
  const bool more = session_.Write(&out);
  secret_in_block_ = session_.waiting_for() == Stage::kAuth;
  if (session_.offers_chunking()) TellEvents({});  // behind BDAT the body is due at once
  talk_.Sent(out.written(), context_->io->now_ns());
  AddPart(out.written().data(), out.written().size());
  if (body_.slot >= 0 && !more && AskForWindow()) AddBody(&out);
  if (parts_.empty() || !connection_.open() || ended_) {
    GiveBlock();
    // A window may have had nothing but a dot.
    if (parts_.empty() && std::exchange(window_in_flight_, false)) {
      source_->ReleaseWindow(window_cookie_, window_token_);
      pump_again_ = true;
    }
    return;
  }
  progress_ = true;
  connection_.Send(parts_);
  // The next window can be fetched while this one is being sent.
  if (body_.slot >= 0) AskForWindow();
}

void ClientConnection::AddBody(OutputBuffer* out) {
  const DeliveryRequest& request = requests_[body_.slot];
  if (std::exchange(body_.prefix_due, false)) {
    if (request.prefix.size() <= core::kClientPrefixCopyMax &&
        request.prefix.size() + core::kClientCommandMax <= out->room()) {
      const size_t before = out->written().size();
      out->Append(request.prefix);
      AddPart(out->written().data() + before, request.prefix.size());
    } else {
      AddPart(request.prefix.data(), request.prefix.size());
    }
  }
  if (!body_.bdat) {
    AddPart(body_.window.bytes.data(), body_.window.bytes.size());
  } else if (!AddContent()) {
    // Another message than its record says: its octets must not become complete.
    session_.Abandon(SessionEnd::kSourceFailed);
    return TellEvents({});
  }
  body_.has_window = false;
  window_in_flight_ = true;
  window_cookie_ = request.cookie;
  window_token_ = body_.window.token;
  if (body_.bdat ? !body_.content.complete() : !body_.window.last) return;
  talk_.SentMessage(request.envelope.size, context_->io->now_ns());
  session_.BodyQueued(body_.slot);
  body_.slot = -1;
  AskForTransaction();
  if (out->room() < core::kClientCommandMax) return;
  const size_t before = out->written().size();
  session_.Write(out);
  const std::string_view commands = out->written().substr(before);
  talk_.Sent(commands, context_->io->now_ns());
  AddPart(commands.data(), commands.size());
}

// By BDAT: what of the window is content. False: it is not the body that it should be.
bool ClientConnection::AddContent() {
  const std::string_view window(body_.window.bytes.data(), body_.window.bytes.size());
  const UnstuffedBody before = body_.content;
  const size_t parts_before = parts_.size();
  const size_t last_size = parts_.empty() ? 0 : parts_.back().iov_len;
  size_t pieces = 0;
  bool good = body_.content.Cut(window, body_.window.last, [&](std::string_view piece) {
    if (++pieces + parts_before <= core::kSendPartsMax) AddPart(piece.data(), piece.size());
  });
  if (!good || pieces + parts_before <= core::kSendPartsMax) return good;
  // Nearly as many pieces as lines: a copy is cheaper.
  body_.content = before;
  parts_.resize(parts_before);
  if (parts_before > 0) parts_.back().iov_len = last_size;
  unstuffed_ = std::make_unique_for_overwrite<char[]>(window.size());
  size_t size = 0;
  good = body_.content.Cut(window, body_.window.last, [&](std::string_view piece) {
    size += piece.copy(unstuffed_.get() + size, piece.size());
  });
  AddPart(unstuffed_.get(), size);
  return good;
}

// Adjacent pieces become one.
void ClientConnection::AddPart(const void* data, size_t size) {
  if (size == 0) return;
  if (!parts_.empty()) {
    iovec& last = parts_.back();
    if (static_cast<const char*>(last.iov_base) + last.iov_len == data) {
      last.iov_len += size;
      return;
    }
  }
  parts_.push_back({const_cast<void*>(data), size});
}

// Not as it is, if a secret was in it: the block is for others next.
void ClientConnection::GiveBlock() {
  if (sending_ == nullptr) return;
  if (std::exchange(secret_in_block_, false)) explicit_bzero(sending_.get(), BlockCache::kBytes);
  context_->blocks->Give(std::move(sending_));
}

// What the last send was made of.
void ClientConnection::GiveSent() {
  GiveBlock();
  rest_.reset();
  unstuffed_.reset();
  if (parts_.capacity() > kUsualParts) {
    parts_.clear();
    parts_.shrink_to_fit();
  }
  context_->blocks->Unreserve(std::exchange(rest_room_, 0));
  cut_ = false;
}

size_t ClientConnection::PartBytes() const {
  size_t bytes = 0;
  for (const iovec& part : parts_) bytes += part.iov_len;
  return bytes;
}

void ClientConnection::FreeWindow() {
  if (!connection_.open() || ended_ || !window_in_flight_ || cut_) return;
  const size_t room = PartBytes();
  if (!context_->blocks->Reserve(room)) return;
  rest_room_ = room;
  cut_ = true;
  connection_.CutSend();
}

// Not for the first `sent` bytes: the kernel has those.
void ClientConnection::SendRest(size_t sent) {
  const size_t size = PartBytes() - sent;
  auto rest = std::make_unique<char[]>(size);
  size_t at = 0;
  for (const iovec& part : parts_) {
    const size_t skip = std::min(sent, part.iov_len);
    sent -= skip;
    const size_t length = part.iov_len - skip;
    if (length > 0) memcpy(rest.get() + at, static_cast<char*>(part.iov_base) + skip, length);
    at += length;
  }
  GiveBlock();
  rest_ = std::move(rest);
  cut_ = false;
  unstuffed_.reset();
  parts_.assign(1, {rest_.get(), size});
  connection_.Send(parts_);
}

void ClientConnection::OnSent(size_t size) {
  if (size < PartBytes()) {
    CHECK(cut_);
    SendRest(size);
    progress_ = size > 0;
  } else {
    GiveSent();
    progress_ = true;
  }
  if (std::exchange(window_in_flight_, false)) {
    busy_ = true;
    source_->ReleaseWindow(window_cookie_, window_token_);
    busy_ = false;
  }
  if (shaking_hands_ && !connection_.encrypted()) BeginTls();
  Pump();
}

}  // namespace outbox::smtp
