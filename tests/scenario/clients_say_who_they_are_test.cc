// Clients that authenticate themselves: who may then relay, as whom and how much; what guessing
// costs; and what becomes of a question whose client, or whose server, does not wait for the
// answer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "core/limits.h"
#include "core/user_list.h"
#include "tests/scenario/scenario_test.h"
#include "tests/simulation/line_peer.h"

namespace outbox::queue {
namespace {

using core::kNsPerMinute;
using core::kNsPerMs;
using core::kNsPerSecond;
using simulation::LinePeer;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

// "secret", by a method that is quick.
constexpr char kSecretHash[] =
    "$6$rounds=1000$saltsalt$LAV5VE5Y7w1d73x1mFNspYWUpazfmwv2SoepNXNKJ/"
    "otop/Zok96Hr8Q13LEv0DRY/x8v0/crpIjl8NJSAqXV/";
// NUL user NUL password, in base64.
constexpr char kAnn[] = "AUTH PLAIN AGFubgBzZWNyZXQ=\r\n";
constexpr char kAnnGuess[] = "AUTH PLAIN AGFubgBndWVzcw==\r\n";
constexpr char kNobodyGuess[] = "AUTH PLAIN AG5vYm9keQBndWVzcw==\r\n";
constexpr char kLocked[] = "AUTH PLAIN AGxvY2tlZABzZWNyZXQ=\r\n";
constexpr char kAuthHello[] = "EHLO c.example\r\n";
constexpr char kAuthMail[] =
    "MAIL FROM:<ann@a.example>\r\nRCPT TO:<one@b.example>\r\nDATA\r\nSubject: x\r\n\r\nhi\r\n.\r\n";

core::IpAddress Somewhere(uint8_t host) { return core::IpAddress::V4(203, 0, 113, host); }

// A client at an address of its own that says what it is told to.
class AuthClient {
 public:
  AuthClient(ShardStory* story, const core::IpAddress& from) : story_(story) {
    connect_.Bind<&AuthClient::OnConnected>(this);
    local_.ip = from;
    story->peers().Connect(&connect_, story->config().listeners[0].address, &local_);
    EXPECT_TRUE(story->RunUntil([this] { return peer_ != nullptr; }, kNsPerMinute));
  }

  void Say(std::string_view text) { peer_->Write(text); }
  // Says it, and returns what is answered within the time.
  std::string Ask(std::string_view text, int64_t ns = kNsPerSecond) {
    peer_->input().clear();
    Say(text);
    story_->RunFor(ns);
    return peer_->input();
  }
  // The time until something is answered.
  int64_t Wait(std::string_view text) {
    peer_->input().clear();
    const int64_t began_ns = story_->world().now_ns();
    Say(text);
    EXPECT_TRUE(story_->RunUntil([this] { return peer_->input().ends_with("\r\n") || ended_; },
                                 5 * kNsPerMinute));
    return story_->world().now_ns() - began_ns;
  }
  const std::string& heard() const { return peer_->input(); }
  void Leave() { peer_->Close(/*reset=*/true); }
  bool ended() const { return ended_; }

 private:
  void OnConnected(const io::OpResult& result) {
    ASSERT_GE(result.result, 0);
    peer_ = std::make_unique<LinePeer>(
        &story_->peers(), result.result, [] {}, [this](int) { ended_ = true; });
  }

  ShardStory* const story_;
  core::SocketAddress local_;
  io::Op connect_;
  std::unique_ptr<LinePeer> peer_;
  bool ended_ = false;
};

class ClientsSayWhoTheyAre : public ScenarioTest {
 protected:
  ClientsSayWhoTheyAre() : server_(story_.AddServer("b.example")) {
    core::ListenerConfig& listener = story_.config().listeners[0];
    listener.relay_from.clear();
    listener.auth.mode = core::AuthMode::kOffered;
    listener.auth.without_tls = true;
    SetUsers("");
  }
  ~ClientsSayWhoTheyAre() override { story_.peers().Abandon(); }

  void SetUsers(const std::string& options) {
    const auto result = core::ParseUsers(
        std::string("ann:") + kSecretHash + ":" + options + "\nlocked:!\n", "users");
    ASSERT_NE(result.list, nullptr) << result.errors[0];
    story_.config().listeners[0].auth.users = result.list;
  }
  AuthClient* Client(uint8_t host = 1) {
    clients_.push_back(std::make_unique<AuthClient>(&story_, Somewhere(host)));
    EXPECT_THAT(clients_.back()->Ask(kAuthHello), HasSubstr("250-AUTH PLAIN LOGIN\r\n"));
    return clients_.back().get();
  }
  int64_t Count(core::MetricCell core::ShardMetrics::*cell) const { return story_.Metric(cell); }

