#include "tools/census_answer.h"

#include <algorithm>
#include <utility>

#include "core/time.h"

namespace outbox::tools {
namespace {

using nlohmann::json;

void AddCounts(const queue::QueueGroup& group, json* out) {
  (*out)["recipients"] = group.recipients;
  (*out)["bytes"] = group.bytes;
  (*out)["oldest_seconds"] = group.oldest_ns / core::kNsPerSecond;
  (*out)["ages"] = group.ages;
}

}  // namespace

void CensusAnswer::Start(const std::vector<queue::Shard*>& shards,
                         const queue::QueueFilter& filter) {
  self_ = shared_from_this();
  shards_left_ = shards.size();
  reply_->WhenGone([weak = weak_from_this()] {
    if (const std::shared_ptr<CensusAnswer> self = weak.lock()) self->gone_.store(true);
  });
  for (queue::Shard* const to : shards) {
    to->Post([this, filter](queue::Shard* shard) {
      if (shard->operations().Count(filter, by_, this)) return;
      server_->Post([this] { Refuse(); });
    });
  }
}

void CensusAnswer::OnCensus(queue::QueueCensus census) {
  server_->Post([this, got = std::move(census)]() mutable { Take(std::move(got)); });
}

void CensusAnswer::Take(queue::QueueCensus census) {
  for (queue::QueueGroup& group : census.groups) {
    const auto [at, fresh] = groups_.try_emplace(group.name);
    if (fresh) {
      at->second = std::move(group);
    } else {
      at->second += group;
    }
  }
  others_ += census.others;
  gaps_ += census.gaps;
  EndOne();
}

void CensusAnswer::Refuse() {
  refused_ = true;
  EndOne();
}

void CensusAnswer::EndOne() {
  if (--shards_left_ > 0) return;
  const std::shared_ptr<CensusAnswer> self = std::move(self_);
  if (refused_) {
    reply_->Fail("too many commands at once; try again");
  } else {
    Finish();
  }
}

void CensusAnswer::Finish() {
  std::vector<const queue::QueueGroup*> order;
  queue::QueueGroup all = others_;
  for (const auto& [name, group] : groups_) {
    order.push_back(&group);
    all += group;
  }
  // States and ages have an order of their own; else the largest comes first.
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    if (a->rank != b->rank) return a->rank < b->rank;
    if (a->recipients != b->recipients) return a->recipients > b->recipients;
    return a->name < b->name;
  });
  json end = {{"end", true}};
  if (by_.has_value()) {
    const size_t shown = std::min<size_t>(order.size(), limit_);
    for (size_t i = 0; i < shown; ++i) {
      json line = {{"group", order[i]->name}};
      AddCounts(*order[i], &line);
      if (!reply_->SendText(
              line.dump(-1, ' ', false, json::error_handler_t::replace) + "\n")) {
        return;
      }
    }
    for (size_t i = shown; i < order.size(); ++i) others_ += *order[i];
    end["groups"] = order.size();
    end["shown"] = shown;
    end["others"] = json::object();
    AddCounts(others_, &end["others"]);
  }
  AddCounts(all, &end);
  end["unreadable"] = gaps_.unreadable;
  end["recovering"] = gaps_.recovering;
  end["purged"] = gaps_.purged;
  end["purged_until"] = gaps_.purged_until_wall_ns / core::kNsPerSecond;
  reply_->Finish(end);
}

}  // namespace outbox::tools
