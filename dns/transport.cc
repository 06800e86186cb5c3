#include "dns/transport.h"

#include "core/check.h"
#include "core/limits.h"
#include "dns/channel.h"
#include "dns/codec.h"

namespace outbox::dns {

Transport::Transport(io::Io* io, core::TimerWheel* wheel, ResolverCounters* counters)
    : io_(io),
      wheel_(wheel),
      counters_(counters),
      servers_(std::make_shared<NameServers>(std::vector<core::SocketAddress>())) {}

Transport::~Transport() { CHECK(closed()); }

void Transport::SetServers(const std::vector<core::SocketAddress>& servers) {
  servers_ = std::make_shared<NameServers>(servers);
}

void Transport::Ask(Question* question) {
  CHECK(has_servers() && !closing_ && CanAskFor(question->name));
  if (idle_.empty() && channels_.size() < core::kDnsQuestionsInFlight) {
    channels_.push_back(std::make_unique<Channel>(this));
    idle_.push_back(channels_.back().get());
  }
  if (idle_.empty()) return waiting_.PushBack(question);
  Channel* channel = idle_.back();
  idle_.pop_back();
  ++busy_;
  channel->Start(question);
}

void Transport::OnIdle(Channel* channel) {
  Question* next = waiting_.PopFront();
  if (next != nullptr) return channel->Start(next);
  idle_.push_back(channel);
  CHECK(busy_ > 0);
  --busy_;
}

void Transport::Close() {
  closing_ = true;
  while (waiting_.PopFront() != nullptr) {
  }
  for (const std::unique_ptr<Channel>& channel : channels_) channel->Abort();
}

}  // namespace outbox::dns
