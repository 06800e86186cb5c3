#include "tools/command_answer.h"

#include "core/time.h"

namespace outbox::tools {

void CommandAnswer::Part::OnCommandWaits(const queue::CommandCounts& now) {
  answer->server_->Post([this, now] { answer->Report(this, now, /*done=*/false); });
}

void CommandAnswer::Part::OnCommandDone(const queue::CommandCounts& now) {
  answer->server_->Post([this, now] { answer->Report(this, now, /*done=*/true); });
}

void CommandAnswer::Start(const std::vector<queue::Shard*>& shards, queue::QueueOrder order,
                          const queue::QueueFilter& filter,
                          const queue::OrderDetails& details) {
  self_ = shared_from_this();
  if (order == queue::QueueOrder::kPurge) undo_ns_ = details.undo_ns;
  for (size_t i = 0; i < shards.size(); ++i) {
    parts_.push_back(std::make_unique<Part>());
    parts_.back()->answer = this;
  }
  for (size_t i = 0; i < shards.size(); ++i) {
    shards[i]->Post([this, order, filter, details, part = parts_[i].get()](queue::Shard* shard) {
      if (shard->operations().Command(order, filter, part, details)) return;
      server_->Post([this, part] { Refuse(part); });
    });
  }
}

void CommandAnswer::Report(Part* part, const queue::CommandCounts& counts, bool done) {
  part->counts = counts;
  part->walked = true;
  part->done = done;
  Update();
}

void CommandAnswer::Refuse(Part* part) {
  refused_ = true;
  Report(part, {}, /*done=*/true);
}

void CommandAnswer::Update() {
  queue::CommandCounts sum;
  bool walked = true;
  bool done = true;
  for (const auto& part : parts_) {
    sum += part->counts;
    walked = walked && part->walked;
    done = done && part->done;
  }
  if (!walked) return;
  nlohmann::json line = {{"found", sum.found}, {"done", sum.done}, {"waiting", sum.waiting},
                         {"kept", sum.kept},   {"held", sum.held}, {"unreadable", sum.unreadable}};
  if (undo_ns_ > 0) line["undo_seconds"] = undo_ns_ / core::kNsPerSecond;
  if (done) {
    if (refused_) {
      reply_->Fail("too many commands at once; what was found until now is done");
    } else {
      line["end"] = true;
      reply_->Finish(line);
    }
    self_.reset();
    return;
  }
  if (!told_) {
    told_ = true;
    reply_->Send(line);
  }
}

}  // namespace outbox::tools
