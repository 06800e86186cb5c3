// Clients that keep to no rule: what they get is an answer and an end, nobody else notices, and no
// message is made of what was none.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "core/limits.h"
#include "tests/scenario/scenario_test.h"
#include "tests/simulation/line_peer.h"

namespace outbox::queue {
namespace {

using core::kNsPerMinute;
using core::kNsPerSecond;
using simulation::LinePeer;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

// A connection to the relay with nothing but octets.
class RawClient {
 public:
  explicit RawClient(ShardStory* story) : story_(story), io_(&story->peers()) {
    connect_.Bind<&RawClient::OnConnected>(this);
    io_->Connect(&connect_, story->config().listeners[0].address, nullptr);
    EXPECT_TRUE(story->RunUntil([this] { return peer_ != nullptr; }, kNsPerMinute));
  }

  void Say(std::string_view text) { peer_->Write(text); }
  // Ends the stream of what it says, once that has left; it goes on listening.
  void ShutdownWrite() {
    story_->RunFor(core::kNsPerMs / 10);
    io_->ShutdownWrite(socket_);
  }
  void Leave(bool reset) { peer_->Close(reset); }
  // All that the relay has said, after so much time.
  const std::string& Heard(int64_t ns = kNsPerSecond) {
    story_->RunFor(ns);
    return peer_->input();
  }
  size_t Replies(const std::string& code) {
    size_t count = 0;
    const std::string& heard = peer_->input();
    for (size_t at = heard.find(code); at != std::string::npos; at = heard.find(code, at + 1)) {
      count += at == 0 || heard[at - 1] == '\n';
    }
    return count;
  }
  bool ended() const { return ended_; }
  // What it has said has left its machine.
  bool all_gone() const { return peer_->all_gone(); }

 private:
  void OnConnected(const io::OpResult& result) {
    ASSERT_GE(result.result, 0);
    socket_ = result.result;
    peer_ = std::make_unique<LinePeer>(
        io_, socket_, [] {}, [this](int) { ended_ = true; });
  }

  ShardStory* const story_;
  io::SimIo* const io_;
  io::Op connect_;
  io::Socket socket_;
  std::unique_ptr<LinePeer> peer_;
  bool ended_ = false;
};

constexpr char kHello[] = "EHLO c.example\r\n";
constexpr char kEnvelope[] = "MAIL FROM:<a@sender.example>\r\nRCPT TO:<one@b.example>\r\n";

class HostileClient : public ScenarioTest {
 protected:
  HostileClient() : server_(story_.AddServer("b.example")) {}
  ~HostileClient() override { story_.peers().Abandon(); }

  // The relay takes and delivers a decent client's mail, and only that one more.
  void FinishInOrder(size_t taken = 0) {
    EXPECT_TRUE(story_.Send(kSender, {"decent@b.example"}).acknowledged);
    ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
    EXPECT_THAT(server_->taken(), SizeIs(taken + 1));
    EXPECT_EQ(story_.Counters().accepted, taken + 1);
    story_.Finish();
  }

