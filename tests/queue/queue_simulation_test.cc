// The destination's side under seeds: four shards, hosts with faults, recalls, tiny mailboxes,
// a DNS that changes its mind, stops.
//
// For every seed: each ticket that was offered comes back exactly once per offer; what came home is
// what the peers have taken, nobody gets a message twice; all windows are back when a ticket is;
// the site's limit holds over all shards; and the same seed gives the same trace.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "tests/queue/shard_world.h"

namespace outbox::queue {
namespace {

using core::kNsPerHour;
using core::kNsPerMinute;
using core::kNsPerMs;
using core::kNsPerSecond;

void DrawScript(core::Random* random, Script* script) {
  script->step_ns = random->Between(1, 50) * kNsPerMs / 10;
  script->refuse_rcpt = random->Chance(1, 3) ? 20 : 0;
  script->defer_rcpt = random->Chance(1, 3) ? 20 : 0;
  script->full_transaction = random->Chance(1, 3) ? 30 : 0;
  script->defer_data = random->Chance(1, 3) ? 20 : 0;
  script->break_session = random->Chance(1, 3) ? 10 : 0;
  script->up = !random->Chance(1, 5);
  script->greeting = random->Chance(1, 8) ? (random->Chance(1, 2) ? 421 : 554) : 220;
}

class SeedRun {
 public:
  explicit SeedRun(uint64_t seed) : world_(Draw(seed)), random_(world_.random().Next()) {
    for (int i = 1; i <= 10; ++i) {
      hosts_.push_back("10.0.0." + std::to_string(i) + ":25");
      DrawScript(&random_, &world_.host(hosts_.back()));
    }
    // Lists of one to three hosts; none shares a host with another site.
    keys_ = {"via:" + hosts_[0], "via:" + hosts_[1] + "," + hosts_[2],
             "via:" + hosts_[2] + "," + hosts_[1],
             "via:" + hosts_[3] + "," + hosts_[4] + "," + hosts_[5], "via:named.example:25",
             "mx:moves.example", "mx:grows.example", "mx:grows-too.example"};
    for (size_t i = 0; i < std::size(kNames); ++i) ChangeTheDns(i);
  }

  void Go() {
    const int mails = static_cast<int>(random_.Between(50, 400));
    for (int i = 0; i < mails; ++i) {
      Send();
      if (random_.Chance(1, 4)) world_.RunFor(random_.Between(0, 20 * kNsPerMs));
      if (random_.Chance(1, 10)) Recall();
      if (random_.Chance(1, 20)) ChangeTheDns(random_.Below(std::size(kNames)));
      if (random_.Chance(1, 50)) {
        Script& script = world_.host(hosts_[random_.Below(hosts_.size())]);
        script.up = !script.up;
      }
    }
    if (random_.Chance(1, 5)) {
      world_.RunFor(random_.Between(0, kNsPerSecond));
    } else {
      // The world heals, and everything that is out comes home by itself.
      for (const std::string& host : hosts_) world_.host(host) = Script{};
      for (const char* name : kNames) {
        world_.dns()[name].kind = dns::MxPlanKind::kHosts;
        world_.dns()[name].delay_ns = kNsPerMs;
      }
      EXPECT_TRUE(world_.RunUntilHome(24 * kNsPerHour));
    }
    world_.Stop();
    Check();
  }

  uint64_t trace() const { return world_.trace(); }

 private:
  static ShardWorld::Options Draw(uint64_t seed) {
    core::Random random(seed);
    ShardWorld::Options options;
    options.seed = random.Next();
    options.shards = static_cast<uint32_t>(random.Between(1, 5));
    options.tiny_mailboxes = random.Chance(1, 2);
    options.limit = static_cast<uint32_t>(random.Chance(1, 3) ? 1 : random.Between(2, 10));
    options.fetch_ns = random.Chance(1, 2) ? 100 * core::kNsPerUs : 20 * kNsPerMs;
    return options;
  }

