// The DNS names other hosts while mail is under way to those of before: what becomes of an attempt
// whose connection is of no more use.
#include <gtest/gtest.h>

#include <string>

#include "tests/queue/shard_world.h"

namespace outbox::queue {
namespace {

using core::kNsPerHour;
using core::kNsPerMinute;
using core::kNsPerMs;
using core::kNsPerSecond;

constexpr char kOld[] = "10.0.0.1:25";
constexpr char kNew[] = "10.0.0.2:25";
const std::string kExample = "mx:example.com";

dns::MxHost OldHost() { return ScriptedAnswer::Host(10, "a.example", {"10.0.0.1"}); }
dns::MxHost NewHost() { return ScriptedAnswer::Host(10, "b.example", {"10.0.0.2"}); }

// Host A puts its mail off, slowly; meanwhile the domain has moved to host B.
void BeginAtA(ShardWorld* world) {
  world->dns()["example.com"] = {.hosts = {OldHost()}, .ttl_ns = kNsPerSecond};
  world->host(kOld).step_ns = 2 * kNsPerSecond;
  world->host(kOld).defer_rcpt = 100;
}

TEST(PlanChangeTest, AConnectionThatWaitsForWorkTakesWhatTheOldHostPutOff) {
  ShardWorld world({.shards = 1, .limit = 2});
  BeginAtA(&world);
  TestMail* first = world.Send(0, kExample);
  world.RunFor(3 * kNsPerSecond);
  EXPECT_EQ(world.connects(kOld), 1u);
  world.dns()["example.com"].hosts = {NewHost()};
  TestMail* second = world.Send(0, kExample);
  world.RunFor(kNsPerSecond);
  EXPECT_EQ(second->delivered, 1u);
  EXPECT_EQ(world.connects(kNew), 1u);
  // The connection to B would be closed five seconds after that; A is left before.
  ASSERT_TRUE(world.RunUntilHome(3800 * kNsPerMs));
  EXPECT_EQ(first->delivered, 1u);
  EXPECT_EQ(world.connects(kNew), 1u);
  world.Stop();
}

TEST(PlanChangeTest, WithoutAConnectionItWaitsLikeOtherMail) {
  ShardWorld world({.shards = 1, .limit = 1});
  BeginAtA(&world);
  // Mail of another domain has the only connection to B, for long.
  world.dns()["other.example"] = {.hosts = {NewHost()}};
  world.host(kNew).step_ns = 5 * kNsPerMinute;
  TestMail* other = world.Send(0, "mx:other.example");
  TestMail* first = world.Send(0, kExample);
  world.RunFor(3 * kNsPerSecond);
  world.dns()["example.com"].hosts = {NewHost()};
  TestMail* second = world.Send(0, kExample);
  world.RunFor(6 * kNsPerSecond);  // A has put it off
  EXPECT_EQ(first->leases, 0u);
  ASSERT_TRUE(world.RunUntil([&] { return !first->out; }, 10 * kNsPerSecond));
  EXPECT_EQ(first->reason, ReturnReason::kAttempted);
  EXPECT_EQ(first->delivered + first->bounced, 0u);
  EXPECT_TRUE(second->out);
  EXPECT_TRUE(other->out);
  world.host(kNew).step_ns = kNsPerMs;
  ASSERT_TRUE(world.RunUntilHome(kNsPerHour));
  EXPECT_EQ(second->delivered, 1u);
  EXPECT_EQ(other->delivered, 1u);
  world.Stop();
}

// The only connection to the new host is busy for long: another one.
TEST(PlanChangeTest, ASlowConnectionToTheNewHostIsNotWaitedFor) {
  ShardWorld world({.shards = 1, .limit = 2});
  BeginAtA(&world);
  TestMail* first = world.Send(0, kExample);
  world.RunFor(3 * kNsPerSecond);
  world.dns()["example.com"].hosts = {NewHost()};
  world.host(kNew).step_ns = 2 * kNsPerSecond;
  TestMail* second = world.Send(0, kExample);
  world.RunFor(3 * kNsPerSecond);
  world.host(kNew).step_ns = 5 * kNsPerMinute;  // its next reply takes so long
  ASSERT_TRUE(world.RunUntil([&] { return world.connects(kNew) == 1; }, kNsPerMinute));
  EXPECT_TRUE(second->out);
  world.RunFor(5 * kNsPerSecond);
  EXPECT_TRUE(world.table(0).counters().connections >= 2);
  ASSERT_TRUE(world.RunUntilHome(kNsPerHour));
  EXPECT_EQ(first->delivered, 1u);
  EXPECT_EQ(second->delivered, 1u);
  world.Stop();
}

}  // namespace
}  // namespace outbox::queue
