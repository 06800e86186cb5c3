// Connection with TLS on: the same face as without, on the real kernel and in the simulated world.
#include <errno.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "io/connection.h"
#include "io/tls_channel.h"
#include "tests/io/sim_environment.h"
#include "tests/io/tls_certificates.h"
#include "tests/io/uring_environment.h"

namespace outbox::io {
namespace {

// Writes down what it hears, and asks for more as long as it is told to.
struct Party : Connection::Handler {
  void OnBytes(std::span<char> bytes) override {
    text.append(bytes.data(), bytes.size());
    Heard("bytes");
  }
  void OnReceived(size_t) override { FAIL(); }
  void OnEndOfStream() override { Heard("end"); }
  void OnSent(size_t size) override {
    sent += size;
    Heard("sent");
  }
  void OnError(int error) override {
    last_error = error;
    Heard("error");
  }
  void OnTls(std::string_view error) override {
    tls_error = error;
    Heard(error.empty() ? "tls" : "no tls");
  }
  void OnClosed() override { Heard("closed"); }
  void Heard(const std::string& event) {
    if (event != "bytes" || events.empty() || events.back() != event) events.push_back(event);
    if (event == when && act != nullptr) act();
    if (event == "bytes" && reads && connection.open()) connection.Receive();
  }

  std::vector<std::string> events;
  std::string text;
  std::string tls_error;
  size_t sent = 0;
  int last_error = 0;
  bool reads = false;
  std::string when;
  std::function<void()> act;
  Connection connection;
};

class TlsConnectionTest : public IoTest {
 protected:
  static void SetUpTestSuite() {
    if (certificates_ != nullptr) return;
    certificates_ = new TlsCertificates;
    certificates_->Issue("mail", "DNS:mail.example.net");
  }

  void SetUp() override {
    IoTest::SetUp();
    const auto [near, far] = Connected();
    client_.connection.Start(io_, near, &client_);
    server_.connection.Start(io_, far, &server_);
  }
  void TearDown() override {
    for (Party* party : {&client_, &server_}) {
      party->reads = false;
      party->act = nullptr;
      if (!party->connection.closed()) party->connection.Terminate(Connection::End::kGraceful);
    }
    EXPECT_TRUE(Run([&] { return client_.connection.closed() && server_.connection.closed(); }));
  }
  void StartClient(bool verify = false) {
    const TlsPeer peer{"server:25", "mail.example.net", "", verify};
    client_.connection.StartTls(TlsStream::Connect(&context_, peer), &memory_);
  }
  void StartServer() {
    server_.connection.StartTls(TlsStream::Accept(certificates_->Server("mail")), &memory_);
  }
  void ShakeHands() {
    StartServer();
    StartClient();
    ASSERT_TRUE(Run([&] { return !client_.events.empty() && !server_.events.empty(); }));
    ASSERT_EQ(client_.events.back(), "tls") << client_.tls_error;
    ASSERT_EQ(server_.events.back(), "tls") << server_.tls_error;
    ASSERT_TRUE(client_.connection.encrypted() && client_.connection.tls().on());
  }
  void Say(Party* party, const std::string& text) {
    said_ = text;
    part_ = Part(said_);
    party->connection.Send({&part_, 1});
  }

