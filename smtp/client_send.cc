// The memory of a ClientConnection's send: where it goes when that is over, or is cut.
#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "core/check.h"
#include "smtp/client_connection.h"

namespace outbox::smtp {

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
  context_->blocks->Unreserve(std::exchange(rest_room_, 0));
  cut_ = false;
}

size_t ClientConnection::PartBytes() const {
  size_t bytes = 0;
  for (size_t i = 0; i < part_count_; ++i) bytes += parts_[i].iov_len;
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
  for (size_t i = 0; i < part_count_; ++i) {
    const size_t skip = std::min(sent, parts_[i].iov_len);
    sent -= skip;
    const size_t length = parts_[i].iov_len - skip;
    if (length > 0) memcpy(rest.get() + at, static_cast<char*>(parts_[i].iov_base) + skip, length);
    at += length;
  }
  GiveBlock();
  rest_ = std::move(rest);
  cut_ = false;
  parts_[0] = {rest_.get(), size};
  part_count_ = 1;
  connection_.Send({parts_, 1});
}

}  // namespace outbox::smtp
