// What a ShardStory's operator orders.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <utility>

#include "core/time.h"
#include "tests/scenario/story_life.h"

namespace outbox::queue {

void ShardStory::SetSuspensions(std::vector<Suspension> all) {
  suspensions_ = std::make_shared<const SuspensionList>(std::move(all));
  if (life_ == nullptr) return;
  size_t heard = 0;
  for (const auto& shard : life_->shards) {
    shard->Post([list = suspensions_, &heard](Shard* one) {
      one->SetSuspensions(list);
      ++heard;
    });
  }
  EXPECT_TRUE(RunUntil([&] { return heard == shards_; }, core::kNsPerMinute));
}

std::map<std::string, SitePart> ShardStory::SiteParts() {
  struct Sink : SiteListSink {
    void OnSites(std::vector<SitePart> sites) override {
      ++done;
      for (const SitePart& one : sites) {
        SitePart& sum = parts[one.name];
        sum.name = one.name;
        sum.hash = one.hash;
        sum.rate = one.rate;
        sum.destinations += one.destinations;
        sum.suspended += one.suspended;
        sum.ready += one.ready;
        sum.sending += one.sending;
      }
    }
    std::map<std::string, SitePart> parts;
    size_t done = 0;
  };
  Sink sink;
  for (const auto& shard : life_->shards) {
    shard->Post([&sink](Shard* one) { EXPECT_TRUE(one->operations().ListSites(&sink)); });
  }
  EXPECT_TRUE(RunUntil([&] { return sink.done == shards_; }, core::kNsPerMinute));
  return sink.parts;
}

SiteTable& ShardStory::site_table() { return life_->sites; }

CommandCounts ShardStory::Command(QueueOrder order, const QueueFilter& filter,
                                  const OrderDetails& details) {
  return Give([order, filter, details](Shard* shard, CommandSink* sink) {
    return shard->operations().Command(order, filter, sink, details);
  });
}

CommandCounts ShardStory::Redirect(const RouteOrder& order, const QueueFilter& filter) {
  const auto shared = std::make_shared<const RouteOrder>(order);
  return Give([shared, filter](Shard* shard, CommandSink* sink) {
    return shard->operations().Redirect(shared, filter, sink);
  });
}

void ShardStory::StartRedirect(const RouteOrder& order, const QueueFilter& filter) {
  struct Deaf : CommandSink {
    void OnCommandWaits(const CommandCounts&) override {}
    void OnCommandDone(const CommandCounts&) override {}
  };
  static Deaf deaf;
  const auto shared = std::make_shared<const RouteOrder>(order);
  for (const auto& shard : life_->shards) {
    shard->Post([shared, filter](Shard* one) {
      EXPECT_TRUE(one->operations().Redirect(shared, filter, &deaf));
    });
  }
}

std::optional<DestinationView> ShardStory::LookAt(const std::string& key) {
  std::optional<DestinationView> view;
  size_t done = 0;
  for (const auto& shard : life_->shards) {
    shard->Post([&, key](Shard* one) {
      const DestinationFacts facts = one->operations().LookAt(key, "");
      if (facts.view.has_value()) view = facts.view;
      ++done;
    });
  }
  EXPECT_TRUE(RunUntil([&] { return done == shards_; }, core::kNsPerMinute));
  return view;
}

CommandCounts ShardStory::Give(const std::function<bool(Shard*, CommandSink*)>& give) {
  struct Sink : CommandSink {
    void OnCommandWaits(const CommandCounts&) override {}
    void OnCommandDone(const CommandCounts& counts) override {
      sum += counts;
      ++done;
    }
    CommandCounts sum;
    size_t done = 0;
  };
  Sink sink;
  for (const auto& shard : life_->shards) {
    shard->Post([&give, &sink](Shard* one) { EXPECT_TRUE(give(one, &sink)); });
  }
  EXPECT_TRUE(RunUntil([&] { return sink.done == shards_; }, core::kNsPerHour));
  return sink.sum;
}

std::vector<RecipientFacts> ShardStory::Explain(const QueueFilter& filter) {
  struct Sink : MessageFactsSink {
    void OnMessageFacts(MessageFacts facts) override {
      for (RecipientFacts& one : facts.recipients) all.push_back(std::move(one));
      ++done;
    }
    std::vector<RecipientFacts> all;
    size_t done = 0;
  };
  Sink sink;
  for (const auto& shard : life_->shards) {
    shard->Post([filter, &sink](Shard* one) {
      EXPECT_TRUE(one->operations().Explain(filter, &sink));
    });
  }
  EXPECT_TRUE(RunUntil([&] { return sink.done == shards_; }, core::kNsPerMinute));
  return std::move(sink.all);
}

PurgeFacts ShardStory::Preview(const QueueFilter& filter) {
  struct Sink : PurgePreviewSink {
    bool gone() const override { return false; }
    void OnPurgeFacts(PurgeFacts facts) override {
      sum.Add(facts);
      ++done;
    }
    PurgeFacts sum;
    size_t done = 0;
  };
  Sink sink;
  for (const auto& shard : life_->shards) {
    shard->Post([filter, &sink](Shard* one) {
      EXPECT_TRUE(one->operations().Preview(filter, &sink));
    });
  }
  EXPECT_TRUE(RunUntil([&] { return sink.done == shards_; }, core::kNsPerMinute));
  return sink.sum;
}

}  // namespace outbox::queue
