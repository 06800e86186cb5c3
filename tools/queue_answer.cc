#include "tools/queue_answer.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/time.h"
#include "queue/message_id.h"

namespace outbox::tools {
namespace {

nlohmann::json OrNull(const std::string& text) {
  return text.empty() ? nlohmann::json(nullptr) : nlohmann::json(text);
}

}  // namespace

nlohmann::json QueueLineJson(const queue::QueueLine& line) {
  nlohmann::json json;
  json["id"] = queue::FormatMessageId(line.id);
  json["sender"] = line.sender;
  json["recipient"] = line.recipient;
  json["domain"] = line.domain;
  json["state"] = queue::RecipientStateName(line.state);
  json["attempts"] = line.attempts;
  json["next_attempt"] = line.next_attempt_wall_ns == 0
                             ? nlohmann::json(nullptr)
                             : nlohmann::json(line.next_attempt_wall_ns / core::kNsPerSecond);
  json["mailhost"] = OrNull(line.mailhost);
  json["last_reply"] = OrNull(line.last_reply);
  json["age_seconds"] = line.age_ns / core::kNsPerSecond;
  json["size"] = line.size;
  return json;
}

QueueAnswer::QueueAnswer(ControlServer* server, std::shared_ptr<ReplyStream> reply, uint32_t shards)
    : server_(server), reply_(std::move(reply)), shards_left_(shards) {}

void QueueAnswer::HoldUntilDone() {
  self_ = shared_from_this();
  reply_->WhenGone([weak = weak_from_this()] {
    if (const std::shared_ptr<QueueAnswer> self = weak.lock()) self->OnGone();
  });
}

void QueueAnswer::OnGone() {
  gone_.store(true, std::memory_order_relaxed);
  lines_.clear();
  waiting_.store(0, std::memory_order_relaxed);
}

bool QueueAnswer::Lines(std::vector<queue::QueueLine> lines) {
  if (gone()) return false;
  waiting_.fetch_add(lines.size(), std::memory_order_relaxed);
  server_->Post([self = shared_from_this(), chunk = std::move(lines)]() mutable {
    if (self->gone()) return;
    std::move(chunk.begin(), chunk.end(), std::back_inserter(self->lines_));
    self->Pump();
  });
  return true;
}

void QueueAnswer::Pump() {
  if (paused_ || gone()) return;
  while (!lines_.empty()) {
    if (reply_->full()) {
      paused_ = true;
      reply_->WhenReady([self = shared_from_this()] {
        self->paused_ = false;
        self->Pump();
      });
      return;
    }
    if (!reply_->Send(QueueLineJson(lines_.front()))) return OnGone();
    lines_.pop_front();
    waiting_.fetch_sub(1, std::memory_order_relaxed);
  }
  if (shards_left_ > 0) return;
  if (refused_) {
    reply_->Fail("too many commands at once; the list is not complete");
  } else {
    reply_->Finish(
        {{"end", true}, {"unreadable", gaps_.unreadable}, {"recovering", gaps_.recovering}});
  }
}

void QueueAnswer::Done(const queue::ListGaps& gaps) {
  server_->Post([self = shared_from_this(), gaps] { self->EndOne(gaps); });
}

void QueueAnswer::Refuse() {
  server_->Post([self = shared_from_this()] {
    self->refused_ = true;
    self->EndOne({});
  });
}

void QueueAnswer::EndOne(const queue::ListGaps& gaps) {
  gaps_.unreadable += gaps.unreadable;
  gaps_.recovering += gaps.recovering;
  if (--shards_left_ > 0) return;
  const std::shared_ptr<QueueAnswer> self = std::move(self_);
  Pump();
}

}  // namespace outbox::tools
