// The simulated network: bytes in order and in pieces, back pressure, ends, resets, rules, crashes.
#include "io/sim_network.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "io/sim_io.h"
#include "io/sim_world.h"
#include "tests/io/sim_test_util.h"

namespace outbox::io {
namespace {

const core::SocketAddress kServer = {core::IpAddress::V4(10, 0, 0, 1), 25};

class SimNetworkTest : public testing::Test {
 protected:
  void Make(const SimOptions& options) {
    if (server_ != nullptr) server_->Abandon();
    if (client_ != nullptr) client_->Abandon();
    accept_.reset();
    server_.reset();
    client_.reset();
    world_ = std::make_unique<SimWorld>(options);
    server_ = std::make_unique<SimIo>(world_.get(), 1);
    client_ = std::make_unique<SimIo>(world_.get(), 2);
    accept_ = std::make_unique<Waiter>();
  }
  void SetUp() override { Make({}); }
  void TearDown() override {
    if (!server_->abandoned()) server_->Abandon();
    if (!client_->abandoned()) client_->Abandon();
  }

  void Run(const Waiter& waiter) {
    ASSERT_EQ(world_->RunUntil([&] { return waiter.done; }, core::kNsPerHour),
              SimWorld::RunResult::kCondition);
  }
  // A listener with an Accept, and one connection to it.
  void Join() {
    listener_ = server_->Listen(kServer, false).value();
    server_->Accept(&accept_->op, listener_);
    Waiter connect;
    client_->Connect(&connect.op, kServer, nullptr);
    Run(connect);
    ASSERT_GE(connect.value, 0);
    ours_ = connect.value;
    ASSERT_EQ(accept_->results.size(), 1u);
    theirs_ = accept_->value;
  }
  int32_t Send(SimIo* io, Socket socket, const std::string& bytes) {
    const iovec part = {const_cast<char*>(bytes.data()), bytes.size()};
    Waiter waiter;
    io->Send(&waiter.op, socket, std::span(&part, 1));
    Run(waiter);
    return waiter.value;
  }
  int32_t Receive(SimIo* io, Socket socket, std::string* into) {
    Waiter waiter;
    io->Recv(&waiter.op, socket);
    Run(waiter);
    *into += waiter.data;
    if (waiter.value > 0) io->ReturnBuffer(waiter.buffer);
    return waiter.value;
  }
  void Settle() { world_->RunFor(core::kNsPerMinute); }

  std::unique_ptr<SimWorld> world_;
  std::unique_ptr<SimIo> server_;
  std::unique_ptr<SimIo> client_;
  std::unique_ptr<Waiter> accept_;
  Socket listener_ = kNoHandle;
  Socket ours_ = kNoHandle;
  Socket theirs_ = kNoHandle;
};

std::string Text(size_t size) {
  std::string text(size, ' ');
  for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i % 23);
  return text;
}

TEST_F(SimNetworkTest, AddressesOfBothEnds) {
  Join();
  EXPECT_EQ(server_->LocalAddress(listener_), kServer);
  EXPECT_EQ(client_->PeerAddress(ours_), kServer);
  EXPECT_EQ(server_->LocalAddress(theirs_), kServer);
  EXPECT_EQ(server_->PeerAddress(theirs_), client_->LocalAddress(ours_));
  EXPECT_EQ(client_->LocalAddress(ours_).ip, core::IpAddress::V4(127, 0, 0, 1));
  EXPECT_FALSE(server_->Listen(kServer, true).ok());
}

TEST_F(SimNetworkTest, BytesArriveInOrderWhateverThePieces) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SimOptions options = Seeded(seed);
    options.network.byte_by_byte_ppm = seed % 4 == 0 ? 1'000'000 : 0;
    Make(options);
    Join();
    const std::string text = Text(3000 * seed);
    const iovec parts[2] = {{const_cast<char*>(text.data()), 1000},
                            {const_cast<char*>(text.data()) + 1000, text.size() - 1000}};
    Waiter send;
    client_->Send(&send.op, ours_, parts);
    std::string got;
    size_t receives = 0;
    while (got.size() < text.size()) {
      ASSERT_GT(Receive(server_.get(), theirs_, &got), 0);
      ++receives;
    }
    Run(send);
    EXPECT_EQ(send.value, static_cast<int32_t>(text.size()));
    EXPECT_TRUE(got == text);
    if (seed % 4 == 0) {
      EXPECT_GT(receives, 100u);
    }
  }
}

