// One life of a ShardStory's relay, between a start and its end; only for its implementation.
#ifndef OUTBOX_TESTS_SCENARIO_STORY_LIFE_H_
#define OUTBOX_TESTS_SCENARIO_STORY_LIFE_H_

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/limits.h"
#include "core/metrics.h"
#include "io/sim_io.h"
#include "queue/auth_failures.h"
#include "queue/client_limits.h"
#include "queue/shard.h"
#include "queue/shard_mail.h"
#include "queue/site.h"
#include "tests/scenario/shard_story.h"

namespace outbox::queue {

struct ShardStory::Listing : QueueListSink {
  bool Lines(std::vector<QueueLine> more) override {
    // A turn has a time of its own, and one shard's is as good as the other's.
    if (std::exchange(turn_ns, world->now_ns()) != world->now_ns()) in_turn = 0;
    in_turn += more.size();
    most_in_turn = std::max(most_in_turn, in_turn);
    for (QueueLine& line : more) lines.push_back(std::move(line));
    return true;
  }
  bool full() const override { return lines.size() >= lines_max; }
  void Done(const ListGaps& more) override {
    ++done;
    gaps += more;
  }

  const io::SimWorld* world = nullptr;
  std::vector<QueueLine> lines;
  size_t lines_max = SIZE_MAX;
  size_t done = 0;
  ListGaps gaps;
  int64_t turn_ns = 0;
  size_t in_turn = 0;
  size_t most_in_turn = 0;
};

struct ShardStory::Counting : QueueCensusSink {
  bool gone() const override { return false; }
  void OnCensus(QueueCensus census) override {
    ++done;
    for (const QueueGroup& group : census.groups) {
      QueueGroup& sum = groups[group.name];
      sum.name = group.name;
      sum.rank = group.rank;
      sum += group;
    }
  }

  std::map<std::string, QueueGroup> groups;
  size_t done = 0;
};

struct ShardStory::Life {
  std::vector<std::unique_ptr<io::SimIo>> ios;
  std::unique_ptr<Exchange> exchange;
  SiteTable sites{core::kMaxSites};
  ClientLimits clients;
  AuthFailures auth_failures;
  std::vector<std::unique_ptr<core::ShardMetrics>> metrics;
  std::vector<std::unique_ptr<Listing>> listings;
  std::vector<std::unique_ptr<Counting>> countings;
  size_t events_begin = 0;  // its events, in those of all lives
  bool recovered = false;   // all that was left by the life before
  std::vector<std::unique_ptr<Shard>> shards;
};

}  // namespace outbox::queue

#endif  // OUTBOX_TESTS_SCENARIO_STORY_LIFE_H_