  simulation::ScriptedServer* server_;
  std::vector<std::unique_ptr<AuthClient>> clients_;  // as long as the world has them
};

TEST_P(ClientsSayWhoTheyAre, WhoIsKnownMayRelay) {
  story_.Start();
  AuthClient* const stranger = Client();
  EXPECT_THAT(stranger->Ask(kAuthMail),
              HasSubstr("550 5.7.1 Relaying is not permitted for 203.0.113.1; authenticate, or"));
  AuthClient* const ann = Client(2);
  EXPECT_EQ(ann->Ask(kAnn), "235 2.7.0 Authentication succeeded\r\n");
  EXPECT_THAT(ann->Ask(kAuthMail), HasSubstr("250 2.0.0 Ok: queued as "));
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  ASSERT_THAT(server_->taken(), SizeIs(1));
  EXPECT_THAT(server_->taken()[0].content, HasSubstr(" with ESMTPA id "));
  // One of ours: what is missing is added.
  EXPECT_THAT(server_->taken()[0].content, HasSubstr("Message-ID: <"));
  EXPECT_THAT(story_.events(), HasSubstr("\"client\":\"203.0.113.2\",\"user\":\"ann\","
                                         "\"mechanism\":\"PLAIN\",\"sender\":\"ann@a.example\""));
  EXPECT_EQ(Count(&core::ShardMetrics::auth_in_total), 1);
  EXPECT_EQ(Count(&core::ShardMetrics::auth_in_failed_total), 0);
  EXPECT_THAT(story_.events(), Not(HasSubstr("secret")));
  story_.Finish();
}

// Whether there is a user, one without a password, or another password: nobody can tell.
TEST_P(ClientsSayWhoTheyAre, WrongAnswersAreAllAlike) {
  story_.Start();
  uint8_t host = 0;
  for (const char* const wrong : {kAnnGuess, kNobodyGuess, kLocked}) {
    AuthClient* const client = Client(++host);
    const int64_t took_ns = client->Wait(wrong);
    EXPECT_EQ(client->heard(), "535 5.7.8 The user name or the password is wrong\r\n");
    EXPECT_GE(took_ns, kNsPerSecond);
    EXPECT_LE(took_ns, 2 * kNsPerSecond);
  }
  EXPECT_EQ(Count(&core::ShardMetrics::auth_in_failed_total), 3);
  EXPECT_THAT(story_.events(), HasSubstr("\"event\":\"auth_failed\",\"client\":\"203.0.113.1\","
                                         "\"user\":\"ann\",\"mechanism\":\"PLAIN\""));
  EXPECT_THAT(story_.events(), Not(HasSubstr("guess")));
  story_.Finish();
}

TEST_P(ClientsSayWhoTheyAre, GuessesTakeLongerAndLonger) {
  story_.config().auth.max_failures = 7;
  story_.config().auth.refuse_for_ns = 5 * kNsPerMinute;
  story_.Start();
  int64_t wanted_ns = kNsPerSecond;
  AuthClient* client = Client();
  for (int i = 0; i < 4; ++i) {
    const int64_t took_ns = client->Wait(kAnnGuess);
    EXPECT_THAT(client->heard(), StartsWith("535 5.7.8 "));
    EXPECT_GE(took_ns, wanted_ns);
    EXPECT_LE(took_ns, wanted_ns + kNsPerSecond);
    wanted_ns *= 2;
  }
  client->Wait(kAnnGuess);
  EXPECT_THAT(client->heard(), StartsWith("421 4.7.0 Too many failed authentications. Closing"));
  client = Client();
  for (int i = 0; i < 2; ++i) {
    const int64_t took_ns = client->Wait(kAnnGuess);
    EXPECT_GE(took_ns, core::kAuthDelayMaxNs);
    EXPECT_LE(took_ns, core::kAuthDelayMaxNs + kNsPerSecond);
  }
  // Now not even the right one is of use from there; from elsewhere it is.
  EXPECT_THAT(client->Ask(kAnn), HasSubstr("421 4.7.0 Too many failed authentications from your "
                                           "address; try again in "));
  EXPECT_TRUE(client->ended());
  EXPECT_THAT(Client(2)->Ask(kAnn), StartsWith("235 "));
  EXPECT_THAT(story_.events(), HasSubstr("\"event\":\"auth_address_refused\",\"client\":"
                                         "\"203.0.113.1\",\"user\":\"ann\",\"failures\":7,"
                                         "\"refused_for_s\":300"));
  EXPECT_EQ(Count(&core::ShardMetrics::auth_in_failed_total), 7);
  EXPECT_EQ(Count(&core::ShardMetrics::auth_in_refused_total), 1);
  story_.RunFor(5 * kNsPerMinute);
  EXPECT_THAT(Client()->Ask(kAnn), StartsWith("235 "));
  story_.Finish();
}

// Guesses that are held back hold up nobody else.
TEST_P(ClientsSayWhoTheyAre, OthersDoNotWaitForThem) {
  story_.config().auth.max_failures = 100;
  story_.Start();
  std::vector<AuthClient*> guessing;
  for (int i = 0; i < 20; ++i) {
    guessing.push_back(Client());
    guessing.back()->Say(kAnnGuess);
  }
  story_.RunFor(3 * kNsPerSecond);
  EXPECT_LE(Client(2)->Wait(kAnn), kNsPerSecond);
  story_.RunFor(core::kAuthDelayMaxNs);
  for (AuthClient* const client : guessing) EXPECT_THAT(client->heard(), HasSubstr("535 5.7.8 "));
  story_.Finish();
}

// The line of those who wait is bounded, and moves on.
TEST_P(ClientsSayWhoTheyAre, ManyAtOnce) {
  story_.Start();
  constexpr int kClients = 200;
  std::vector<AuthClient*> clients;
  for (int i = 0; i < kClients; ++i) clients.push_back(Client(static_cast<uint8_t>(i)));
  for (AuthClient* const client : clients) client->Say(kAnn);
  story_.RunFor(kNsPerMinute);
  int welcome = 0;
  for (AuthClient* const client : clients) {
    if (client->heard().find("454 4.7.0 ") != std::string::npos) {
      EXPECT_THAT(client->Ask(kAnn), StartsWith("235 "));
    } else {
      EXPECT_THAT(client->heard(), EndsWith("235 2.7.0 Authentication succeeded\r\n"));
      ++welcome;
    }
  }
  // Each shard has a line, and one at the helper.
  EXPECT_GE(welcome, static_cast<int>(core::kAuthWaitingMax));
  EXPECT_LE(welcome, static_cast<int>(GetParam() * (core::kAuthWaitingMax + 1)));
  EXPECT_EQ(Count(&core::ShardMetrics::auth_in_total), kClients);
  EXPECT_EQ(Count(&core::ShardMetrics::auth_in_refused_total), kClients - welcome);
  story_.Finish();
}

// Some leave while they stand in line, one while its password is compared, some while the answer is
// held back; their guesses count all the same, and the next one's do not suffer.
TEST_P(ClientsSayWhoTheyAre, ClientsThatDoNotWaitForTheAnswer) {
  story_.config().auth.max_failures = 50;
  story_.Start();
  std::vector<AuthClient*> clients;
  for (int round = 0; round < 6; ++round) {
    for (int i = 0; i < 8; ++i) {
      clients.push_back(Client());
      clients.back()->Say(kAnnGuess);
    }
    story_.RunFor(round * 90 * kNsPerMs);
    for (AuthClient* const client : clients) client->Leave();
    clients.clear();
    story_.RunFor(kNsPerSecond);
    EXPECT_THAT(Client(2)->Ask(kAnn), StartsWith("235 "));
  }
  EXPECT_GE(Count(&core::ShardMetrics::auth_in_failed_total), 6);
  EXPECT_EQ(Count(&core::ShardMetrics::auth_in_total), 6);
  story_.Finish();
}

// A stop answers who waits, and does not wait itself for what is held back.
TEST_P(ClientsSayWhoTheyAre, AStopWhilePasswordsAreCompared) {
  story_.config().auth.max_failures = 100;
  story_.Start();
  std::vector<AuthClient*> clients;
  for (int i = 0; i < 12; ++i) {
    clients.push_back(Client());
    clients.back()->Say(kAnnGuess);
  }
  story_.RunFor(5 * kNsPerSecond);
  for (int i = 0; i < 12; ++i) {
    clients.push_back(Client(2));
    clients.back()->Say(kAnn);
  }
  story_.RunFor(kNsPerMs);
  const int64_t began_ns = story_.world().now_ns();
  ASSERT_TRUE(story_.Stop());
  EXPECT_LE(story_.world().now_ns() - began_ns, 4 * kNsPerSecond);
  story_.RunFor(kNsPerSecond);
  for (AuthClient* const client : clients) {
    EXPECT_TRUE(client->ended());
    EXPECT_THAT(client->heard(), HasSubstr("421 4.3.2 "));
  }
  story_.Start();
  EXPECT_THAT(Client(3)->Ask(kAnn), StartsWith("235 "));
  story_.Finish();
}

TEST_P(ClientsSayWhoTheyAre, WithoutNoMailWhereItIsRequired) {
  story_.config().listeners[0].auth.mode = core::AuthMode::kRequired;
  story_.config().listeners[0].relay_from = {core::Network::Parse("203.0.113.0/24").value()};
  story_.Start();
  AuthClient* const client = Client();
  EXPECT_EQ(client->Ask("MAIL FROM:<ann@a.example>\r\n"), "530 5.7.0 Authentication required\r\n");
  EXPECT_THAT(client->Ask(kAnn), StartsWith("235 "));
  EXPECT_THAT(client->Ask(kAuthMail), HasSubstr("250 2.0.0 Ok: queued as "));
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  story_.Finish();
}

TEST_P(ClientsSayWhoTheyAre, SendersAreTheUsersOwn) {
  SetUsers("senders=*@a.example,ann@c.example");
  story_.Start();
  AuthClient* const client = Client();
  EXPECT_THAT(client->Ask(kAnn), StartsWith("235 "));
  EXPECT_EQ(client->Ask("MAIL FROM:<boss@c.example>\r\n"),
            "553 5.7.1 User ann may not send as <boss@c.example>; ask the postmaster to add it to "
            "the user's senders\r\n");
  EXPECT_THAT(client->Ask("MAIL FROM:<>\r\n"), StartsWith("553 5.7.1 "));
  EXPECT_THAT(client->Ask("MAIL FROM:<Ann@C.example>\r\nRSET\r\n"), StartsWith("250 "));
  EXPECT_THAT(client->Ask(kAuthMail), HasSubstr("250 2.0.0 Ok: queued as "));
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_EQ(Count(&core::ShardMetrics::auth_in_senders_refused_total), 2);
  EXPECT_THAT(story_.events(), HasSubstr("\"event\":\"sender_refused\",\"client\":\"203.0.113.1\","
                                         "\"user\":\"ann\",\"sender\":\"boss@c.example\""));
  story_.Finish();
}

// Over all shards and connections; what was not used is not held against anybody; and a reload
// forgets nothing.
TEST_P(ClientsSayWhoTheyAre, RatesHold) {
  SetUsers("messages=4/h recipients=6/h");
  story_.Start();
  std::vector<AuthClient*> clients;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(Client());
    EXPECT_THAT(clients.back()->Ask(kAnn), StartsWith("235 "));
    EXPECT_THAT(clients.back()->Ask("MAIL FROM:<ann@a.example>\r\nRSET\r\n"),
                StartsWith("250 2.1.0 "));
    EXPECT_THAT(clients.back()->Ask(kAuthMail), HasSubstr("250 2.0.0 Ok: queued as "));
  }
  EXPECT_THAT(clients[0]->Ask("MAIL FROM:<ann@a.example>\r\n"),
              HasSubstr("450 4.7.1 User ann has sent the 4/h messages that are allowed; the next "
                        "one is taken in "));
  EXPECT_EQ(Count(&core::ShardMetrics::auth_in_rate_refused_total), 1);
  EXPECT_THAT(story_.events(),
              HasSubstr("\"event\":\"rate_exceeded\",\"client\":\"203.0.113.1\","
                        "\"user\":\"ann\",\"what\":\"messages\",\"rate\":\"4/h\""));
  story_.RunFor(20 * kNsPerMinute);
  AuthClient* client = Client();
  EXPECT_THAT(client->Ask(kAnn), StartsWith("235 "));
  EXPECT_THAT(client->Ask("MAIL FROM:<ann@a.example>\r\n"), StartsWith("250 2.1.0 "));
  std::string replies;
  for (int i = 0; i < 5; ++i) replies += client->Ask("RCPT TO:<one@b.example>\r\n");
  // Two were left, and two have grown back.
  EXPECT_THAT(replies, HasSubstr("450 4.7.1 User ann has sent the 6/h recipients"));
  EXPECT_EQ(Count(&core::ShardMetrics::auth_in_rate_refused_total), 2);
  client->Ask("QUIT\r\n");
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  story_.Finish();
}

}  // namespace

INSTANTIATE_TEST_SUITE_P(Shards, ClientsSayWhoTheyAre, testing::Values(1, 2));

}  // namespace outbox::queue
