#include "dns/transport.h"

#include "core/check.h"
#include "core/limits.h"
#include "dns/channel.h"
#include "dns/codec.h"

namespace outbox::dns {
namespace {

// Channels for questions that are patient.
constexpr uint32_t kPatientInFlight = core::kDnsQuestionsInFlight / 4 * 3;
// Of the channels that become free while both kinds wait, one in so many is for them.
constexpr uint32_t kPatientTurn = 4;

}  // namespace

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
  if (!MayStart(*question)) return patient_.PushBack(question);
  if (idle_.empty() && channels_.size() < core::kDnsQuestionsInFlight) {
    channels_.push_back(std::make_unique<Channel>(this));
    idle_.push_back(channels_.back().get());
  }
  if (idle_.empty()) return (question->patient ? patient_ : waiting_).PushBack(question);
  Channel* channel = idle_.back();
  idle_.pop_back();
  ++busy_;
  Start(channel, question);
}

bool Transport::MayStart(const Question& question) const {
  return !question.patient || patient_busy_ < kPatientInFlight;
}

void Transport::Start(Channel* channel, Question* question) {
  channel->patient = question->patient;
  if (channel->patient) ++patient_busy_;
  channel->Start(question);
}

void Transport::Hurry(Question* question) {
  if (!question->patient) return;
  question->patient = false;
  if (!question->link.linked()) return;  // it is on its way
  patient_.Remove(question);
  Ask(question);
}

Question* Transport::Next() {
  const bool patient = !patient_.empty() && patient_busy_ < kPatientInFlight;
  if (patient && (waiting_.empty() || ++turns_ % kPatientTurn == 0)) return patient_.PopFront();
  return waiting_.PopFront();
}

void Transport::OnIdle(Channel* channel) {
  if (channel->patient) --patient_busy_;
  channel->patient = false;
  Question* next = Next();
  if (next != nullptr) return Start(channel, next);
  idle_.push_back(channel);
  CHECK(busy_ > 0);
  --busy_;
}

void Transport::Close() {
  closing_ = true;
  for (Questions* questions : {&waiting_, &patient_}) {
    while (questions->PopFront() != nullptr) {
    }
  }
  for (const std::unique_ptr<Channel>& channel : channels_) channel->Abort();
}

}  // namespace outbox::dns