  void Send() {
    ShardWorld::MailOptions mail;
    mail.recipients = static_cast<uint32_t>(random_.Chance(1, 10) ? 64 : random_.Between(1, 5));
    mail.sender = random_.Below(5);
    mail.priority = static_cast<uint8_t>(random_.Below(5));
    mail.extents = static_cast<uint32_t>(random_.Chance(1, 4) ? random_.Between(1, 6) : 0);
    mail.lease = random_.Chance(2, 3);
    mail.retry_s = static_cast<uint32_t>(random_.Between(1, 900));
    if (random_.Chance(1, 5)) {
      mail.deadline_ns = world_.now_ns() + random_.Between(0, 30 * kNsPerSecond);
    }
    const uint32_t home = static_cast<uint32_t>(random_.Below(world_.sites().capacity())) %
                          static_cast<uint32_t>(world_.post(0).shards());
    world_.Send(home, keys_[random_.Below(keys_.size())], mail);
  }

  // A name gets another answer: other hosts, none at all, another TTL, a slower server.
  void ChangeTheDns(uint64_t which) {
    ScriptedAnswer& answer = world_.dns()[kNames[which]];
    constexpr dns::MxPlanKind kKinds[] = {dns::MxPlanKind::kTemporary, dns::MxPlanKind::kInvalid,
                                          dns::MxPlanKind::kNoSuchDomain, dns::MxPlanKind::kNullMx};
    answer.kind = random_.Chance(2, 3) ? dns::MxPlanKind::kHosts : kKinds[random_.Below(4)];
    const bool other = random_.Chance(1, 2);
    switch (which) {
      case 0:
        answer.hosts = {ScriptedAnswer::Host(0, "", {"10.0.0.7"})};
        break;
      case 1:  // from one site to the other
        answer.hosts = {ScriptedAnswer::Host(10, other ? "a" : "b", {other ? "10.0.0.8"
                                                                           : "10.0.0.9"})};
        break;
      default:  // another address of the same host
        answer.hosts = {ScriptedAnswer::Host(10, "c", {"10.0.0.10"})};
        if (other) answer.hosts[0].addresses.insert(answer.hosts[0].addresses.begin(), extra_);
        break;
    }
    answer.ttl_ns = random_.Chance(1, 3) ? 0 : random_.Between(0, 10 * kNsPerSecond);
    answer.delay_ns = random_.Chance(1, 3) ? 0 : random_.Between(0, 500 * kNsPerMs);
  }

  void Recall() {
    const auto& mails = world_.mails();
    world_.Recall(mails[random_.Below(mails.size())].get());
  }

  void Check() {
    for (const auto& mail : world_.mails()) {
      EXPECT_FALSE(mail->out);
      EXPECT_EQ(mail->returns, mail->offers);
      EXPECT_EQ(mail->leases, 0u);
      EXPECT_EQ(mail->taken, mail->delivered);
      EXPECT_EQ(mail->delivered & mail->bounced, 0u);
    }
    const uint32_t limit = world_.limit();
    for (const std::string& host : hosts_) EXPECT_LE(world_.peak_connections(host), limit);
    for (uint32_t i = 0; i < world_.sites().capacity(); ++i) {
      EXPECT_EQ(world_.sites()[i].slots.in_use(), 0u);
    }
  }

  static constexpr const char* kNames[] = {"named.example", "moves.example", "grows.example",
                                           "grows-too.example"};
  const core::IpAddress extra_ = core::IpAddress::V4(10, 0, 0, 11);

  ShardWorld world_;
  core::Random random_;
  std::vector<std::string> hosts_;
  std::vector<std::string> keys_;
};

// OUTBOX_SEED=n runs that seed alone, OUTBOX_SEEDS=n the first n.
TEST(QueueSimulationTest, Seeds) {
  uint64_t first = 1;
  uint64_t last = 1000;
  if (const char* text = std::getenv("OUTBOX_SEEDS")) last = std::strtoull(text, nullptr, 10);
  if (const char* text = std::getenv("OUTBOX_SEED"))
    first = last = std::strtoull(text, nullptr, 10);
  for (uint64_t seed = first; seed <= last; ++seed) {
    SCOPED_TRACE("again with: OUTBOX_SEED=" + std::to_string(seed) + " queue_simulation_test");
    std::vector<uint64_t> traces;
    for (int again = 0; again < 2; ++again) {
      SeedRun run(seed);
      run.Go();
      traces.push_back(run.trace());
    }
    ASSERT_EQ(traces[0], traces[1]);
    ASSERT_FALSE(HasFailure());
  }
}

}  // namespace
}  // namespace outbox::queue
