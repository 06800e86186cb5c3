// The scripted hosts: a client and a server that talk to each other, with and without trouble.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "io/sim_io.h"
#include "io/sim_world.h"
#include "tests/simulation/scripted_client.h"
#include "tests/simulation/scripted_server.h"

namespace outbox::simulation {
namespace {

const core::SocketAddress kAddress = {core::IpAddress::V4(10, 0, 0, 1), 25};

class ScriptedTest : public testing::Test {
 protected:
  ~ScriptedTest() override {
    server_io_.Abandon();
    client_io_.Abandon();
  }
  ClientResult Send(const ClientScript& script = {}) {
    if (server_ == nullptr)
      server_ = std::make_unique<ScriptedServer>(&server_io_, kAddress, script_);
    ClientResult got;
    bool done = false;
    client_.Send(kAddress, message_, script, [&](const ClientResult& result) {
      got = result;
      done = true;
    });
    world_.RunUntil([&] { return done; }, core::kNsPerHour);
    EXPECT_TRUE(done);
    world_.RunFor(core::kNsPerMinute);
    EXPECT_EQ(client_.under_way(), 0u);
    return got;
  }

  io::SimWorld world_{io::SimOptions{}};
  io::SimIo server_io_{&world_, 1};
  io::SimIo client_io_{&world_, 2};
  Script script_;
  std::unique_ptr<ScriptedServer> server_;
  ScriptedClient client_{&client_io_};
  ClientMessage message_ = {
      "a@x.example", {"b@y.example", "c@y.example"}, "Subject: x\r\n\r\n..hi\r\n"};
};

TEST_F(ScriptedTest, AMessageIsTaken) {
  for (const bool pipelining : {true, false}) {
    const ClientResult result = Send({.pipelining = pipelining});
    EXPECT_TRUE(result.acknowledged);
    EXPECT_EQ(result.recipient_replies[1], "250 2.1.5 OK");
  }
  ASSERT_EQ(server_->taken().size(), 2u);
  for (const TakenMessage& taken : server_->taken()) {
    EXPECT_EQ(taken.reverse_path, "a@x.example");
    EXPECT_EQ(taken.recipients, message_.recipients);
    EXPECT_EQ(taken.content, message_.content);
    EXPECT_TRUE(taken.clean);
  }
  EXPECT_EQ(server_->open_sessions(), 0u);
  EXPECT_TRUE(server_->violations().empty());
}

TEST_F(ScriptedTest, WithoutPipeliningTheClientWaits) {
  script_.extensions = {"8BITMIME"};
  EXPECT_TRUE(Send().acknowledged);
  EXPECT_TRUE(server_->violations().empty());
}

TEST_F(ScriptedTest, RulesChangeReplies) {
  script_.rules = {
      {.at = "RCPT TO:<b@", .reply = "550 5.1.1 nobody"},
      {.at = ".", .reply = "451 4.3.0 later", .delay_ns = core::kNsPerMinute, .times = 1}};
  const int64_t before = world_.now_ns();
  ClientResult result = Send();
  EXPECT_FALSE(result.acknowledged);
  EXPECT_EQ(result.last_reply, "451 4.3.0 later");
  EXPECT_EQ(result.recipient_replies[0], "550 5.1.1 nobody");
  EXPECT_GE(world_.now_ns() - before, core::kNsPerMinute);
  EXPECT_TRUE(server_->taken().empty());
  result = Send();
  EXPECT_TRUE(result.acknowledged);
  ASSERT_EQ(server_->taken().size(), 1u);
  EXPECT_EQ(server_->taken()[0].recipients, std::vector<std::string>{"c@y.example"});
}

TEST_F(ScriptedTest, TakenWithoutAReplyIsNotClean) {
  script_.rules = {{.at = ".", .reply = "", .then = ScriptRule::Then::kReset}};
  const ClientResult result = Send();
  EXPECT_TRUE(result.dot_sent);
  EXPECT_FALSE(result.acknowledged);
  ASSERT_EQ(server_->taken().size(), 1u);
  EXPECT_FALSE(server_->taken()[0].clean);
}

TEST_F(ScriptedTest, AStalledServerIsGivenUp) {
  script_.rules = {{.at = "body", .reply = "", .then = ScriptRule::Then::kStall}};
  const ClientResult result = Send();
  EXPECT_TRUE(result.dot_sent);
  EXPECT_FALSE(result.acknowledged);
  EXPECT_TRUE(server_->taken().empty());
}

TEST_F(ScriptedTest, AbortedTransactionsAreNotTaken) {
  using Abort = ClientScript::Abort;
  for (const Abort abort : {Abort::kAfterConnect, Abort::kInEnvelope, Abort::kInContent}) {
    const ClientResult result = Send({.abort = abort});
    EXPECT_FALSE(result.dot_sent || result.acknowledged);
  }
  EXPECT_TRUE(server_->taken().empty());
  EXPECT_TRUE(Send({.abort = Abort::kAfterDot}).dot_sent);
}

TEST_F(ScriptedTest, NobodyListens) {
  server_ = std::make_unique<ScriptedServer>(
      &server_io_, core::SocketAddress{core::IpAddress::V4(10, 0, 0, 2), 25}, script_);
  const ClientResult result = Send();
  EXPECT_FALSE(result.dot_sent);
  EXPECT_EQ(result.last_reply, "");
}

}  // namespace
}  // namespace outbox::simulation