  static TlsCertificates* certificates_;
  TlsMemory memory_;
  TlsClientContext context_{16};
  Party client_;
  Party server_;
  std::string said_;
  iovec part_ = {};
};

TlsCertificates* TlsConnectionTest::certificates_ = nullptr;

TEST_P(TlsConnectionTest, SaysAndHears) {
  ShakeHands();
  server_.connection.Receive();
  Say(&client_, "EHLO client.example\r\n");
  EXPECT_TRUE(client_.connection.sending());
  ASSERT_TRUE(Run([&] { return !server_.text.empty() && client_.sent > 0; }));
  EXPECT_EQ(server_.text, "EHLO client.example\r\n");
  EXPECT_EQ(client_.sent, said_.size());
  EXPECT_FALSE(client_.connection.sending() || server_.connection.receiving());
  client_.connection.Receive();
  Say(&server_, "250 server.example\r\n");
  ASSERT_TRUE(Run([&] { return !client_.text.empty() && server_.sent > 0; }));
  EXPECT_EQ(client_.text, "250 server.example\r\n");
}

TEST_P(TlsConnectionTest, ALargeMessageInPartsArrivesWhole) {
  ShakeHands();
  const std::string envelope = "MAIL FROM:<a@example.net>\r\n";
  const std::string body = Pattern(3'000'001);
  const std::string next = "RSET\r\n";
  const iovec parts[] = {Part(envelope), Part(body), Part(next)};
  server_.reads = true;
  server_.connection.Receive();
  client_.connection.Send(parts);
  const size_t all = envelope.size() + body.size() + next.size();
  ASSERT_TRUE(Run([&] { return server_.text.size() == all && client_.sent == all; }));
  EXPECT_TRUE(server_.text == envelope + body + next);
}

TEST_P(TlsConnectionTest, WhatComesBehindTheHandshakeIsNotLost) {
  client_.when = "tls";
  client_.act = [&] { Say(&client_, "EHLO early.example\r\n"); };
  StartServer();
  StartClient();
  ASSERT_TRUE(Run([&] { return client_.sent > 0 && server_.events.size() == 1; }));
  for (int turn = 0; turn < 5; ++turn) io_->Turn(io_->now_ns() + core::kNsPerMs);
  server_.connection.Receive();
  ASSERT_TRUE(Run([&] { return !server_.text.empty(); }));
  EXPECT_EQ(server_.text, "EHLO early.example\r\n");
}

TEST_P(TlsConnectionTest, TheEndOfTheOneIsTheEndOfTheStreamForTheOther) {
  ShakeHands();
  client_.reads = true;
  client_.connection.Receive();
  server_.when = "sent";
  server_.act = [&] { server_.connection.Terminate(Connection::End::kGraceful); };
  Say(&server_, "221 Bye\r\n");
  ASSERT_TRUE(Run([&] { return server_.connection.closed() && !client_.connection.receiving(); }));
  EXPECT_EQ(client_.text, "221 Bye\r\n");
  EXPECT_THAT(client_.events, testing::ElementsAre("tls", "bytes", "end"));
}

TEST_P(TlsConnectionTest, OurSideEndsAndTheOtherGoesOn) {
  ShakeHands();
  client_.reads = true;
  client_.connection.Receive();
  server_.connection.ShutdownWrite();
  ASSERT_TRUE(Run([&] { return client_.events.back() == "end"; }));
  server_.connection.Receive();
  Say(&client_, "QUIT\r\n");
  ASSERT_TRUE(Run([&] { return !server_.text.empty(); }));
  EXPECT_EQ(server_.text, "QUIT\r\n");
}

TEST_P(TlsConnectionTest, ASendThatIsCutGivesItsMemoryBackAndLosesNothing) {
  ShakeHands();
  std::string body = Pattern(size_t{32} << 20);  // more than the socket takes
  const std::string whole = body;
  const iovec part = Part(body);
  client_.connection.Send({&part, 1});
  for (int turn = 0; turn < 50; ++turn) io_->Turn(io_->now_ns() + core::kNsPerMs);
  size_t taken = body.size();
  if (client_.connection.sending()) {
    client_.connection.CutSend();
    ASSERT_TRUE(Run([&] { return !client_.connection.sending(); }));
    taken = client_.sent;
    EXPECT_LE(taken, body.size());
  }
  body.assign(body.size(), 'x');  // the memory is somebody else's now
  const std::string rest = whole.substr(taken);
  const iovec rest_part = Part(rest);
  if (!rest.empty()) client_.connection.Send({&rest_part, 1});
  server_.reads = true;
  server_.connection.Receive();
  ASSERT_TRUE(Run([&] { return server_.text.size() == whole.size(); }));
  EXPECT_TRUE(server_.text == whole);
  EXPECT_TRUE(Run([&] { return !client_.connection.sending(); }));
}

TEST_P(TlsConnectionTest, PlainTextInsteadOfAHandshakeFails) {
  StartServer();
  Say(&client_, "MAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.net>\r\n");
  ASSERT_TRUE(Run([&] { return !server_.events.empty() && !client_.connection.sending(); }));
  EXPECT_EQ(server_.events.back(), "no tls");
  EXPECT_FALSE(server_.tls_error.empty());
  EXPECT_FALSE(server_.connection.tls().on());
}

TEST_P(TlsConnectionTest, ACertificateThatNobodyVouchesForIsRefusedOnBothSides) {
  StartServer();
  StartClient(/*verify=*/true);
  ASSERT_TRUE(Run([&] { return !client_.events.empty(); }));
  EXPECT_EQ(client_.events.back(), "no tls");
  EXPECT_THAT(client_.tls_error, testing::HasSubstr("vouched for by nobody"));
  client_.connection.Terminate(Connection::End::kGraceful);
  // The alert has come before the end.
  ASSERT_TRUE(Run([&] { return !server_.events.empty(); }));
}

TEST_P(TlsConnectionTest, APeerThatClosesInTheHandshakeIsHeardOf) {
  StartServer();
  client_.connection.Terminate(Connection::End::kGraceful);
  ASSERT_TRUE(Run([&] { return !server_.events.empty(); }));
  EXPECT_EQ(server_.events.back(), "no tls");
  EXPECT_THAT(server_.tls_error, testing::HasSubstr("closed"));
}

TEST_P(TlsConnectionTest, ASilentPeerIsTerminated) {
  StartClient();
  for (int turn = 0; turn < 5; ++turn) io_->Turn(io_->now_ns() + core::kNsPerMs);
  EXPECT_THAT(client_.events, testing::IsEmpty());
  client_.connection.Terminate(Connection::End::kReset);
  ASSERT_TRUE(Run([&] { return client_.connection.closed(); }));
  EXPECT_THAT(client_.events, testing::ElementsAre("closed"));
}

TEST_P(TlsConnectionTest, StartsAgainPlain) {
  ShakeHands();
  client_.connection.Terminate(Connection::End::kReset);
  ASSERT_TRUE(Run([&] { return client_.connection.closed(); }));
  const auto [near, far] = Connected();
  client_.connection.Start(io_, near, &client_);
  EXPECT_FALSE(client_.connection.encrypted());
  io_->CloseSocket(far, false);
}

INSTANTIATE_TEST_SUITE_P(Worlds, TlsConnectionTest,
                         testing::Values(UringEnvironment::Kind("Uring", {}),
                                         SimEnvironment::Kind("Sim", 1)),
                         IoEnvironmentName);

}  // namespace
}  // namespace outbox::io
