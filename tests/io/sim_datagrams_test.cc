// The simulated UDP: hosts that answer, loss, doubles, overtaking, rules; the same for one seed.
#include "io/sim_datagrams.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>
#include <string>
#include <vector>

#include "io/sim_io.h"
#include "io/sim_world.h"
#include "tests/io/sim_test_util.h"

namespace outbox::io {
namespace {

const core::SocketAddress kHost = {core::IpAddress::V4(10, 0, 0, 53), 53};

// Sends numbered datagrams to a host that sends each back, and collects what comes.
struct Echo {
  explicit Echo(const SimOptions& options) : world(options), io(&world) {
    SimDatagrams& datagrams = world.network().datagrams();
    datagrams.SetHost(kHost,
                      [&datagrams](const core::SocketAddress& from, const std::string& bytes) {
                        datagrams.SendFrom(kHost, from, bytes);
                      });
  }
  std::vector<std::string> Run(int count) {
    const Socket socket = io.OpenUdp(kHost, nullptr);
    std::string memory(100, '\0');
    Waiter receive;
    std::vector<std::string> came;
    io.RecvInto(&receive.op, socket, std::span(memory));
    for (int i = 0; i < count; ++i) {
      const std::string text = std::to_string(i);
      const iovec part = {const_cast<char*>(text.data()), text.size()};
      Waiter send;
      io.Send(&send.op, socket, {&part, 1});
      world.RunUntil([&] { return send.done; }, core::kNsPerMinute);
      while (receive.done) {
        came.emplace_back(memory.data(), static_cast<size_t>(receive.value));
        receive.done = false;
        io.RecvInto(&receive.op, socket, std::span(memory));
        world.RunFor(core::kNsPerMs);
      }
    }
    while (world.RunUntil([&] { return receive.done; }, core::kNsPerMinute) ==
           SimWorld::RunResult::kCondition) {
      came.emplace_back(memory.data(), static_cast<size_t>(receive.value));
      receive.done = false;
      io.RecvInto(&receive.op, socket, std::span(memory));
    }
    io.Cancel(&receive.op);
    world.RunUntil([&] { return receive.done; }, core::kNsPerMinute);
    EXPECT_EQ(receive.value, -ECANCELED);
    io.CloseSocket(socket, false);
    EXPECT_EQ(world.network().datagrams().sockets(), 0u);
    return came;
  }

  SimWorld world;
  SimIo io;
};

TEST(SimDatagramsTest, AHostAnswers) {
  Echo echo({});
  EXPECT_EQ(echo.Run(20).size(), 20u);
}

TEST(SimDatagramsTest, LossDoublesAndOvertakingByChance) {
  SimOptions options;
  options.seed = 5;
  options.network.datagram_lost_ppm = 200'000;
  options.network.datagram_twice_ppm = 100'000;
  options.network.datagram_late_ppm = 200'000;
  Echo echo(options);
  const std::vector<std::string> came = echo.Run(200);
  EXPECT_GT(came.size(), 100u);
  EXPECT_LT(came.size(), 200u);
  bool overtaken = false;
  for (size_t i = 1; i < came.size(); ++i) {
    if (std::stoi(came[i]) < std::stoi(came[i - 1])) overtaken = true;
  }
  EXPECT_TRUE(overtaken);
  Echo again(options);
  EXPECT_EQ(again.Run(200), came);
  EXPECT_EQ(again.world.trace_hash(), echo.world.trace_hash());
}

TEST(SimDatagramsTest, RulesOfTheNetworkHoldForDatagrams) {
  Echo echo({});
  echo.world.network().SetReach(kHost, SimReach::kBlackhole);
  EXPECT_EQ(echo.Run(3).size(), 0u);
  echo.world.network().SetReach(kHost, SimReach::kRefused);
  const Socket socket = echo.io.OpenUdp(kHost, nullptr);
  std::string memory(100, '\0');
  Waiter receive;
  Waiter send;
  const iovec part = {memory.data(), 1};
  echo.io.RecvInto(&receive.op, socket, std::span(memory));
  echo.io.Send(&send.op, socket, {&part, 1});
  echo.world.RunUntil([&] { return receive.done && send.done; }, core::kNsPerMinute);
  EXPECT_EQ(receive.value, -ECONNREFUSED);
  EXPECT_EQ(send.value, 1);
  echo.io.CloseSocket(socket, false);
}

}  // namespace
}  // namespace outbox::io
