#include "io/standing_receives.h"

#include "core/check.h"

namespace outbox::io {

StandingReceive* StandingReceives::Get(Socket socket) {
  CHECK(socket >= 0);
  const size_t place = static_cast<size_t>(socket);
  if (place >= by_socket_.size()) by_socket_.resize(place + 1, nullptr);
  if (by_socket_[place] != nullptr) return by_socket_[place];
  if (free_.empty()) free_.push_back(&all_.emplace_back());
  StandingReceive* receive = free_.back();
  free_.pop_back();
  receive->socket = socket;
  by_socket_[place] = receive;
  return receive;
}

void StandingReceives::Close(StandingReceive* receive) {
  CHECK(receive->op == nullptr && receive->early.empty());
  by_socket_[static_cast<size_t>(receive->socket)] = nullptr;
  receive->socket = kNoHandle;
  if (!receive->armed) Forget(receive);
}

void StandingReceives::Forget(StandingReceive* receive) {
  CHECK(receive->socket == kNoHandle && !receive->armed);
  *receive = StandingReceive();
  free_.push_back(receive);
}

}  // namespace outbox::io