TEST_F(SimNetworkTest, SendWaitsForAReader) {
  SimOptions options;
  options.network.window_bytes_min = options.network.window_bytes_max = 10'000;
  Make(options);
  Join();
  const std::string text = Text(30'000);
  const iovec part = {const_cast<char*>(text.data()), text.size()};
  Waiter send;
  client_->Send(&send.op, ours_, std::span(&part, 1));
  Settle();
  EXPECT_FALSE(send.done);
  std::string got;
  while (got.size() < text.size()) {
    char body[7000];
    Waiter receive;
    server_->RecvInto(&receive.op, theirs_, body);
    Run(receive);
    ASSERT_GT(receive.value, 0);
    got.append(body, static_cast<size_t>(receive.value));
  }
  Run(send);
  EXPECT_TRUE(got == text);
}

TEST_F(SimNetworkTest, HalfCloseThenTheOtherHalf) {
  Join();
  EXPECT_EQ(Send(client_.get(), ours_, "last words"), 10);
  client_->ShutdownWrite(ours_);
  EXPECT_EQ(Send(client_.get(), ours_, "x"), -EPIPE);
  std::string got;
  while (Receive(server_.get(), theirs_, &got) > 0) {
  }
  EXPECT_EQ(got, "last words");
  EXPECT_EQ(Send(server_.get(), theirs_, "answer"), 6);
  server_->CloseSocket(theirs_, false);
  std::string answer;
  while (Receive(client_.get(), ours_, &answer) > 0) {
  }
  EXPECT_EQ(answer, "answer");
  client_->CloseSocket(ours_, false);
  EXPECT_EQ(world_->network().connections(), 0u);
}

TEST_F(SimNetworkTest, ResetIsToldOnce) {
  Join();
  server_->CloseSocket(theirs_, true);
  std::string got;
  EXPECT_EQ(Receive(client_.get(), ours_, &got), -ECONNRESET);
  EXPECT_EQ(Receive(client_.get(), ours_, &got), 0);
  EXPECT_EQ(Send(client_.get(), ours_, "x"), -EPIPE);
  client_->CloseSocket(ours_, false);
  EXPECT_EQ(world_->network().connections(), 0u);
}

TEST_F(SimNetworkTest, ArrivedBytesAreReadBeforeTheReset) {
  Join();
  EXPECT_EQ(Send(server_.get(), theirs_, "421 bye"), 7);
  Settle();
  server_->CloseSocket(theirs_, true);
  Settle();
  std::string got;
  while (got.size() < 7) ASSERT_GT(Receive(client_.get(), ours_, &got), 0);
  EXPECT_EQ(Receive(client_.get(), ours_, &got), -ECONNRESET);
}

TEST_F(SimNetworkTest, CloseWithUnreadBytesResets) {
  Join();
  EXPECT_EQ(Send(client_.get(), ours_, "QUIT\r\n"), 6);
  Settle();
  server_->CloseSocket(theirs_, false);
  std::string got;
  EXPECT_EQ(Receive(client_.get(), ours_, &got), -ECONNRESET);
}

TEST_F(SimNetworkTest, SendToAClosedEndIsReset) {
  Join();
  server_->CloseSocket(theirs_, false);
  std::string got;
  EXPECT_EQ(Receive(client_.get(), ours_, &got), 0);
  EXPECT_EQ(Send(client_.get(), ours_, "late"), 4);
  Settle();
  EXPECT_EQ(Send(client_.get(), ours_, "later"), -ECONNRESET);
}

TEST_F(SimNetworkTest, ConnectFollowsTheRules) {
  const auto connect = [&] {
    Waiter waiter;
    client_->Connect(&waiter.op, kServer, nullptr);
    Run(waiter);
    return waiter.value;
  };
  EXPECT_EQ(connect(), -ECONNREFUSED);  // nobody listens
  ASSERT_TRUE(server_->Listen({core::IpAddress(), 25}, false).ok());
  const Socket socket = connect();
  EXPECT_GE(socket, 0);
  world_->network().SetReach({kServer.ip, 0}, SimReach::kUnreachable);
  EXPECT_EQ(connect(), -EHOSTUNREACH);
  world_->network().SetReach(kServer, SimReach::kRefused);
  EXPECT_EQ(connect(), -ECONNREFUSED);
  world_->network().SetReach(kServer, SimReach::kBlackhole);
  const int64_t before = world_->now_ns();
  EXPECT_EQ(connect(), -ETIMEDOUT);
  EXPECT_GE(world_->now_ns() - before, world_->options().network.connect_timeout_ns);
}

TEST_F(SimNetworkTest, CancelledConnectLeavesNothing) {
  world_->network().SetReach(kServer, SimReach::kBlackhole);
  Waiter waiter;
  client_->Connect(&waiter.op, kServer, nullptr);
  world_->RunFor(core::kNsPerSecond);
  client_->Cancel(&waiter.op);
  EXPECT_FALSE(waiter.done);
  Run(waiter);
  EXPECT_EQ(waiter.value, -ECANCELED);
}

// A cancel that races with the result: both happen, the socket counts agree in every case.
TEST_F(SimNetworkTest, CancelCanLoseTheRace) {
  int won = 0;
  int lost = 0;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SimOptions options = Seeded(seed);
    options.network.latency = {0, 100 * core::kNsPerUs};
    Make(options);
    listener_ = server_->Listen(kServer, false).value();
    server_->Accept(&accept_->op, listener_);
    Waiter connect;
    client_->Connect(&connect.op, kServer, nullptr);
    client_->Cancel(&connect.op);
    Run(connect);
    if (connect.value >= 0) {
      ++lost;
      client_->CloseSocket(connect.value, true);
    } else {
      EXPECT_EQ(connect.value, -ECANCELED);
      ++won;
    }
    Settle();
    std::string got;
    if (!accept_->results.empty()) {
      EXPECT_EQ(Receive(server_.get(), accept_->results[0], &got), -ECONNRESET);
      server_->CloseSocket(accept_->results[0], false);
    }
    EXPECT_EQ(world_->network().connections(), 0u);
  }
  EXPECT_GT(won, 5);
  EXPECT_GT(lost, 5);
}