  simulation::ScriptedServer* server_;
};

INSTANTIATE_TEST_SUITE_P(Shards, HostileClient, ::testing::Values(1u, 2u));

TEST_P(HostileClient, CommandsBeforeTheGreetingAreAnsweredInOrder) {
  story_.Start();
  RawClient client(&story_);
  client.Say(std::string(kHello) + kEnvelope + "DATA\r\nSubject: x\r\n\r\nhi\r\n.\r\nQUIT\r\n");
  EXPECT_THAT(client.Heard(), StartsWith("220 "));
  EXPECT_EQ(client.Replies("354 "), 1u);
  EXPECT_EQ(client.Replies("221 "), 1u);
  FinishInOrder(1);
}

TEST_P(HostileClient, ALineThatNeverEndsIsRefusedOnceAndThenHungUpOn) {
  story_.Start();
  RawClient client(&story_);
  client.Say(kHello);
  for (int i = 0; i < 100 && !client.ended(); ++i) {
    client.Say(std::string(10'000, 'x'));
    client.Heard(core::kNsPerMs);
  }
  EXPECT_LE(client.Replies("500 "), 1u);
  client.Leave(/*reset=*/true);
  FinishInOrder();
}

TEST_P(HostileClient, NulsAndHighOctetsInCommandsAreRefused) {
  story_.Start();
  RawClient client(&story_);
  client.Say(kHello);
  client.Say(std::string_view("MAIL FROM:<a\0b@sender.example>\r\n", 32));
  client.Say("MAIL FROM:<\xff\xfe@sender.example>\r\n");
  client.Say(std::string_view("NO\0OP\r\n", 7));
  client.Say("MAIL FROM:<a@sender.example>\r\nRCPT TO:<\xc3\xa4@b.example>\r\nDATA\r\n");
  const std::string heard = client.Heard();
  EXPECT_EQ(client.Replies("5"), 5u) << heard;
  EXPECT_EQ(client.Replies("354"), 0u) << heard;
  client.Leave(false);
  FinishInOrder();
}

TEST_P(HostileClient, ThousandsOfRecipientsGetTheFirstThousandAndA452ForEachOther) {
  story_.Start();
  RawClient client(&story_);
  std::string text = std::string(kHello) + "MAIL FROM:<a@sender.example>\r\n";
  for (int i = 0; i < 5000; ++i) text += "RCPT TO:<u" + std::to_string(i) + "@b.example>\r\n";
  client.Say(text + "DATA\r\n");
  ASSERT_TRUE(story_.RunUntil([&] { return client.Replies("354 ") == 1; }, kNsPerMinute));
  EXPECT_EQ(client.Replies("452 4.5.3"), 5000u - core::kSmtpRecipientsMax);
  client.Say("Subject: many\r\n\r\n.\r\nQUIT\r\n");
  ASSERT_TRUE(story_.RunUntil([&] { return client.Replies("221 ") == 1; }, kNsPerMinute));
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_EQ(story_.Counters().delivered, core::kSmtpRecipientsMax);
  client.Leave(false);
  story_.Finish();
}

// It has said all that it wants to say and listens: its mail is taken, and it hears so.
TEST_P(HostileClient, AHalfClosedConnectionStillHearsThatItsMailWasTaken) {
  story_.Start();
  RawClient client(&story_);
  client.Say(std::string(kHello) + kEnvelope + "DATA\r\nSubject: x\r\n\r\nhi\r\n.\r\nQUIT\r\n");
  client.ShutdownWrite();
  EXPECT_THAT(client.Heard(), HasSubstr("\r\n221 "));
  EXPECT_EQ(client.Replies("354 "), 1u);
  FinishInOrder(1);
}

TEST_P(HostileClient, AConnectionHalfClosedWithinTheMessageTakesNothing) {
  story_.Start();
  RawClient client(&story_);
  client.Say(std::string(kHello) + kEnvelope + "DATA\r\nSubject: x\r\n\r\nhi\r\n.");
  client.ShutdownWrite();
  client.Heard();
  EXPECT_TRUE(client.ended());
  FinishInOrder();
}

// Sent, reset, not waited for: taken or not, but never in part. Here it comes with the rest.
TEST_P(HostileClient, AResetRightBehindTheFinalDotTakesAllOrNothing) {
  story_.Start();
  RawClient client(&story_);
  client.Say(std::string(kHello) + kEnvelope + "DATA\r\nSubject: x\r\n\r\nhi\r\n.\r\n");
  story_.RunFor(core::kNsPerMs / 2);
  client.Leave(/*reset=*/true);
  story_.RunFor(kNsPerSecond);
  const uint64_t accepted = story_.Counters().accepted;
  EXPECT_LE(accepted, 1u);
  for (const simulation::TakenMessage& taken : server_->taken()) {
    EXPECT_THAT(taken.content, HasSubstr("\r\n\r\nhi\r\n"));
  }
  FinishInOrder(accepted);
}

TEST_P(HostileClient, OneThatNeverReadsIsGivenUpAndKeepsLittle) {
  story_.Start();
  RawClient client(&story_);
  client.Say(kHello);
  std::string noops;
  while (noops.size() < 4'000'000) noops += "NOOP aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n";
  client.Say(noops);
  client.Heard(kNsPerMinute);
  // A hundred commands without mail are enough (421).
  EXPECT_EQ(client.Replies("421 "), 1u);
  EXPECT_TRUE(client.ended());
  FinishInOrder();
}

// What the disk has not taken is not read any more, beyond a bound; when the disk is quick again
// all of it arrives.
TEST_P(HostileClient, OneThatIsFasterThanTheDiskIsNotReadBeyondABound) {
  story_.config().storage.segment_size = uint64_t{8} << 20;
  story_.Start();
  story_.world().disk(0).SetSlow(1'000'000);
  std::string piece;
  while (piece.size() < 1'000'000) piece += std::string(70, 'x') + "\r\n";
  RawClient client(&story_);
  client.Say(std::string(kHello) + kEnvelope + "DATA\r\nSubject: big\r\n\r\n");
  int pieces = 0;
  const auto has_gone = [&client] { return client.all_gone(); };
  do {
    client.Say(piece);
    ++pieces;
  } while (pieces < 40 && story_.RunUntil(has_gone, 5 * kNsPerSecond));
  EXPECT_LT(pieces, 20);
  story_.world().disk(0).SetSlow(1);
  for (; pieces < 40; ++pieces) client.Say(piece);
  client.Say(".\r\nQUIT\r\n");
  const auto said_goodbye = [&client] { return client.Replies("221 ") == 1; };
  ASSERT_TRUE(story_.RunUntil(said_goodbye, core::kNsPerHour));
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  ASSERT_THAT(server_->taken(), SizeIs(1));
  EXPECT_GT(server_->taken()[0].content.size(), 40 * piece.size());
  client.Leave(false);
  FinishInOrder(1);
}

// Octets are no progress, commands are.
TEST_P(HostileClient, ACommandOfOneOctetASecondIsToldAndLeftAtTheTimeout) {
  story_.config().listeners[0].command_timeout_ns = 2 * kNsPerMinute;
  story_.Start();
  RawClient client(&story_);
  client.Say(kHello);
  int octets = 0;
  for (; octets < 600 && client.Replies("421 ") == 0; ++octets) {
    client.Say("x");
    client.Heard(kNsPerSecond);
  }
  EXPECT_GT(octets, 110);
  EXPECT_LT(octets, 130);
  client.Leave(false);
  story_.RunFor(kNsPerMinute);
  EXPECT_EQ(story_.Metric(&core::ShardMetrics::timeouts_in_total), 1);
  FinishInOrder();
}

// Within a message they are: whoever has a slow line may send all the same.
TEST_P(HostileClient, AMessageOfOneOctetASecondArrives) {
  story_.Start();
  RawClient client(&story_);
  const std::string message = "Subject: slow\r\n\r\n" + std::string(500, 'x') + "\r\n.\r\n";
  client.Say(std::string(kHello) + kEnvelope + "DATA\r\n");
  client.Heard();
  for (const char c : message) {
    client.Say(std::string(1, c));
    client.Heard(kNsPerSecond);
  }
  EXPECT_THAT(client.Heard(), HasSubstr("queued as"));
  client.Say("QUIT\r\n");
  client.Heard();
  FinishInOrder(1);
}

TEST_P(HostileClient, AMessageThatStopsIsLeftAtTheTimeoutAndNotTaken) {
  story_.config().listeners[0].data_timeout_ns = kNsPerMinute;
  story_.Start();
  RawClient client(&story_);
  client.Say(std::string(kHello) + kEnvelope + "DATA\r\nSubject: x\r\n\r\nhi\r\n");
  EXPECT_THAT(client.Heard(2 * kNsPerMinute), HasSubstr("\r\n421 "));
  EXPECT_TRUE(client.ended());
  EXPECT_EQ(story_.Metric(&core::ShardMetrics::timeouts_in_total), 1);
  FinishInOrder();
}

TEST_P(HostileClient, AnHttpClientIsToldOnceAndLeft) {
  story_.Start();
  RawClient client(&story_);
  client.Say("GET / HTTP/1.1\r\nHost: relay.example\r\nAccept: */*\r\n\r\n");
  const std::string heard = client.Heard();
  EXPECT_EQ(client.Replies("5"), 4u) << heard;
  client.Leave(false);
  FinishInOrder();
}

}  // namespace
}  // namespace outbox::queue
