// The simulated world itself: clocks, turns, sleep and wake-up, and repetition by the seed.
#include "io/sim_world.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "io/sim_io.h"
#include "tests/io/sim_test_util.h"

namespace outbox::io {
namespace {

TEST(SimWorldTest, ClockIsFrozenForATurnAndSleepEndsAtItsTime) {
  SimWorld world({});
  SimIo io(&world);
  const int64_t start = world.now_ns();
  std::vector<int64_t> turns;
  io.set_run_once([&] {
    const int64_t before = io.now_ns();
    EXPECT_EQ(io.now_ns(), before);
    io.Turn(start + 5 * core::kNsPerSecond);
    turns.push_back(io.now_ns());
    if (io.now_ns() >= start + 5 * core::kNsPerSecond) io.set_run_once(nullptr);
  });
  EXPECT_EQ(world.RunFor(core::kNsPerMinute), SimWorld::RunResult::kTimeLimit);
  EXPECT_EQ(world.now_ns(), start + core::kNsPerMinute);
  ASSERT_GE(turns.size(), 2u);
  EXPECT_EQ(turns.front(), start);
  EXPECT_EQ(turns.back(), start + 5 * core::kNsPerSecond);
  EXPECT_LT(turns.size(), 5u);
}

TEST(SimWorldTest, WallClockJumpsAndSteadyDoesNot) {
  SimWorld world({});
  SimIo io(&world);
  const int64_t steady = world.now_ns();
  const int64_t wall = world.wall_ns();
  world.JumpWall(-core::kNsPerHour);
  io.Turn(0);
  EXPECT_EQ(io.now_ns(), steady);
  EXPECT_EQ(io.wall_ns(), wall - core::kNsPerHour);
}

TEST(SimWorldTest, WakeInterruptsOnlyAnAnnouncedSleep) {
  for (const bool announced : {true, false}) {
    SimWorld world({});
    SimIo sleeper(&world);
    SimIo waker(&world);
    int turns = 0;
    sleeper.set_run_once([&] {
      ++turns;
      if (announced) sleeper.PrepareToSleep();
      sleeper.Turn(core::kNever);
    });
    world.RunFor(core::kNsPerSecond);
    const int asleep = turns;
    waker.Wake(&sleeper);
    world.RunFor(core::kNsPerSecond);
    EXPECT_EQ(turns > asleep, announced);
    const int before = turns;
    sleeper.WakeFromOutside();
    world.RunFor(core::kNsPerSecond);
    EXPECT_GT(turns, before);
  }
}

TEST(SimWorldTest, ALoopThatNeverSleepsEndsAtTheTurnLimit) {
  SimOptions options;
  options.turns_max = 1000;
  SimWorld world(options);
  SimIo io(&world);
  io.set_run_once([&] { io.Turn(0); });
  EXPECT_EQ(world.RunFor(core::kNsPerHour), SimWorld::RunResult::kTurnLimit);
}

TEST(SimWorldTest, TurnOutsideOfRunLetsTheWorldGoOn) {
  SimWorld world({});
  SimIo io(&world);
  Waiter open;
  io.Open(&open.op, "/a", {.write = true, .create = true});
  EXPECT_FALSE(open.done);
  for (int i = 0; i < 100 && !open.done; ++i) io.Turn(world.now_ns() + core::kNsPerSecond);
  EXPECT_GE(open.value, 0);
  const int64_t until = world.now_ns() + core::kNsPerHour;
  io.Turn(until);
  EXPECT_EQ(io.now_ns(), until);
}

// What is due at the same time comes in an order of the seed's choice.
TEST(SimWorldTest, TiesAreShuffled) {
  std::set<std::vector<int>> orders;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    SimWorld world(Seeded(seed));
    std::vector<int> order;
    std::vector<std::unique_ptr<SimIo>> ios;
    for (int i = 0; i < 3; ++i) {
      ios.push_back(std::make_unique<SimIo>(&world));
      SimIo* io = ios.back().get();
      io->set_run_once([&order, io, i] {
        order.push_back(i);
        io->Turn(core::kNever);
      });
    }
    world.RunUntil([&] { return order.size() == 3; }, core::kNsPerSecond);
    orders.insert(order);
  }
  EXPECT_EQ(orders.size(), 6u);
}

// A program with files, sockets and faults in it: an echo server that keeps a log, and its client.
uint64_t RunProgram(uint64_t seed, std::string* received) {
  SimOptions options = Seeded(seed);
  options.network.reset_ppm = 2'000;
  options.disk.write_error_ppm = 50'000;
  SimWorld world(options);
  SimIo server(&world, 1);
  SimIo client(&world, 2);
  const core::SocketAddress address = {core::IpAddress::V4(10, 0, 0, 1), 25};
  Waiter accept, connect, open;
  server.Accept(&accept.op, server.Listen(address, false).value());
  server.Open(&open.op, "/log", {.write = true, .create = true, .append = true});
  client.Connect(&connect.op, address, nullptr);
  world.RunUntil([&] { return connect.done && open.done && !accept.results.empty(); },
                 core::kNsPerMinute);
  for (int i = 0; i < 20; ++i) {
    const std::string line = "line " + std::to_string(i) + std::string(static_cast<size_t>(i), '.');
    const iovec part = {const_cast<char*>(line.data()), line.size()};
    Waiter send, receive, write;
    client.Send(&send.op, connect.value, std::span(&part, 1));
    server.Recv(&receive.op, accept.results[0]);
    server.Write(&write.op, open.value, std::span(&part, 1), 0);
    world.RunUntil([&] { return send.done && receive.done && write.done; }, core::kNsPerMinute);
    *received += receive.data + "|" + std::to_string(write.value) + "|";
    if (receive.value > 0) server.ReturnBuffer(receive.buffer);
  }
  world.Crash(1);
  *received += world.disk(1).ReadAll("/log");
  client.Abandon();
  return world.trace_hash();
}

TEST(SimWorldTest, SameSeedSameRun) {
  std::set<uint64_t> hashes;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    std::string once;
    std::string twice;
    const uint64_t hash = RunProgram(seed, &once);
    EXPECT_EQ(hash, RunProgram(seed, &twice));
    EXPECT_EQ(once, twice);
    hashes.insert(hash);
  }
  EXPECT_EQ(hashes.size(), 20u);
}

}  // namespace
}  // namespace outbox::io
