// Clients that use TLS against us: they are left, nobody else notices, and no message is made of
// what was none.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "core/limits.h"
#include "tests/io/tls_certificates.h"
#include "tests/scenario/scenario_test.h"
#include "tests/scenario/tls_party.h"

namespace outbox::queue {
namespace {

using core::kNsPerMinute;
using core::kNsPerMs;
using core::kNsPerSecond;
using io::HostileTlsPeer;
using simulation::LinePeer;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

const io::TlsCertificates& ListenerCertificates() {
  static const io::TlsCertificates* const all = [] {
    auto* const made = new io::TlsCertificates;
    made->Issue("relay", "DNS:relay.example");
    return made;
  }();
  return *all;
}

constexpr char kTlsHello[] = "EHLO c.example\r\n";
constexpr char kTlsEnvelope[] =
    "MAIL FROM:<a@sender.example>\r\nRCPT TO:<one@b.example>\r\nDATA\r\n";
constexpr char kTlsMessage[] = "Subject: x\r\n\r\nhi\r\n.\r\n";

// A client that says what it is told to.
class TlsClient {
 public:
  explicit TlsClient(ShardStory* story) : story_(story), io_(&story->peers()) {
    connect_.Bind<&TlsClient::OnConnected>(this);
    io_->Connect(&connect_, story->config().listeners[0].address, nullptr);
    EXPECT_TRUE(story->RunUntil([this] { return party_ != nullptr; }, kNsPerMinute));
  }

  void StartTls(uint16_t version) {
    AskForTls();
    party_->StartTls(HostileTlsPeer::Client(version));
    EXPECT_TRUE(story_->RunUntil([this] { return party_->secured(); }, kNsPerMinute));
  }
  // Up to the answer to STARTTLS; what follows is the story's.
  void AskForTls() {
    party_->Say(std::string(kTlsHello) + "STARTTLS\r\n");
    EXPECT_THAT(Heard(), HasSubstr("220 2.0.0 "));
  }
  // All text, after so much time.
  const std::string& Heard(int64_t ns = kNsPerSecond) {
    story_->RunFor(ns);
    return party_->text();
  }
  // Octets, one each second, until the relay has had enough.
  void Drip(const std::string& octets) {
    for (size_t i = 0; i < octets.size() && !ended_; ++i) {
      line_->Write(octets.substr(i, 1));
      story_->RunFor(kNsPerSecond);
      ++dripped_;
    }
  }

  TlsParty* operator->() { return party_.get(); }
  LinePeer* line() { return line_.get(); }
  HostileTlsPeer* tls() { return party_->tls(); }
  bool ended() const { return ended_; }
  int dripped() const { return dripped_; }

 private:
  void OnConnected(const io::OpResult& result) {
    ASSERT_GE(result.result, 0);
    line_ = std::make_unique<LinePeer>(
        io_, result.result, [this] { party_->TakeInput(); }, [this](int) { ended_ = true; });
    party_ = std::make_unique<TlsParty>(line_.get());
  }

  ShardStory* const story_;
  io::SimIo* const io_;
  io::Op connect_;
  std::unique_ptr<LinePeer> line_;
  std::unique_ptr<TlsParty> party_;
  bool ended_ = false;
  int dripped_ = 0;
};

class HostileTlsClient : public ScenarioTest {
 protected:
  HostileTlsClient() : server_(story_.AddServer("b.example")) {
    story_.config().listeners[0].tls = core::TlsMode::kOpportunistic;
    ShardTls tls;
    tls.listeners = {ListenerCertificates().Server("relay")};
    story_.SetCertificates(tls);
    story_.Start();
  }
  ~HostileTlsClient() override { story_.peers().Abandon(); }

  // The relay has let go of it, takes and delivers a decent client's mail, and only that one more.
  void FinishInOrder(TlsClient* client, size_t taken = 0) {
    ASSERT_TRUE(story_.RunUntil([&] { return client->ended(); }, 10 * kNsPerMinute));
    EXPECT_TRUE(story_.Send(kSender, {"decent@b.example"}).acknowledged);
    ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
    EXPECT_THAT(server_->taken(), SizeIs(taken + 1));
    EXPECT_EQ(story_.Counters().accepted, taken + 1);
    story_.Finish();
  }
  int64_t Failed() { return story_.Metric(&core::ShardMetrics::tls_in_failed_total); }
  int64_t TimedOut() { return story_.Metric(&core::ShardMetrics::timeouts_in_total); }

