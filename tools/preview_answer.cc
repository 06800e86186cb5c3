#include "tools/preview_answer.h"

#include <algorithm>
#include <string>
#include <utility>

#include "core/time.h"

namespace outbox::tools {
namespace {

using nlohmann::json;

constexpr size_t kGroupsShown = 5;

// Those with the most recipients.
json Largest(const queue::PurgeFacts::Groups& groups) {
  using Entry = std::pair<const std::string, queue::PurgeFacts::Group>;
  std::vector<const Entry*> order;
  order.reserve(groups.size());
  for (const Entry& entry : groups) order.push_back(&entry);
  const size_t shown = std::min(order.size(), kGroupsShown);
  std::partial_sort(order.begin(), order.begin() + static_cast<ptrdiff_t>(shown), order.end(),
                    [](const Entry* a, const Entry* b) {
                      if (a->second.recipients != b->second.recipients) {
                        return a->second.recipients > b->second.recipients;
                      }
                      return a->first < b->first;
                    });
  json list = json::array();
  for (size_t i = 0; i < shown; ++i) {
    list.push_back({{"group", order[i]->first},
                    {"recipients", order[i]->second.recipients},
                    {"bytes", order[i]->second.bytes}});
  }
  return list;
}

}  // namespace

void PreviewAnswer::Start(const std::vector<queue::Shard*>& shards,
                          const queue::QueueFilter& filter) {
  self_ = shared_from_this();
  shards_left_ = shards.size();
  reply_->WhenGone([weak = weak_from_this()] {
    if (const std::shared_ptr<PreviewAnswer> self = weak.lock()) self->gone_.store(true);
  });
  for (queue::Shard* const to : shards) {
    to->Post([this, filter](queue::Shard* shard) {
      if (shard->operations().Preview(filter, this)) return;
      server_->Post([this] {
        refused_ = true;
        EndOne();
      });
    });
  }
}

void PreviewAnswer::OnPurgeFacts(queue::PurgeFacts facts) {
  server_->Post([this, got = std::move(facts)] {
    sum_.Add(got);
    EndOne();
  });
}

void PreviewAnswer::EndOne() {
  if (--shards_left_ > 0) return;
  const std::shared_ptr<PreviewAnswer> self = std::move(self_);
  if (refused_) {
    reply_->Fail("too many commands at once; try again");
  } else {
    Finish();
  }
}

void PreviewAnswer::Finish() {
  const json line = {{"recipients", sum_.recipients},
                     {"messages", sum_.messages},
                     {"bytes", sum_.bytes},
                     {"sending", sum_.sending},
                     {"oldest_seconds", sum_.oldest_ns / core::kNsPerSecond},
                     {"senders", Largest(sum_.senders)},
                     {"domains", Largest(sum_.domains)},
                     {"sender_count", sum_.senders.size()},
                     {"domain_count", sum_.domains.size()},
                     {"undo_seconds", undo_ns_ / core::kNsPerSecond},
                     {"unreadable", sum_.gaps.unreadable},
                     {"recovering", sum_.gaps.recovering},
                     {"end", true}};
  reply_->Finish(line);
}

}  // namespace outbox::tools