TEST_F(SimNetworkTest, CancelledReceiveAndSend) {
  SimOptions options;
  options.network.window_bytes_min = options.network.window_bytes_max = 5000;
  Make(options);
  Join();
  Waiter receive;
  client_->Recv(&receive.op, ours_);
  client_->Cancel(&receive.op);
  Run(receive);
  EXPECT_EQ(receive.value, -ECANCELED);

  const std::string text = Text(20'000);
  const iovec part = {const_cast<char*>(text.data()), text.size()};
  Waiter send;
  client_->Send(&send.op, ours_, std::span(&part, 1));
  Settle();
  client_->Cancel(&send.op);
  Run(send);
  EXPECT_EQ(send.value, 5000);
  Waiter blocked;
  client_->Send(&blocked.op, ours_, std::span(&part, 1));
  Settle();
  client_->Cancel(&blocked.op);
  Run(blocked);
  EXPECT_EQ(blocked.value, -ECANCELED);

  server_->Cancel(&accept_->op);
  Run(*accept_);
  EXPECT_EQ(accept_->value, -ECANCELED);
  server_->CloseSocket(listener_, false);
}

TEST_F(SimNetworkTest, ReceivesWaitInLineForBuffers) {
  SimOptions options;
  options.receive_buffers = 1;
  Make(options);
  listener_ = server_->Listen(kServer, false).value();
  server_->Accept(&accept_->op, listener_);
  constexpr int kConnections = 3;
  std::vector<Socket> clients;
  for (int i = 0; i < kConnections; ++i) {
    Waiter connect;
    client_->Connect(&connect.op, kServer, nullptr);
    Run(connect);
    clients.push_back(connect.value);
  }
  Settle();
  ASSERT_EQ(accept_->results.size(), 3u);
  Waiter receives[kConnections];
  for (int i = 0; i < kConnections; ++i) {
    server_->Recv(&receives[i].op, accept_->results[static_cast<size_t>(i)]);
  }
  // Bytes come to one after the other; only the first finds a buffer.
  for (int i = 0; i < kConnections; ++i) {
    EXPECT_EQ(Send(client_.get(), clients[static_cast<size_t>(i)], std::string(1, 'a')), 1);
    Settle();
  }
  EXPECT_TRUE(receives[0].done);
  EXPECT_FALSE(receives[1].done || receives[2].done);
  server_->ReturnBuffer(receives[0].buffer);
  Settle();
  EXPECT_TRUE(receives[1].done);
  EXPECT_FALSE(receives[2].done);
  server_->ReturnBuffer(receives[1].buffer);
  Settle();
  EXPECT_TRUE(receives[2].done);
  server_->ReturnBuffer(receives[2].buffer);
}

TEST_F(SimNetworkTest, SharedListenersBothGetConnections) {
  SimIo other(world_.get(), 1);
  Waiter other_accept;
  listener_ = server_->Listen(kServer, true).value();
  const Socket second = other.Listen(kServer, true).value();
  server_->Accept(&accept_->op, listener_);
  other.Accept(&other_accept.op, second);
  for (int i = 0; i < 30; ++i) {
    Waiter connect;
    client_->Connect(&connect.op, kServer, nullptr);
    Run(connect);
    ASSERT_GE(connect.value, 0);
  }
  Settle();
  EXPECT_EQ(accept_->results.size() + other_accept.results.size(), 30u);
  EXPECT_GT(accept_->results.size(), 0u);
  EXPECT_GT(other_accept.results.size(), 0u);
  other.Abandon();
}

TEST_F(SimNetworkTest, AcceptErrorEndsTheAcceptAndKeepsTheConnection) {
  SimOptions options;
  options.network.accept_error_ppm = 1'000'000;
  Make(options);
  listener_ = server_->Listen(kServer, false).value();
  server_->Accept(&accept_->op, listener_);
  Waiter connect;
  client_->Connect(&connect.op, kServer, nullptr);
  Run(connect);
  Run(*accept_);
  EXPECT_EQ(accept_->value, -EMFILE);
  world_->mutable_options().network.accept_error_ppm = 0;
  accept_->done = false;
  server_->Accept(&accept_->op, listener_);
  Settle();
  EXPECT_GE(accept_->value, 0);
}

TEST_F(SimNetworkTest, ConnectionsBreakAtRandomMoments) {
  int resets = 0;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SimOptions options = Seeded(seed);
    options.network.reset_ppm = 100'000;
    Make(options);
    Join();
    const std::string text = Text(100'000);
    const iovec part = {const_cast<char*>(text.data()), text.size()};
    Waiter send;
    client_->Send(&send.op, ours_, std::span(&part, 1));
    std::string got;
    int32_t last = 1;
    while (got.size() < text.size() && last > 0) last = Receive(server_.get(), theirs_, &got);
    resets += last == -ECONNRESET;
    EXPECT_TRUE(got == text.substr(0, got.size()));
    Settle();
    EXPECT_TRUE(send.done);
  }
  EXPECT_GT(resets, 5);
}

TEST_F(SimNetworkTest, SilenceTimesOutForTheSenderOnly) {
  Join();
  world_->network().BreakConnections(kServer.ip, true);
  Waiter receive;
  server_->Recv(&receive.op, theirs_);
  EXPECT_EQ(Send(client_.get(), ours_, "hello"), 5);
  std::string got;
  EXPECT_EQ(Receive(client_.get(), ours_, &got), -ETIMEDOUT);
  EXPECT_FALSE(receive.done);
  server_->Cancel(&receive.op);
  Run(receive);
}

TEST_F(SimNetworkTest, PowerFailureEndsWithAResetOrInSilence) {
  int reset = 0;
  int silent = 0;
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    Make(Seeded(seed));
    Join();
    Waiter receive;
    client_->Recv(&receive.op, ours_);
    world_->Crash(1);
    world_->RunFor(core::kNsPerHour);
    if (receive.done) {
      EXPECT_EQ(receive.value, -ECONNRESET);
      ++reset;
    } else {
      ++silent;
      client_->Cancel(&receive.op);
      Run(receive);
    }
    Waiter connect;
    client_->Connect(&connect.op, kServer, nullptr);
    Run(connect);
    EXPECT_EQ(connect.value, -ECONNREFUSED);  // its listener is gone
  }
  EXPECT_GT(reset, 3);
  EXPECT_GT(silent, 3);
}

TEST_F(SimNetworkTest, KilledProgramsSocketsAreClosed) {
  Join();
  world_->Kill(1);
  std::string got;
  EXPECT_EQ(Receive(client_.get(), ours_, &got), 0);
}

TEST_F(SimNetworkTest, MemoryThatChangesUnderASendIsOurMistake) {
  Join();
  const auto spoil = [&] {
    std::string text = Text(100);
    const iovec part = {text.data(), text.size()};
    Waiter send;
    client_->Send(&send.op, ours_, std::span(&part, 1));
    text[3] = 'X';
    Run(send);
  };
  EXPECT_DEATH(spoil(), "CHECK");
}

TEST_F(SimNetworkTest, CloseWithAnOperationInFlightIsOurMistake) {
  Join();
  const auto close = [&] {
    Waiter receive;
    client_->Recv(&receive.op, ours_);
    client_->CloseSocket(ours_, false);
  };
  EXPECT_DEATH(close(), "CHECK");
}

}  // namespace
}  // namespace outbox::io
