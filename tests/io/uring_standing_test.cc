// Receives that stay armed: they look to their owner like those that do not, whatever the peer
// sends when, and whoever floods cannot take the others' buffers.
#include <errno.h>

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/io/uring_environment.h"

namespace outbox::io {
namespace {

constexpr size_t kFewBuffers = 4;
constexpr size_t kFewBytes = 64;

IoEnvironmentKind Kind(const std::string& name, uint32_t count, uint32_t bytes) {
  UringOptions options;
  options.buffer_count = 4;
  options.standing_buffer_count = count;
  options.standing_buffer_bytes = bytes;
  return {name, [options] { return UringEnvironment::Make(options); }};
}

class StandingReceiveTest : public IoTest {
 protected:
  UringIo* uring() { return static_cast<UringEnvironment*>(environment_.get())->uring(); }

  void Send(Socket socket, const std::string& text) {
    Waiter send(io_);
    const iovec part = Part(text);
    io_->Send(&send.op, socket, {&part, 1});
    ASSERT_EQ(Finish(&send), static_cast<int32_t>(text.size()));
  }
  // What is there without anybody asking.
  void Settle() {
    for (int i = 0; i < 5; ++i) io_->Turn(0);
  }
  std::string Receive(Waiter* waiter, Socket socket, size_t size) {
    std::string all;
    while (all.size() < size) {
      waiter->Clear();
      io_->Recv(&waiter->op, socket);
      if (Finish(waiter) <= 0) break;
      all += waiter->bytes;
    }
    return all;
  }
  // Who is asked says so much.
  void Converse(Waiter* waiter, const std::pair<Socket, Socket>& pair, const std::string& text) {
    waiter->Clear();
    io_->Recv(&waiter->op, pair.second);
    Send(pair.first, text);
    ASSERT_EQ(Finish(waiter), static_cast<int32_t>(text.size()));
    EXPECT_EQ(waiter->bytes, text);
    EXPECT_EQ(waiter->results.size(), 1u);
  }
  void Close(const std::pair<Socket, Socket>& pair) {
    io_->CloseSocket(pair.first, false);
    io_->CloseSocket(pair.second, false);
  }
};

TEST_P(StandingReceiveTest, APeerThatIsSpokenToIsReceivedByOneSubmission) {
  const auto pair = Connected();
  Waiter receive(io_);
  for (int i = 0; i < 50; ++i) {
    Converse(&receive, pair, "RCPT " + std::to_string(i));
  }
  Close(pair);
}

TEST_P(StandingReceiveTest, WhatComesUnaskedIsKeptInOrder) {
  const auto pair = Connected();
  Waiter receive(io_);
  Converse(&receive, pair, "one");
  // Nobody waits. More than the standing receives have buffers for.
  std::string sent;
  for (int i = 0; i < 40; ++i) {
    const std::string text = Pattern(100, static_cast<uint64_t>(i) * 100);
    Send(pair.first, text);
    Settle();
    sent += text;
  }
  EXPECT_EQ(Receive(&receive, pair.second, sent.size()), sent);
  // From now on it waits for its turn.
  Send(pair.first, "two");
  Settle();
  EXPECT_EQ(Receive(&receive, pair.second, 3), "two");
  io_->ShutdownWrite(pair.first);
  receive.Clear();
  io_->Recv(&receive.op, pair.second);
  EXPECT_EQ(Finish(&receive), 0);
  Close(pair);
}

TEST_P(StandingReceiveTest, WhatCameUnaskedGoesIntoMemoryOfTheOwnersAsWell) {
  const auto pair = Connected();
  Waiter receive(io_);
  Converse(&receive, pair, "DATA");
  const std::string body = Pattern(50);
  Send(pair.first, body);
  Settle();
  std::string got;
  std::string memory(16, '\0');
  while (got.size() < body.size()) {
    receive.Clear();
    io_->RecvInto(&receive.op, pair.second, memory);
    const int32_t size = Finish(&receive);
    ASSERT_GT(size, 0);
    got.append(memory, 0, static_cast<size_t>(size));
  }
  EXPECT_EQ(got, body);
  Close(pair);
}

TEST_P(StandingReceiveTest, MemoryOfTheOwnersTakesOverFromOneThatStands) {
  const auto pair = Connected();
  Waiter receive(io_);
  Converse(&receive, pair, "DATA");
  std::string memory(1000, '\0');
  receive.Clear();
  io_->RecvInto(&receive.op, pair.second, memory);
  Settle();
  EXPECT_FALSE(receive.over);
  Send(pair.first, "body");
  ASSERT_EQ(Finish(&receive), 4);
  EXPECT_EQ(memory.substr(0, 4), "body");
  Send(pair.first, "MAIL");
  EXPECT_EQ(Receive(&receive, pair.second, 4), "MAIL");
  Close(pair);
}

TEST_P(StandingReceiveTest, ACancelledOneLosesNothing) {
  const auto pair = Connected();
  Waiter receive(io_);
  io_->Recv(&receive.op, pair.second);
  Settle();
  io_->Cancel(&receive.op);
  EXPECT_EQ(Finish(&receive), -ECANCELED);
  Send(pair.first, "late");
  Settle();
  EXPECT_EQ(Receive(&receive, pair.second, 4), "late");
  // Cancelled while its bytes are there already: they come, or the cancel does and they come later.
  Send(pair.first, "more");
  Settle();
  receive.Clear();
  io_->Recv(&receive.op, pair.second);
  io_->Cancel(&receive.op);
  const int32_t result = Finish(&receive);
  EXPECT_TRUE(result == 4 || result == -ECANCELED) << result;
  if (result < 0) {
    EXPECT_EQ(Receive(&receive, pair.second, 4), "more");
  }
  // And one that waits for another to end.
  std::string memory(10, '\0');
  receive.Clear();
  io_->RecvInto(&receive.op, pair.second, memory);
  io_->Cancel(&receive.op);
  EXPECT_EQ(Finish(&receive), -ECANCELED);
  Close(pair);
}

TEST_P(StandingReceiveTest, TheEndOfTheStreamIsHeardByWhoAsksLater) {
  const auto pair = Connected();
  Waiter receive(io_);
  Converse(&receive, pair, "QUIT");
  Send(pair.first, "rest");
  io_->ShutdownWrite(pair.first);
  Settle();
  EXPECT_EQ(Receive(&receive, pair.second, 4), "rest");
  for (int i = 0; i < 2; ++i) {
    receive.Clear();
    io_->Recv(&receive.op, pair.second);
    EXPECT_EQ(Finish(&receive), 0);
  }
  Close(pair);
}

TEST_P(StandingReceiveTest, AResetIsHeardByWhoAsksLater) {
  const auto pair = Connected();
  Waiter receive(io_);
  Converse(&receive, pair, "NOOP");
  io_->CloseSocket(pair.first, true);
  Settle();
  receive.Clear();
  io_->Recv(&receive.op, pair.second);
  EXPECT_EQ(Finish(&receive), -ECONNRESET);
  io_->CloseSocket(pair.second, false);
}

TEST_P(StandingReceiveTest, AClosedSocketEndsTheStreamAndItsNumberIsFree) {
  for (const bool reset : {false, true}) {
    const auto pair = Connected();
    Waiter receive(io_);
    Converse(&receive, pair, "QUIT");
    Waiter other(io_);
    io_->Recv(&other.op, pair.first);
    Settle();
    io_->CloseSocket(pair.second, reset);
    EXPECT_EQ(Finish(&other), reset ? -ECONNRESET : 0);
    io_->CloseSocket(pair.first, false);
    // The numbers come again, before and after the kernel has let go.
    const auto next = Connected();
    Converse(&receive, next, "EHLO");
    Close(next);
  }
}

// Each of the flooding peers has bytes that nobody asks for, in as many buffers as there are. The
// others are received all the same, and in the end everything is.
TEST_P(StandingReceiveTest, WhoFloodsTakesNobodysBuffers) {
  constexpr size_t kPeers = 10;
  std::vector<std::pair<Socket, Socket>> pairs;
  std::deque<Waiter> receives;
  for (size_t i = 0; i < kPeers; ++i) {
    pairs.push_back(Connected());
    io_->Recv(&receives.emplace_back(io_).op, pairs[i].second);
  }
  const std::string flood = Pattern(2000);
  for (size_t i = 0; i < kPeers; ++i) {
    Send(pairs[i].first, "x");
    ASSERT_EQ(Finish(&receives[i]), 1);
    Send(pairs[i].first, flood);
    Settle();
  }
  const auto modest = Connected();
  Waiter receive(io_);
  for (int i = 0; i < 20; ++i) {
    Converse(&receive, modest, "NOOP");
  }
  for (size_t i = 0; i < kPeers; ++i) {
    EXPECT_EQ(Receive(&receives[i], pairs[i].second, flood.size()), flood);
  }
  Close(modest);
  for (const auto& pair : pairs) Close(pair);
  EXPECT_EQ(uring()->in_flight(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Standing, StandingReceiveTest,
                         testing::Values(Kind("FewBuffers", kFewBuffers, kFewBytes),
                                         Kind("OneBuffer", 1, kFewBytes),
                                         Kind("ManyBuffers", 256, 8 * 1024)),
                         IoEnvironmentName);

}  // namespace
}  // namespace outbox::io
