// Connection: its three steps of ending, in every order in which they can meet what is in flight.
#include "io/connection.h"

#include <errno.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "io/sim_io.h"
#include "io/sim_world.h"
#include "tests/io/sim_environment.h"
#include "tests/io/uring_environment.h"

namespace outbox::io {
namespace {

// Writes down what it hears; does what a test asks for when it does.
struct Listener : Connection::Handler {
  void OnBytes(std::span<char> bytes) override {
    text.append(bytes.data(), bytes.size());
    Heard("bytes");
  }
  void OnReceived(size_t size) override {
    text.append(memory, 0, size);
    Heard("received");
  }
  void OnEndOfStream() override { Heard("end"); }
  void OnSent(size_t size) override {
    sent += size;
    Heard("sent");
  }
  void OnError(int error) override {
    last_error = error;
    Heard("error");
  }
  void OnClosed() override {
    closed = true;
    Heard("closed");
    if (owned != nullptr) owned.reset();
  }
  void Heard(const std::string& event) {
    events.push_back(event);
    if (event == when && act != nullptr) act();
  }

  std::vector<std::string> events;
  std::string text;
  std::string memory = std::string(1000, '\0');
  size_t sent = 0;
  int last_error = 0;
  bool closed = false;
  std::string when;
  std::function<void()> act;
  std::unique_ptr<Connection> owned;  // destroyed in OnClosed
};

class ConnectionTest : public IoTest {
 protected:
  void SetUp() override {
    IoTest::SetUp();
    const auto [client, server] = Connected();
    client_.Start(io_, client, &client_listener_);
    server_.Start(io_, server, &server_listener_);
  }
  void TearDown() override {
    for (Connection* connection : {&client_, &server_}) {
      if (!connection->closed()) connection->Terminate(Connection::End::kGraceful);
    }
    EXPECT_TRUE(Run([&] { return client_.closed() && server_.closed(); }));
  }
  void ServerSays(const std::string& text) {
    said_ = text;
    part_ = Part(said_);
    server_.Send({&part_, 1});
  }

