// What is UringIo's own: bounds of its rings and buffers, features, and that nothing is lost at
// either.
#include "io/uring_io.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/io/uring_environment.h"

namespace outbox::io {
namespace {

TEST(UringOptionsTest, AnUnknownFeatureNameIsAnError) {
  UringOptions options;
  options.disable = {"msg_ring", "warp_drive"};
  const auto made = UringIo::Create(options);
  ASSERT_FALSE(made.ok());
  EXPECT_THAT(made.status().message(), testing::HasSubstr("warp_drive"));
}

TEST(UringOptionsTest, OpenFilesBeyondTheHardLimitSayWhatToRaise) {
  EXPECT_TRUE(UringIo::ReserveOpenFiles(64).ok());
  rlimit limit = {};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(UringIo::RaiseOpenFiles(), limit.rlim_max);
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(limit.rlim_cur, limit.rlim_max);
  const core::Status status = UringIo::ReserveOpenFiles(uint64_t{1} << 40);
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.message(), testing::HasSubstr("RLIMIT_NOFILE"));
}

TEST(UringOptionsTest, MadeHereRunThere) {
  auto made = UringIo::Create(UringOptions());
  ASSERT_TRUE(made.ok()) << made.status().ToString();
  UringIo* io = made->get();
  // More than the submission queue holds: what does not fit waits for the owner's thread.
  std::deque<Waiter> waiters;
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  ASSERT_EQ(write(pipe_ends[1], std::string(2000, 'x').data(), 2000), 2000);
  std::string memory(2000, '\0');
  for (size_t i = 0; i < 2000; ++i) {
    io->Read(&waiters.emplace_back(io).op, pipe_ends[0], std::span(memory).subspan(i, 1),
             UINT64_MAX);
  }
  std::thread owner([&] { EXPECT_TRUE(io->Drain(10 * core::kNsPerSecond)); });
  owner.join();
  for (const Waiter& waiter : waiters) EXPECT_EQ(waiter.result(), 1);
  EXPECT_EQ(memory, std::string(2000, 'x'));
  close(pipe_ends[0]);
  close(pipe_ends[1]);
}

// A fixture with small rings: 16 submissions, 2 buffers.
class UringIoTest : public IoTest {
 protected:
  UringIo* uring() { return static_cast<UringEnvironment*>(environment_.get())->uring(); }
};

TEST_P(UringIoTest, MoreOperationsThanTheSubmissionQueueHolds) {
  constexpr size_t kBytes = 160;  // 10 times the queue
  const std::string path = environment_->Directory() + "/file";
  Waiter w(io_);
  io_->Open(&w.op, path, OpenOptions{.write = true, .create = true});
  const File file = Finish(&w);
  ASSERT_GE(file, 0);
  const std::string text = Pattern(kBytes);
  std::vector<iovec> parts(kBytes);
  std::deque<Waiter> writes;
  for (size_t i = 0; i < kBytes; ++i) {
    parts[i] = {const_cast<char*>(text.data()) + i, 1};
    io_->Write(&writes.emplace_back(io_).op, file, {&parts[i], 1}, i);
  }
  for (Waiter& write : writes) EXPECT_EQ(Finish(&write), 1);
  std::string memory(kBytes, '\0');
  w.Clear();
  io_->Read(&w.op, file, std::span(memory), 0);
  EXPECT_EQ(Finish(&w), static_cast<int32_t>(kBytes));
  EXPECT_EQ(memory, text);
  w.Clear();
  io_->CloseFile(&w.op, file);
  EXPECT_EQ(Finish(&w), 0);
}

TEST_P(UringIoTest, MoreCancelsThanTheSubmissionQueueHolds) {
  constexpr size_t kPairs = 100;
  std::deque<Waiter> receives;
  std::vector<std::pair<Socket, Socket>> pairs;
  for (size_t i = 0; i < kPairs; ++i) pairs.push_back(Connected());
  for (const auto& [client, server] : pairs) {
    io_->Recv(&receives.emplace_back(io_).op, server);
    io_->Recv(&receives.emplace_back(io_).op, client);
  }
  io_->Turn(0);
  for (Waiter& receive : receives) io_->Cancel(&receive.op);
  for (Waiter& receive : receives) {
    EXPECT_EQ(Finish(&receive), -ECANCELED);
    EXPECT_EQ(receive.results.size(), 1u);
  }
  for (const auto& [client, server] : pairs) {
    io_->CloseSocket(client, false);
    io_->CloseSocket(server, false);
  }
  EXPECT_EQ(uring()->in_flight(), 0u);
}

// Holds every buffer for some turns before it gives it back.
struct Holder {
  explicit Holder(Io* of, Socket at) : io(of), socket(at) { op.Bind<&Holder::OnDone>(this); }
  void OnDone(const OpResult& outcome) {
    result = outcome.result;
    if (outcome.result <= 0) return;
    bytes.append(outcome.data.data(), outcome.data.size());
    buffer = outcome.buffer;
    holds = true;
    arrival->push_back(this);
  }
  Io* io;
  Socket socket;
  Op op;
  int32_t result = INT32_MIN;
  uint32_t buffer = 0;
  bool holds = false;
  std::string bytes;
  std::vector<Holder*>* arrival = nullptr;
};

TEST_P(UringIoTest, FiftyReceiversShareTwoBuffersFirstComeFirstServed) {
  constexpr size_t kConnections = 50;
  std::vector<std::pair<Socket, Socket>> pairs;
  std::deque<Holder> holders;
  std::deque<Waiter> sends;
  std::vector<Holder*> arrival;
  const std::string text = "MAIL FROM:<>\r\n";
  const iovec part = Part(text);
  for (size_t i = 0; i < kConnections; ++i) pairs.push_back(Connected());
  for (const auto& [client, server] : pairs) {
    io_->Send(&sends.emplace_back(io_).op, client, {&part, 1});
  }
  for (Waiter& send : sends) ASSERT_EQ(Finish(&send), static_cast<int32_t>(text.size()));
  for (const auto& [client, server] : pairs) {
    Holder& holder = holders.emplace_back(io_, server);
    holder.arrival = &arrival;
    io_->Recv(&holder.op, server);
  }
  // Nobody ever sees ENOBUFS; two at a time are served.
  size_t released = 0;
  ASSERT_TRUE(Run([&] {
    EXPECT_LE(arrival.size() - released, 2u);
    if (arrival.size() == released) return released == kConnections;
    Holder* oldest = arrival[released++];
    EXPECT_EQ(oldest->bytes, text);
    io_->ReturnBuffer(oldest->buffer);
    return released == kConnections;
  }));
  EXPECT_GE(uring()->counters().receives_parked, kConnections - 2);
  // As many tries as buffers came back, and no storm.
  EXPECT_LE(uring()->counters().receives_parked, 3 * kConnections);
  for (size_t i = 1; i < arrival.size(); ++i) EXPECT_LT(arrival[i - 1]->socket, arrival[i]->socket);
  for (const auto& [client, server] : pairs) {
    io_->CloseSocket(client, false);
    io_->CloseSocket(server, false);
  }
}

TEST_P(UringIoTest, ParkedReceivesCanBeCancelled) {
  constexpr size_t kConnections = 10;
  std::vector<std::pair<Socket, Socket>> pairs;
  std::deque<Holder> holders;
  std::deque<Waiter> sends;
  std::vector<Holder*> arrival;
  const std::string text = "QUIT\r\n";
  const iovec part = Part(text);
  for (size_t i = 0; i < kConnections; ++i) {
    pairs.push_back(Connected());
    io_->Send(&sends.emplace_back(io_).op, pairs.back().first, {&part, 1});
    Holder& holder = holders.emplace_back(io_, pairs.back().second);
    holder.arrival = &arrival;
    io_->Recv(&holder.op, holder.socket);
  }
  ASSERT_TRUE(Run([&] {
    return arrival.size() == 2 && uring()->counters().receives_parked >= kConnections - 2;
  }));
  for (Waiter& send : sends) Finish(&send);
  for (Holder& holder : holders) io_->Cancel(&holder.op);
  ASSERT_TRUE(Run([&] { return uring()->in_flight() == 0; }));
  EXPECT_EQ(arrival.size(), 2u);
  for (Holder& holder : holders) {
    if (holder.holds) {
      io_->ReturnBuffer(holder.buffer);
    } else {
      EXPECT_EQ(holder.result, -ECANCELED);
    }
  }
  for (const auto& [client, server] : pairs) {
    io_->CloseSocket(client, false);
    io_->CloseSocket(server, false);
  }
}

// More completions in one turn than the completion queue holds: the accept is armed again where the
// kernel ends it, and no connection is lost.
TEST_P(UringIoTest, CompletionQueueOverrunLosesNothing) {
  constexpr size_t kConnections = 300;
  const Socket listener = Listen();
  const core::SocketAddress address = io_->LocalAddress(listener);
  Waiter accept(io_);
  io_->Accept(&accept.op, listener);
  io_->Turn(0);
  auto clients = UringEnvironment::Make(UringOptions());
  ASSERT_NE(clients, nullptr);
  std::deque<Waiter> connects;
  for (size_t i = 0; i < kConnections; ++i) {
    clients->io()->Connect(&connects.emplace_back(clients->io()).op, address, nullptr);
  }
  ASSERT_TRUE(clients->uring()->Drain(10 * core::kNsPerSecond));
  ASSERT_TRUE(Run([&] { return accept.results.size() == kConnections; }));
  EXPECT_FALSE(accept.over);
  for (const Waiter& connect : connects) {
    ASSERT_GE(connect.result(), 0);
    clients->io()->CloseSocket(connect.result(), false);
  }
  for (int32_t socket : accept.results) io_->CloseSocket(socket, false);
  io_->Cancel(&accept.op);
  EXPECT_EQ(Finish(&accept), -ECANCELED);
  io_->CloseSocket(listener, false);
  // The eventfd's poll is alive after it as well.
  io_->PrepareToSleep();
  io_->WakeFromOutside();
  io_->Turn(core::kNever);
}

// A client that is gone when its connection is accepted.
TEST_P(UringIoTest, AcceptSurvivesClientsThatReset) {
  const Socket listener = Listen();
  Waiter connect(io_);
  io_->Connect(&connect.op, io_->LocalAddress(listener), nullptr);
  ASSERT_GE(Finish(&connect), 0);
  io_->CloseSocket(connect.result(), true);
  Waiter accept(io_);
  io_->Accept(&accept.op, listener);
  io_->Turn(0);
  connect.Clear();
  io_->Connect(&connect.op, io_->LocalAddress(listener), nullptr);
  ASSERT_GE(Finish(&connect), 0);
  ASSERT_TRUE(Run([&] { return accept.results.size() == 2; }));
  for (int32_t socket : accept.results) io_->CloseSocket(socket, false);
  io_->CloseSocket(connect.result(), false);
  io_->Cancel(&accept.op);
  EXPECT_EQ(Finish(&accept), -ECANCELED);
  io_->CloseSocket(listener, false);
}

TEST_P(UringIoTest, AcceptWithoutAFreeDescriptorEndsAndCanStartAgain) {
  const Socket listener = Listen();
  Waiter connect(io_);
  io_->Connect(&connect.op, io_->LocalAddress(listener), nullptr);
  ASSERT_GE(Finish(&connect), 0);
  rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const int next = dup(listener);
  ASSERT_GE(next, 0);
  close(next);
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(next);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  Waiter accept(io_);
  io_->Accept(&accept.op, listener);
  EXPECT_EQ(Finish(&accept), -EMFILE);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  accept.Clear();
  io_->Accept(&accept.op, listener);
  ASSERT_TRUE(Run([&] { return !accept.results.empty(); }));
  ASSERT_GE(accept.results[0], 0);
  io_->CloseSocket(accept.results[0], false);
  io_->CloseSocket(connect.result(), false);
  io_->Cancel(&accept.op);
  EXPECT_EQ(Finish(&accept), -ECANCELED);
  io_->CloseSocket(listener, false);
}

TEST_P(UringIoTest, MorePartsThanOneCallTakes) {
  const auto [client, server] = Connected();
  constexpr size_t kParts = 3000;
  const std::string text = Pattern(kParts);
  std::vector<iovec> parts(kParts);
  for (size_t i = 0; i < kParts; ++i) parts[i] = {const_cast<char*>(text.data()) + i, 1};
  Waiter send(io_);
  io_->Send(&send.op, client, parts);
  EXPECT_EQ(Finish(&send), static_cast<int32_t>(kParts));
  EXPECT_GE(uring()->counters().short_sends, 2u);
  io_->ShutdownWrite(client);
  std::string received;
  Waiter receive(io_);
  do {
    receive.Clear();
    io_->Recv(&receive.op, server);
    ASSERT_GE(Finish(&receive), 0);
    received += receive.bytes;
  } while (receive.result() > 0);
  EXPECT_EQ(received, text);
  io_->CloseSocket(client, false);
  io_->CloseSocket(server, false);
}

// Its peer does not read. What the kernel had taken by then arrives, and not a byte more.
TEST_P(UringIoTest, ACancelledSendSaysHowMuchWasSent) {
  const auto [client, server] = Connected();
  const std::string text = Pattern(64u << 20);
  const iovec part = Part(text);
  Waiter send(io_);
  io_->Send(&send.op, client, {&part, 1});
  const int64_t until_ns = io_->now_ns() + 20 * core::kNsPerMs;
  while (io_->now_ns() < until_ns) io_->Turn(until_ns);
  ASSERT_TRUE(send.results.empty());  // more than any socket holds
  io_->Cancel(&send.op);
  const int32_t sent = Finish(&send);
  ASSERT_GT(sent, 0);
  ASSERT_LT(static_cast<size_t>(sent), text.size());
  io_->ShutdownWrite(client);
  std::string received;
  Waiter receive(io_);
  do {
    receive.Clear();
    io_->Recv(&receive.op, server);
    ASSERT_GE(Finish(&receive), 0);
    received += receive.bytes;
  } while (receive.result() > 0);
  EXPECT_EQ(received.size(), static_cast<size_t>(sent));
  EXPECT_TRUE(text.starts_with(received));
  io_->CloseSocket(client, false);
  io_->CloseSocket(server, false);
}

TEST_P(UringIoTest, AFullDeviceIsAResult) {
  Waiter w(io_);
  io_->Open(&w.op, "/dev/full", OpenOptions{.write = true});
  const File file = Finish(&w);
  ASSERT_GE(file, 0);
  const std::string text = "x";
  const iovec part = Part(text);
  w.Clear();
  io_->Write(&w.op, file, {&part, 1}, 0);
  EXPECT_EQ(Finish(&w), -ENOSPC);
  w.Clear();
  io_->CloseFile(&w.op, file);
  EXPECT_EQ(Finish(&w), 0);
}

TEST_P(UringIoTest, Ipv6) {
  core::SocketAddress loopback;
  loopback.ip = *core::IpAddress::Parse("::1");
  const core::Result<Socket> listener = io_->Listen(loopback, true);
  if (!listener.ok()) GTEST_SKIP() << listener.status().ToString();
  Waiter accept(io_);
  Waiter connect(io_);
  io_->Accept(&accept.op, *listener);
  io_->Connect(&connect.op, io_->LocalAddress(*listener), &loopback);
  ASSERT_GE(Finish(&connect), 0);
  ASSERT_TRUE(Run([&] { return !accept.results.empty(); }));
  EXPECT_EQ(io_->PeerAddress(accept.results[0]), io_->LocalAddress(connect.result()));
  EXPECT_EQ(io_->LocalAddress(connect.result()).ip, loopback.ip);
  io_->CloseSocket(accept.results[0], false);
  io_->CloseSocket(connect.result(), false);
  io_->Cancel(&accept.op);
  EXPECT_EQ(Finish(&accept), -ECANCELED);
  // The port is taken: the error names the address.
  const core::Result<Socket> second = io_->Listen(io_->LocalAddress(*listener), false);
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(second.status().message(),
              testing::HasSubstr(io_->LocalAddress(*listener).ToString()));
  io_->CloseSocket(*listener, false);
}

void OnSignal(int) {}

TEST_P(UringIoTest, ASignalOnlyEndsTheWait) {
  struct sigaction action = {};
  action.sa_handler = OnSignal;
  ASSERT_EQ(sigaction(SIGALRM, &action, nullptr), 0);
  const itimerval soon = {{0, 0}, {0, 2000}};
  ASSERT_EQ(setitimer(ITIMER_REAL, &soon, nullptr), 0);
  io_->Turn(core::kNever);  // would wait for ever
  const int64_t until_ns = io_->now_ns() + 5 * core::kNsPerMs;
  while (io_->now_ns() < until_ns) io_->Turn(until_ns);
}

TEST_P(UringIoTest, OneTurnIsAtMostOneEnter) {
  const auto [client, server] = Connected();
  const std::string text = "x";
  const iovec part = Part(text);
  const uint64_t turns = uring()->counters().turns;
  const uint64_t enters = uring()->enters();
  for (int i = 0; i < 20; ++i) {
    Waiter receive(io_);
    Waiter send(io_);
    io_->Recv(&receive.op, server);
    io_->Send(&send.op, client, {&part, 1});
    Finish(&receive);
    Finish(&send);
  }
  EXPECT_LE(uring()->enters() - enters, uring()->counters().turns - turns);
  io_->CloseSocket(client, false);
  io_->CloseSocket(server, false);
}

IoEnvironmentKind SmallKind(const std::string& name, std::vector<std::string> masked) {
  UringOptions options;
  options.submission_entries = 16;
  options.completion_entries = 32;
  options.buffer_count = 2;
  // Of what waits for a buffer: standing receives are in uring_standing_test.cc.
  masked.push_back("multishot_receive");
  options.disable = std::move(masked);
  return {name, [options] { return UringEnvironment::Make(options); }};
}

INSTANTIATE_TEST_SUITE_P(
    Small, UringIoTest,
    testing::Values(SmallKind("AllFeatures", {}), SmallKind("NoDeferTaskrun", {"defer_taskrun"}),
                    SmallKind("NoBufferRing", {"provided_buffer_ring"}),
                    SmallKind("NoPollFirst", {"poll_first"}),
                    SmallKind("Nothing", {"defer_taskrun", "single_issuer", "multishot_accept",
                                          "provided_buffer_ring", "poll_first", "msg_ring"})),
    IoEnvironmentName);

}  // namespace
}  // namespace outbox::io