  simulation::ScriptedServer* server_;
};

INSTANTIATE_TEST_SUITE_P(Shards, HostileTlsClient, ::testing::Values(1u, 2u));

// --- The handshake ---

TEST_P(HostileTlsClient, AHandshakeOfOneOctetASecondIsLeftAfterAMinute) {
  TlsClient client(&story_);
  client.AskForTls();
  client.Drip(HostileTlsPeer::Plain(22, std::string("\1\0\1\0\3\3", 6) + std::string(250, 'r')));
  EXPECT_GE(client.dripped(), 55);
  EXPECT_LE(client.dripped(), 65);
  EXPECT_EQ(TimedOut(), 1);
  FinishInOrder(&client);
}

TEST_P(HostileTlsClient, WhatIsNoHandshakeIsLeftAtOnce) {
  std::string warnings;
  while (warnings.size() < 7000) warnings += HostileTlsPeer::Plain(21, io::kTlsWarning);
  std::string empty;
  while (empty.size() < 5000) empty += HostileTlsPeer::Plain(22, "");
  const std::string endless =
      HostileTlsPeer::Plain(22, "\x01\xff\xff\xff" + std::string(9999, 'x'));
  int64_t failed = 0;
  for (const std::string& said : {warnings, empty, endless, std::string(3000, '\x7f'),
                                  std::string(kTlsHello) + kTlsEnvelope + kTlsMessage}) {
    TlsClient client(&story_);
    client.AskForTls();
    client.line()->Write(said);
    EXPECT_THAT(client.Heard(), Not(HasSubstr("250 2.1.0")));
    EXPECT_TRUE(story_.RunUntil([&] { return client.ended(); }, kNsPerMinute));
    EXPECT_EQ(Failed(), ++failed);
    if (failed == 5) FinishInOrder(&client);
  }
}

// --- Behind the handshake ---

TEST_P(HostileTlsClient, TextThatIsSealedByHandIsMail) {  // else the others would prove nothing
  size_t taken = 0;
  for (const uint16_t version : kTlsVersions) {
    TlsClient client(&story_);
    client.StartTls(version);
    client->Say(std::string(kTlsHello) + kTlsEnvelope + kTlsMessage + "QUIT\r\n");
    EXPECT_THAT(client.Heard(), HasSubstr("221 2.0.0"));
    ++taken;
    if (version == kTlsVersions[1]) FinishInOrder(&client, taken);
  }
}

TEST_P(HostileTlsClient, FloodsAreLeftAndTakeNothing) {
  for (const uint16_t version : kTlsVersions) {
    for (const auto& [type, text] :
         {std::pair(io::kTlsAlert, io::kTlsWarning), std::pair(io::kTlsData, std::string_view())}) {
      TlsClient client(&story_);
      client.StartTls(version);
      client->Say(std::string(kTlsHello) + kTlsEnvelope + "Subject: x\r\n\r\nhi\r\n");
      for (int i = 0; i < 1000; ++i) client->SayRecord(type, text);
      client->Say(".\r\n");
      EXPECT_THAT(client.Heard(), Not(HasSubstr("queued as")));
      EXPECT_TRUE(story_.RunUntil([&] { return client.ended(); }, kNsPerMinute));
    }
  }
  TlsClient client(&story_);
  client.StartTls(TLS1_3_VERSION);
  client->Say(std::string(kTlsHello) + kTlsEnvelope);
  for (int i = 0; i < 1000; ++i) client.line()->Write(client.tls()->SealKeyUpdate());
  client->Say(kTlsMessage);
  FinishInOrder(&client);
}

// Each a record of its own, which is slow and nothing worse; the new keys are followed.
TEST_P(HostileTlsClient, AMessageOfSingleOctetsAndNewKeysArrives) {
  TlsClient client(&story_);
  client.StartTls(TLS1_3_VERSION);
  const std::string all = std::string(kTlsHello) + kTlsEnvelope + kTlsMessage + "QUIT\r\n";
  for (const char c : all) {
    client->Say(std::string(1, c));
    client.line()->Write(client.tls()->SealKeyUpdate());
    story_.RunFor(kNsPerMs);
  }
  EXPECT_THAT(client.Heard(), HasSubstr("221 2.0.0"));
  FinishInOrder(&client, 1);
}

// What is in a record is not a command: only its octets count for the time that one may take.
TEST_P(HostileTlsClient, ACommandOfOneOctetASecondIsToldAndLeftAtTheTimeout) {
  story_.config().listeners[0].command_timeout_ns = 2 * kNsPerMinute;
  story_.Reload();
  TlsClient client(&story_);
  client.StartTls(TLS1_3_VERSION);
  client->Say(kTlsHello);
  client.Heard();
  for (int i = 0; i < 600 && !client.ended(); ++i) {
    client->Say("x");
    story_.RunFor(kNsPerSecond);
  }
  EXPECT_TRUE(client.ended());
  story_.RunFor(kNsPerMinute);
  EXPECT_EQ(TimedOut(), 1);
  FinishInOrder(&client);
}

TEST_P(HostileTlsClient, RenegotiationIsRefusedAndTheMessageIsNotTaken) {
  TlsClient client(&story_);
  client.StartTls(TLS1_2_VERSION);
  client->Say(std::string(kTlsHello) + kTlsEnvelope + "Subject: x\r\n\r\nhi\r\n");
  client->SayRecord(io::kTlsHandshake, std::string("\x01\0\0\x2b\x03\x03", 6) +
                                           std::string(32, 'r') +
                                           std::string("\0\0\x02\xc0\x2b\x01\0\0\0", 9));
  client->Say(".\r\n");
  FinishInOrder(&client);
}

TEST_P(HostileTlsClient, WordsInTheClearAreNotTaken) {
  TlsClient client(&story_);
  client.StartTls(TLS1_3_VERSION);
  client->Say(std::string(kTlsHello) + kTlsEnvelope);
  client.Heard();
  client.line()->Write(kTlsMessage);
  FinishInOrder(&client);
}

// --- The end of the stream, and the final dot ---

TEST_P(HostileTlsClient, AMessageThatIsCutOffIsNotTakenHoweverItEnds) {
  for (const std::string cut :
       {"Subject: x\r\n\r\nhi\r\n", "Subject: x\r\n\r\nhi\r\n.", "Subject: x\r\n\r\nhi\r\n.\r"}) {
    for (const bool said : {false, true}) {
      for (const bool reset : {false, true}) {
        TlsClient client(&story_);
        client.StartTls(TLS1_3_VERSION);
        client->Say(std::string(kTlsHello) + kTlsEnvelope);
        client.Heard();
        client->Say(cut);
        if (said) client->SayRecord(io::kTlsAlert, io::kTlsCloseNotify);
        story_.RunFor(kNsPerMs);
        client.line()->Close(reset);
        story_.RunFor(kNsPerSecond);
      }
    }
  }
  // The last record has the final dot, and is cut.
  TlsClient client(&story_);
  client.StartTls(TLS1_3_VERSION);
  client->Say(std::string(kTlsHello) + kTlsEnvelope);
  client.Heard();
  const std::string record = client.tls()->SealText(kTlsMessage);
  client.line()->Write(record.substr(0, record.size() - 1));
  story_.RunFor(kNsPerMs);
  client.line()->Close(false);
  story_.RunFor(kNsPerSecond);
  EXPECT_EQ(story_.Counters().accepted, 0u);
  EXPECT_EQ(story_.Metric(&core::ShardMetrics::connections_in), 0);
  EXPECT_TRUE(story_.Send(kSender, {"decent@b.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_THAT(server_->taken(), SizeIs(1));
  story_.Finish();
}

// It has said that it says no more, and listens: its mail is taken, and it hears so.
TEST_P(HostileTlsClient, AHalfClosedStreamStillHearsThatItsMailWasTaken) {
  TlsClient client(&story_);
  client.StartTls(TLS1_3_VERSION);
  client->Say(std::string(kTlsHello) + kTlsEnvelope + kTlsMessage + "QUIT\r\n");
  client->SayRecord(io::kTlsAlert, io::kTlsCloseNotify);
  EXPECT_THAT(client.Heard(), HasSubstr("221 2.0.0"));
  FinishInOrder(&client, 1);
}

}  // namespace
}  // namespace outbox::queue