  Listener client_listener_;
  Listener server_listener_;
  Connection client_;
  Connection server_;
  std::string said_;
  iovec part_ = {};
};

TEST_P(ConnectionTest, SaysAndHears) {
  EXPECT_EQ(client_.PeerAddress(), server_.LocalAddress());
  client_.Receive();
  EXPECT_TRUE(client_.receiving());
  ServerSays("220 relay.example ESMTP\r\n");
  ASSERT_TRUE(Run([&] { return !client_.receiving() && !server_.sending(); }));
  EXPECT_EQ(client_listener_.text, said_);
  EXPECT_EQ(server_listener_.sent, said_.size());
  client_.ReceiveInto(std::span(client_listener_.memory));
  ServerSays("250 2.0.0 Ok\r\n");
  ASSERT_TRUE(Run([&] { return !client_.receiving() && !server_.sending(); }));
  EXPECT_EQ(client_listener_.text, "220 relay.example ESMTP\r\n250 2.0.0 Ok\r\n");
  EXPECT_THAT(client_listener_.events, testing::ElementsAre("bytes", "received"));
}

TEST_P(ConnectionTest, GracefulEndIsTheEndOfTheStream) {
  client_.Receive();
  server_.Receive();
  server_listener_.when = "sent";
  server_listener_.act = [&] {
    server_.Terminate(Connection::End::kGraceful);
    EXPECT_FALSE(server_.open());
    EXPECT_FALSE(server_listener_.closed);
  };
  ServerSays("221 Bye\r\n");
  ASSERT_TRUE(Run([&] { return server_.closed() && !client_.receiving(); }));
  EXPECT_THAT(server_listener_.events, testing::ElementsAre("sent", "closed"));
  EXPECT_EQ(client_listener_.text, "221 Bye\r\n");
  client_.Receive();
  ASSERT_TRUE(Run([&] { return !client_.receiving(); }));
  EXPECT_THAT(client_listener_.events, testing::ElementsAre("bytes", "end"));
}

TEST_P(ConnectionTest, ResetIsAnError) {
  client_.Receive();
  io_->Turn(0);
  server_.Terminate(Connection::End::kGraceful);
  server_.Terminate(Connection::End::kReset);  // harder
  ASSERT_TRUE(Run([&] { return server_.closed() && !client_.receiving(); }));
  EXPECT_THAT(client_listener_.events, testing::ElementsAre("error"));
  EXPECT_EQ(client_listener_.last_error, ECONNRESET);
}

TEST_P(ConnectionTest, TerminatedWithNothingInFlightClosesLater) {
  server_.Terminate(Connection::End::kGraceful);
  EXPECT_FALSE(server_.open());
  EXPECT_FALSE(server_.closed());  // not inside the call
  ASSERT_TRUE(Run([&] { return server_.closed(); }));
  EXPECT_THAT(server_listener_.events, testing::ElementsAre("closed"));
}

TEST_P(ConnectionTest, TerminatedInTheLastHandlerClosesAfterIt) {
  client_listener_.when = "bytes";
  client_listener_.act = [&] { client_.Terminate(Connection::End::kGraceful); };
  client_.Receive();
  ServerSays("421 4.3.2 Going down\r\n");
  ASSERT_TRUE(Run([&] { return client_.closed() && !server_.sending(); }));
  EXPECT_THAT(client_listener_.events, testing::ElementsAre("bytes", "closed"));
}

TEST_P(ConnectionTest, TerminatedWithBothInFlightHearsOnlyOfTheClose) {
  const std::string text = Pattern(size_t{32} << 20);  // more than the socket takes
  const iovec part = Part(text);
  server_.Receive();
  server_.Send({&part, 1});
  for (int turn = 0; turn < 3; ++turn) io_->Turn(io_->now_ns() + core::kNsPerMs);
  server_.Terminate(Connection::End::kReset);
  ASSERT_TRUE(Run([&] { return server_.closed(); }));
  EXPECT_THAT(server_listener_.events, testing::ElementsAre("closed"));
}

TEST_P(ConnectionTest, BytesThatArriveDuringTheEndAreDropped) {
  client_.Receive();
  ServerSays("250 2.0.0 Ok\r\n");
  io_->Turn(0);
  client_.Terminate(Connection::End::kGraceful);
  ASSERT_TRUE(Run([&] { return client_.closed() && !server_.sending(); }));
  EXPECT_EQ(client_listener_.events.back(), "closed");
}

TEST_P(ConnectionTest, OwnerGoesInOnClosed) {
  const auto [near, far] = Connected();
  Listener listener;
  listener.owned = std::make_unique<Connection>();
  Connection* connection = listener.owned.get();
  connection->Start(io_, near, &listener);
  connection->Receive();
  connection->Terminate(Connection::End::kGraceful);
  ASSERT_TRUE(Run([&] { return listener.owned == nullptr; }));
  io_->CloseSocket(far, false);
}

TEST_P(ConnectionTest, StartsAgainAfterItsClose) {
  server_.Terminate(Connection::End::kGraceful);
  ASSERT_TRUE(Run([&] { return server_.closed(); }));
  const auto [near, far] = Connected();
  server_.Start(io_, near, &server_listener_);
  EXPECT_TRUE(server_.open());
  server_.Receive();
  io_->CloseSocket(far, false);
  ASSERT_TRUE(Run([&] { return !server_.receiving(); }));
  EXPECT_EQ(server_listener_.events.back(), "end");
}

INSTANTIATE_TEST_SUITE_P(Worlds, ConnectionTest,
                         testing::Values(UringEnvironment::Kind("Uring", {}),
                                         UringEnvironment::Kind("UringNoBufferRing",
                                                                {"provided_buffer_ring"}),
                                         SimEnvironment::Kind("Sim", 1)),
                         IoEnvironmentName);

}  // namespace
}  // namespace outbox::io
