// The contract of io/io.h as tests: what every implementation does. Here the loop and sockets;
// files are in io_file_contract.h.
//
// Included by one .cc of each test program, which instantiates IoTest with its environments.
#ifndef OUTBOX_TESTS_IO_IO_CONTRACT_H_
#define OUTBOX_TESTS_IO_IO_CONTRACT_H_

#include <errno.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/io/io_datagram_contract.h"
#include "tests/io/io_environment.h"
#include "tests/io/io_file_contract.h"

namespace outbox::io {

// --- Time and the loop ---------------------------------------------------------------------------

TEST_P(IoTest, TurnWaitsUntilTheGivenTime) {
  const int64_t until_ns = io_->now_ns() + 20 * core::kNsPerMs;
  while (io_->now_ns() < until_ns) io_->Turn(until_ns);
  EXPECT_GE(io_->now_ns(), until_ns);
}

TEST_P(IoTest, WakeBetweenPrepareToSleepAndTurnIsNotLost) {
  for (int round = 0; round < 100; ++round) {
    io_->PrepareToSleep();
    io_->WakeFromOutside();
    io_->Turn(core::kNever);  // would never come back
  }
}

// --- Sockets -------------------------------------------------------------------------------------

TEST_P(IoTest, BothEndsOfAConnectionAgreeOnTheirAddresses) {
  const auto [client, server] = Connected();
  EXPECT_EQ(io_->LocalAddress(client), io_->PeerAddress(server));
  EXPECT_EQ(io_->PeerAddress(client), io_->LocalAddress(server));
  EXPECT_NE(io_->LocalAddress(client).port, 0);
  io_->CloseSocket(client, false);
  io_->CloseSocket(server, false);
}

TEST_P(IoTest, ConnectToNobodyIsRefused) {
  const Socket listener = Listen();
  const core::SocketAddress nobody = io_->LocalAddress(listener);
  io_->CloseSocket(listener, false);
  Waiter connect(io_);
  io_->Connect(&connect.op, nobody, nullptr);
  EXPECT_EQ(Finish(&connect), -ECONNREFUSED);
}

TEST_P(IoTest, AUnixSocketIsAStreamLikeEveryOther) {
  const std::string path = environment_->UnixPath();
  Waiter connect(io_);
  io_->ConnectUnix(&connect.op, path);
  EXPECT_TRUE(connect.results.empty());  // never inside the call
  const Socket socket = Finish(&connect);
  ASSERT_GE(socket, 0);
  // The other side is silent, so a receive must wait and not come back at once.
  Waiter receive(io_);
  io_->Recv(&receive.op, socket);
  Waiter send(io_);
  const std::string hello = "LHLO client.example\r\n";
  const iovec part = Part(hello);
  io_->Send(&send.op, socket, {&part, 1});
  EXPECT_EQ(Finish(&send), static_cast<int32_t>(hello.size()));
  for (int turn = 0; turn < 5; ++turn) io_->Turn(io_->now_ns() + core::kNsPerMs);
  EXPECT_FALSE(receive.over);
  io_->Cancel(&receive.op);
  EXPECT_EQ(Finish(&receive), -ECANCELED);
  io_->CloseSocket(socket, false);
}

TEST_P(IoTest, WhoComesInByAUnixSocketIsAUserOfThisMachine) {
  const std::string path = environment_->Directory() + "/submit";
  const core::Result<Socket> listener = io_->ListenUnix(path, 0666);
  ASSERT_TRUE(listener.ok()) << listener.status().ToString();
  for (int client = 0; client < 2; ++client) {
    Waiter accept(io_);
    Waiter connect(io_);
    io_->Accept(&accept.op, *listener);
    io_->ConnectUnix(&connect.op, path);
    const Socket there = Finish(&connect);
    ASSERT_GE(there, 0);
    ASSERT_TRUE(Run([&] { return !accept.results.empty(); }));
    const Socket here = accept.results[0];
    ASSERT_GE(here, 0);
    EXPECT_EQ(io_->PeerAddress(here).ip, core::IpAddress::LocalUser(environment_->UnixUser()));
    EXPECT_EQ(io_->PeerAddress(here).port, 0);
    Waiter send(io_);
    const std::string hello = "220 relay.example\r\n";
    const iovec part = Part(hello);
    io_->Send(&send.op, here, {&part, 1});
    EXPECT_EQ(Finish(&send), static_cast<int32_t>(hello.size()));
    std::string received;
    while (received.size() < hello.size()) {
      char bytes[64];
      Waiter receive(io_);
      io_->RecvInto(&receive.op, there, bytes);
      ASSERT_GT(Finish(&receive), 0);
      received.append(bytes, static_cast<size_t>(receive.result()));
    }
    EXPECT_EQ(received, hello);
    io_->CloseSocket(there, false);
    io_->CloseSocket(here, true);
    if (!accept.over) io_->Cancel(&accept.op);
    ASSERT_TRUE(Run([&] { return accept.over; }));
  }
  const core::Result<Socket> second = io_->ListenUnix(path, 0666);
  EXPECT_EQ(second.status().code(), core::StatusCode::kAlreadyExists);
  EXPECT_NE(second.status().message().find(path), std::string::npos);
  io_->CloseSocket(*listener, false);
  // The file of a listener that is gone stops nobody.
  const core::Result<Socket> next = io_->ListenUnix(path, 0666);
  ASSERT_TRUE(next.ok()) << next.status().ToString();
  io_->CloseSocket(*next, false);
}

TEST_P(IoTest, AUnixSocketThatIsNotThere) {
  Waiter connect(io_);
  io_->ConnectUnix(&connect.op, environment_->Directory() + "/nobody");
  EXPECT_EQ(Finish(&connect), -ENOENT);
}

TEST_P(IoTest, ConnectFromAChosenAddress) {
  const Socket listener = Listen();
  Waiter accept(io_);
  Waiter connect(io_);
  io_->Accept(&accept.op, listener);
  const core::SocketAddress local = environment_->Address();
  io_->Connect(&connect.op, io_->LocalAddress(listener), &local);
  ASSERT_GE(Finish(&connect), 0);
  EXPECT_EQ(io_->LocalAddress(connect.result()).ip, local.ip);
  ASSERT_TRUE(Run([&] { return !accept.results.empty(); }));
  io_->CloseSocket(connect.result(), false);
  io_->CloseSocket(accept.results[0], false);
  io_->Cancel(&accept.op);
  Finish(&accept);
  io_->CloseSocket(listener, false);
}

TEST_P(IoTest, CancelledConnectLeavesNothingBehind) {
  const Socket listener = Listen();
  for (int turns_before = 0; turns_before < 2; ++turns_before) {
    Waiter connect(io_);
    io_->Connect(&connect.op, io_->LocalAddress(listener), nullptr);
    io_->Cancel(&connect.op);
    io_->Cancel(&connect.op);  // again is without effect
    EXPECT_TRUE(connect.results.empty());
    // The result may have come first.
    if (Finish(&connect) >= 0) {
      io_->CloseSocket(connect.result(), false);
    } else {
      EXPECT_EQ(connect.result(), -ECANCELED);
    }
  }
  io_->CloseSocket(listener, false);
}

TEST_P(IoTest, OneAcceptTakesManyConnections) {
  constexpr size_t kConnections = 100;
  const Socket listener = Listen();
  Waiter accept(io_);
  io_->Accept(&accept.op, listener);
  std::deque<Waiter> connects;
  for (size_t i = 0; i < kConnections; ++i) {
    io_->Connect(&connects.emplace_back(io_).op, io_->LocalAddress(listener), nullptr);
  }
  ASSERT_TRUE(Run([&] {
    return accept.results.size() == kConnections &&
           std::all_of(connects.begin(), connects.end(), [](const Waiter& w) { return w.over; });
  }));
  EXPECT_FALSE(accept.over);
  EXPECT_TRUE(accept.op.in_flight);
  for (int32_t socket : accept.results) {
    ASSERT_GE(socket, 0);
    io_->CloseSocket(socket, false);
  }
  for (const Waiter& connect : connects) {
    ASSERT_GE(connect.result(), 0);
    io_->CloseSocket(connect.result(), false);
  }
  io_->Cancel(&accept.op);
  EXPECT_EQ(Finish(&accept), -ECANCELED);
  EXPECT_EQ(accept.results.size(), kConnections + 1);
  io_->CloseSocket(listener, false);
}

TEST_P(IoTest, BytesArriveInOrderAndThenTheEnd) {
  const auto [client, server] = Connected();
  const std::string hello = "EHLO ";
  const std::string nothing;
  const std::string name = "client.example\r\n";
  const iovec parts[] = {Part(hello), Part(nothing), Part(name)};
  Waiter send(io_);
  io_->Send(&send.op, client, parts);
  EXPECT_TRUE(send.results.empty());  // never inside the call
  EXPECT_TRUE(send.op.in_flight);
  EXPECT_EQ(Finish(&send), static_cast<int32_t>(hello.size() + name.size()));
  EXPECT_FALSE(send.op.in_flight);
  io_->ShutdownWrite(client);
  std::string received;
  Waiter receive(io_);
  do {
    receive.Clear();
    io_->Recv(&receive.op, server);
    ASSERT_GE(Finish(&receive), 0);
    received += receive.bytes;
  } while (receive.result() > 0);
  EXPECT_EQ(received, hello + name);
  io_->CloseSocket(client, false);
  io_->CloseSocket(server, false);
}

TEST_P(IoTest, ReceiveIntoTheOwnersMemory) {
  const auto [client, server] = Connected();
  const std::string text = Pattern(3000);
  const iovec part = Part(text);
  Waiter send(io_);
  Waiter receive(io_);
  std::string memory(1000, '\0');
  std::string received;
  io_->RecvInto(&receive.op, server, std::span(memory));
  io_->Send(&send.op, client, {&part, 1});
  EXPECT_EQ(Finish(&send), 3000);
  while (received.size() < text.size()) {
    const int32_t size = Finish(&receive);
    ASSERT_GT(size, 0);
    ASSERT_LE(size, 1000);
    received.append(memory, 0, static_cast<size_t>(size));
    receive.Clear();
    io_->RecvInto(&receive.op, server, std::span(memory));
  }
  EXPECT_EQ(received, text);
  io_->ShutdownWrite(client);
  EXPECT_EQ(Finish(&receive), 0);
  io_->CloseSocket(client, false);
  io_->CloseSocket(server, false);
}

TEST_P(IoTest, CancelledReceiveCanBeStartedAgain) {
  const auto [client, server] = Connected();
  Waiter receive(io_);
  for (int turns = 0; turns < 3; ++turns) {
    receive.Clear();
    io_->Recv(&receive.op, server);
    for (int i = 0; i < turns; ++i) io_->Turn(0);
    EXPECT_TRUE(receive.results.empty());
    io_->Cancel(&receive.op);
    EXPECT_TRUE(receive.results.empty());
    EXPECT_EQ(Finish(&receive), -ECANCELED);
  }
  receive.Clear();
  io_->Cancel(&receive.op);  // not in flight: no effect
  io_->Recv(&receive.op, server);
  const std::string text = "NOOP\r\n";
  const iovec part = Part(text);
  Waiter send(io_);
  io_->Send(&send.op, client, {&part, 1});
  Finish(&send);
  std::string received;
  while (received.size() < text.size()) {  // it may come in pieces
    ASSERT_GT(Finish(&receive), 0);
    received += receive.bytes;
    receive.Clear();
    io_->Recv(&receive.op, server);
  }
  EXPECT_EQ(received, text);
  io_->Cancel(&receive.op);
  EXPECT_EQ(Finish(&receive), -ECANCELED);
  io_->CloseSocket(client, false);
  io_->CloseSocket(server, false);
}

// Bytes and the cancel of the receive that waits for them, in one turn: whoever comes first, no
// byte is lost or seen twice.
TEST_P(IoTest, CancelRacesWithBytes) {
  const auto [client, server] = Connected();
  constexpr uint64_t kRounds = 200;
  uint64_t seen = 0;
  for (uint64_t round = 0; round < kRounds; ++round) {
    const std::string text(1, PatternAt(round));
    const iovec part = Part(text);
    Waiter receive(io_);
    Waiter send(io_);
    io_->Recv(&receive.op, server);
    if (round % 3 == 1) io_->Turn(0);
    io_->Send(&send.op, client, {&part, 1});
    if (round % 3 == 2) io_->Turn(0);
    io_->Cancel(&receive.op);
    Finish(&send);
    if (Finish(&receive) < 0) {
      EXPECT_EQ(receive.result(), -ECANCELED);
    }
    for (char byte : receive.bytes) EXPECT_EQ(byte, PatternAt(seen++));
  }
  while (seen < kRounds) {
    Waiter receive(io_);
    io_->Recv(&receive.op, server);
    ASSERT_GT(Finish(&receive), 0);
    for (char byte : receive.bytes) EXPECT_EQ(byte, PatternAt(seen++));
  }
  EXPECT_EQ(seen, kRounds);
  io_->CloseSocket(client, false);
  io_->CloseSocket(server, false);
}

TEST_P(IoTest, SendCompletesOnlyWhenASlowReaderHasMadeRoomForAll) {
  const auto [client, server] = Connected();
  constexpr size_t kBytes = size_t{6} << 20;
  const std::string text = Pattern(kBytes);
  std::vector<iovec> parts;  // of very different sizes
  for (size_t at = 0, size = 1; at < kBytes; at += size, size = size * 3 + 1) {
    size = std::min(size, kBytes - at);
    parts.push_back({const_cast<char*>(text.data()) + at, size});
  }
  Waiter send(io_);
  io_->Send(&send.op, client, parts);
  Waiter receive(io_);
  std::string memory(300'000, '\0');
  size_t at = 0;
  while (at < kBytes) {
    receive.Clear();
    io_->RecvInto(&receive.op, server, std::span(memory));
    const int32_t size = Finish(&receive);
    ASSERT_GT(size, 0);
    ASSERT_EQ(memcmp(memory.data(), text.data() + at, static_cast<size_t>(size)), 0);
    at += static_cast<size_t>(size);
  }
  EXPECT_EQ(Finish(&send), static_cast<int32_t>(kBytes));
  io_->CloseSocket(client, false);
  io_->CloseSocket(server, false);
}

TEST_P(IoTest, CancelledSendSaysHowMuchWent) {
  const auto [client, server] = Connected();
  constexpr size_t kBytes = size_t{32} << 20;  // more than any socket buffer
  const std::string text = Pattern(kBytes);
  const iovec parts[] = {{const_cast<char*>(text.data()), 100},
                         {const_cast<char*>(text.data()) + 100, kBytes - 100}};
  Waiter send(io_);
  io_->Send(&send.op, client, parts);
  for (int turn = 0; turn < 5; ++turn) io_->Turn(io_->now_ns() + core::kNsPerMs);
  EXPECT_FALSE(send.over);
  io_->Cancel(&send.op);
  const int32_t result = Finish(&send);
  const size_t sent = result == -ECANCELED ? 0 : static_cast<size_t>(result);
  ASSERT_LT(sent, kBytes);
  io_->ShutdownWrite(client);
  size_t at = 0;
  Waiter receive(io_);
  for (;;) {
    receive.Clear();
    io_->Recv(&receive.op, server);
    ASSERT_GE(Finish(&receive), 0);
    if (receive.result() == 0) break;
    ASSERT_EQ(text.compare(at, receive.bytes.size(), receive.bytes), 0);
    at += receive.bytes.size();
  }
  EXPECT_EQ(at, sent);
  io_->CloseSocket(client, false);
  io_->CloseSocket(server, false);
}

TEST_P(IoTest, ResetIsAnErrorAtTheOtherEnd) {
  const auto [client, server] = Connected();
  Waiter receive(io_);
  io_->Recv(&receive.op, server);
  io_->Turn(0);
  io_->CloseSocket(client, true);
  EXPECT_EQ(Finish(&receive), -ECONNRESET);
  const std::string text = "250 too late\r\n";
  const iovec part = Part(text);
  Waiter send(io_);
  io_->Send(&send.op, server, {&part, 1});
  EXPECT_THAT(Finish(&send), testing::AnyOf(-EPIPE, -ECONNRESET));
  io_->CloseSocket(server, false);
}

// An operation is started again from its own completion.
TEST_P(IoTest, PingPong) {
  struct Player {
    Player(Io* on, Socket at) : io(on), socket(at) {
      receive.Bind<&Player::OnReceived>(this);
      send.Bind<&Player::OnSent>(this);
    }
    void Hit() {
      const iovec part = {&ball, 1};
      parts[0] = part;
      io->Send(&send, socket, parts);
    }
    void OnSent(const OpResult& result) {
      EXPECT_EQ(result.result, 1);
      if (result.result == 1) io->Recv(&receive, socket);
    }
    void OnReceived(const OpResult& result) {
      if (result.result <= 0) return;
      EXPECT_EQ(result.data[0], 'o');
      io->ReturnBuffer(result.buffer);
      if (++hits < 500) Hit();
    }
    Io* io;
    Socket socket;
    Op receive;
    Op send;
    char ball = 'o';
    iovec parts[1];
    int hits = 0;
  };
  const auto [client, server] = Connected();
  Player left(io_, client);
  Player right(io_, server);
  io_->Recv(&right.receive, server);
  left.Hit();
  EXPECT_TRUE(Run([&] { return left.hits == 500 || right.hits == 500; }));
  for (Player* player : {&left, &right}) {
    io_->Cancel(&player->receive);
    io_->Cancel(&player->send);
  }
  EXPECT_TRUE(Run([&] {
    return !left.receive.in_flight && !right.receive.in_flight && !left.send.in_flight &&
           !right.send.in_flight;
  }));
  io_->CloseSocket(client, false);
  io_->CloseSocket(server, false);
}

}  // namespace outbox::io

#endif  // OUTBOX_TESTS_IO_IO_CONTRACT_H_
