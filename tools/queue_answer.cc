#include "tools/queue_answer.h"

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

bool QueueAnswer::Lines(std::vector<queue::QueueLine> lines) {
  if (gone_.load(std::memory_order_relaxed)) return false;
  waiting_.fetch_add(1, std::memory_order_relaxed);
  server_->Post([self = shared_from_this(), chunk = std::move(lines)] { self->Write(chunk); });
  return true;
}

void QueueAnswer::Write(const std::vector<queue::QueueLine>& lines) {
  for (const queue::QueueLine& line : lines) {
    if (!reply_->Send(QueueLineJson(line))) gone_.store(true, std::memory_order_relaxed);
  }
  // The chunk counts as waiting until the client's stream has room again.
  reply_->WhenReady(
      [self = shared_from_this()] { self->waiting_.fetch_sub(1, std::memory_order_relaxed); });
}

void QueueAnswer::Done() {
  server_->Post([self = shared_from_this()] { self->EndOne(); });
}

void QueueAnswer::Refuse() {
  server_->Post([self = shared_from_this()] {
    self->refused_ = true;
    self->EndOne();
  });
}

void QueueAnswer::EndOne() {
  if (--shards_left_ > 0) return;
  if (refused_) {
    reply_->Fail("too many commands at once; the list is not complete");
  } else {
    reply_->Finish({{"end", true}});
  }
  self_.reset();
}

}  // namespace outbox::tools
