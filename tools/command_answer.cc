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
                          const queue::QueueFilter& filter, const queue::OrderDetails& details) {
  if (order == queue::QueueOrder::kPurge) undo_ns_ = details.undo_ns;
  Post(shards, [order, filter, details](queue::Shard* shard, queue::CommandSink* sink) {
    return shard->operations().Command(order, filter, sink, details);
  });
}

void CommandAnswer::StartRedirect(const std::vector<queue::Shard*>& shards,
                                  const std::shared_ptr<const queue::RouteOrder>& order,
                                  const queue::QueueFilter& filter) {
  redirect_ = true;
  Post(shards, [order, filter](queue::Shard* shard, queue::CommandSink* sink) {
    return shard->operations().Redirect(order, filter, sink);
  });
}

void CommandAnswer::Post(const std::vector<queue::Shard*>& shards,
                         const std::function<bool(queue::Shard*, queue::CommandSink*)>& give) {
  self_ = shared_from_this();
  for (size_t i = 0; i < shards.size(); ++i) {
    parts_.push_back(std::make_unique<Part>());
    parts_.back()->answer = this;
  }
  for (size_t i = 0; i < shards.size(); ++i) {
    shards[i]->Post([this, give, part = parts_[i].get()](queue::Shard* shard) {
      if (give(shard, part)) return;
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
  if (redirect_) {
    line.erase("held");
    line["failed"] = sum.failed;
    line["made"] = sum.made;
  }
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
