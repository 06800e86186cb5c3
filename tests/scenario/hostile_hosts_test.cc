// Hosts that keep to no rule. Whatever they do the mail is not lost, nobody is told that it was
// delivered, other mail is not held up, and what is kept of their words is bounded.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "core/limits.h"
#include "tests/scenario/scenario_test.h"
#include "tests/simulation/raw_host.h"

namespace outbox::queue {
namespace {

using core::kNsPerHour;
using core::kNsPerMinute;
using core::kNsPerMs;
using core::kNsPerSecond;
using simulation::LinePeer;
using simulation::RawHost;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class HostileHost : public ScenarioTest {
 protected:
  HostileHost() : decent_(story_.AddServer("decent.example")) {
    story_.AddDeadRoute("b.example");
    address_ = story_.config().routes.back().via[0].address;
  }
  ~HostileHost() override { story_.peers().Abandon(); }

  // From now on this is how the host of b.example behaves.
  void Behave(RawHost::Manners manners) {
    host_ = std::make_unique<RawHost>(&story_.peers(), address_, std::move(manners));
  }

  // A message for it, and one for a decent host, which must arrive at once.
  void SendBoth() {
    story_.Start();
    ASSERT_TRUE(story_.Send(kSender, {"one@b.example"}).acknowledged);
    ASSERT_TRUE(story_.Send(kSender, {"one@decent.example"}).acknowledged);
    ASSERT_TRUE(story_.RunUntil(
        [this] { return decent_->taken().size() == 1 && story_.Counters().delivered >= 1; },
        kNsPerMinute));
  }

  // The attempt fails for now, within `limit_ns`, and `reply` is what is said about it.
  void IsPutOff(int64_t limit_ns, const std::string& reply) {
    SendBoth();
    ASSERT_TRUE(story_.RunUntil(
        [this] { return story_.Metric(&core::ShardMetrics::deferred_total) == 1; }, limit_ns))
        << story_.Metric(&core::ShardMetrics::deferred_total);
    const std::vector<QueueLine> lines = story_.List();
    ASSERT_THAT(lines, SizeIs(1));
    EXPECT_EQ(lines[0].state, RecipientState::kDeferred);
    EXPECT_THAT(lines[0].last_reply, HasSubstr(reply));
    EXPECT_LE(lines[0].last_reply.size(), core::kReplyTextMax + 100);
    EXPECT_EQ(story_.Counters().delivered, 1u);
    EXPECT_THAT(sender_->taken(), IsEmpty());
    // It lets go of such a host.
    ASSERT_TRUE(story_.RunUntil([this] { return host_->open() == 0; }, kNsPerMinute));
    story_.Finish(/*queued=*/1);
  }

  // The host speaks like an honest one, but for lines that begin with `at`: there it does `then`.
  void HonestBut(const std::string& at, std::function<void(LinePeer*)> then) {
    Behave([at, then](LinePeer* peer, bool greeting) {
      if (greeting) return peer->Write("220 b.example ESMTP\r\n");
      std::string line;
      while (!peer->closing() && peer->TakeLine(&line)) {
        if (line.starts_with(at) && (at != "." || line == at)) {
          then(peer);
        } else if (line.starts_with("EHLO")) {
          peer->Write("250-b.example\r\n250 PIPELINING\r\n");
        } else if (line == "DATA") {
          peer->Write("354 go on\r\n");
        } else if (line == "QUIT") {
          peer->Write("221 bye\r\n");
          peer->Close(false);
        } else if (line.starts_with("MAIL") || line.starts_with("RCPT") || line == ".") {
          peer->Write("250 ok\r\n");
        }
      }
    });
  }

  simulation::ScriptedServer* decent_;
  core::SocketAddress address_;
  std::unique_ptr<RawHost> host_;
};

INSTANTIATE_TEST_SUITE_P(Shards, HostileHost, ::testing::Values(1u, 2u));

TEST_P(HostileHost, ABannerThatNeverEndsPutsTheMailOff) {
  Behave([this](LinePeer* peer, bool greeting) {
    if (greeting) host_->Drip(peer, "220-still not done\r\n", 20, kNsPerMs, /*again=*/true);
  });
  IsPutOff(kNsPerMinute, "while waiting for the greeting: a reply has too many lines");
}

TEST_P(HostileHost, ABannerLineThatNeverEndsPutsTheMailOff) {
  Behave([this](LinePeer* peer, bool greeting) {
    if (greeting) host_->Drip(peer, "220 " + std::string(96, 'x'), 100, kNsPerMs, /*again=*/true);
  });
  IsPutOff(kNsPerMinute, "a reply line is too long");
}

TEST_P(HostileHost, AReplyOfTenMegabytesPutsTheMailOff) {
  HonestBut("MAIL", [](LinePeer* peer) {
    std::string reply;
    while (reply.size() < 10'000'000) reply += "250-" + std::string(70, 'x') + "\r\n";
    peer->Write(reply + "250 ok\r\n");
  });
  IsPutOff(kNsPerMinute, "a reply has too many lines");
}

TEST_P(HostileHost, ALongReplyIsCutAndTheRestOfItDropped) {
  HonestBut("MAIL",
            [](LinePeer* peer) { peer->Write("451 4.3.0 " + std::string(3000, 'x') + "\r\n"); });
  IsPutOff(kNsPerMinute, "451 4.3.0 xxx");
}

TEST_P(HostileHost, OneOctetASecondIsSlowButArrives) {
  Behave([this](LinePeer* peer, bool greeting) {
    const auto say = [&](const std::string& text) {
      host_->Drip(peer, text, 1, kNsPerSecond, /*again=*/false);
    };
    if (greeting) return say("220 b\r\n");
    std::string line;
    while (!peer->closing() && peer->TakeLine(&line)) {
      if (line == "DATA") {
        say("354 g\r\n");
      } else if (line == "QUIT") {
        peer->Close(false);
      } else if (line.starts_with("EHLO") || line.starts_with("MAIL") || line.starts_with("RCPT") ||
                 line == ".") {
        say("250 k\r\n");
      }
    }
  });
  SendBoth();
  ASSERT_TRUE(story_.RunUntilEmpty(5 * kNsPerMinute));
  EXPECT_EQ(story_.Counters().delivered, 2u);
  story_.Finish();
}

// Octets that come one by one are no progress: only whole replies are.
TEST_P(HostileHost, OneOctetASecondForeverPutsTheMailOffAtTheTimeout) {
  story_.config().delivery.greeting_timeout_ns = 30 * kNsPerSecond;
  Behave([this](LinePeer* peer, bool greeting) {
    if (greeting) host_->Drip(peer, "220 " + std::string(3000, 'x'), 1, kNsPerSecond, false);
  });
  IsPutOff(35 * kNsPerSecond, "timed out waiting for the reply to greeting");
}

// Replies to what has not been asked yet are not replies.
TEST_P(HostileHost, RepliesBeforeCommandsDeliverNothing) {
  Behave([](LinePeer* peer, bool greeting) {
    if (!greeting) return;
    peer->Write(
        "220 b.example\r\n250-b.example\r\n250 PIPELINING\r\n"
        "250 sender\r\n250 recipient\r\n354 go on\r\n250 taken\r\n");
  });
  IsPutOff(kNsPerMinute, "a reply that nothing had asked for");
}

TEST_P(HostileHost, AnUnaskedReplyBehindOursDeliversNothing) {
  HonestBut("MAIL", [](LinePeer* peer) {
    peer->Write("250 sender\r\n250 recipient\r\n354 go on\r\n250 taken\r\n");
  });
  IsPutOff(kNsPerMinute, "a reply before the end of the message");
}

TEST_P(HostileHost, A250WithoutItsLineEndIsNone) {
  HonestBut(".", [](LinePeer* peer) {
    peer->Write("250 taken");
    peer->Close(false);
  });
  IsPutOff(kNsPerMinute, "before it was confirmed: connection closed by the server");
}

TEST_P(HostileHost, AResetBehindTheFinalDotPutsTheMailOff) {
  HonestBut(".", [](LinePeer* peer) { peer->Close(/*reset=*/true); });
  IsPutOff(kNsPerMinute, "Connection reset by peer");
}

// RFC 2920 3.1: DATA may be answered by 354 though nobody was accepted; an empty message ends it.
TEST_P(HostileHost, A354WithoutARecipientGetsAnEmptyMessageAndTheRefusalCounts) {
  std::string content;
  Behave([&content](LinePeer* peer, bool greeting) {
    if (greeting) return peer->Write("220 b.example ESMTP\r\n");
    std::string line;
    while (!peer->closing() && peer->TakeLine(&line)) {
      if (line.starts_with("EHLO")) {
        peer->Write("250-b.example\r\n250 PIPELINING\r\n");
      } else if (line.starts_with("MAIL")) {
        peer->Write("250 ok\r\n");
      } else if (line.starts_with("RCPT")) {
        peer->Write("550 5.1.1 nobody here\r\n");
      } else if (line == "DATA") {
        peer->Write("354 go on all the same\r\n");
      } else if (line == ".") {
        peer->Write("554 5.5.1 no recipients\r\n");
      } else if (line == "QUIT") {
        peer->Close(false);
      } else {
        content += line;
      }
    }
  });
  SendBoth();
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerHour));
  EXPECT_EQ(content, "");
  EXPECT_EQ(story_.Counters().bounced, 1u);
  EXPECT_EQ(Told("550 5.1.1 nobody here"), 1u);
  story_.Finish();
}

TEST_P(HostileHost, DataRefusedBehindAPipelinedEnvelopePutsTheMailOff) {
  HonestBut("DATA", [](LinePeer* peer) { peer->Write("451 4.3.0 not now\r\n"); });
  IsPutOff(kNsPerMinute, "451 4.3.0 not now");
}

TEST_P(HostileHost, NulsAndHighOctetsInAReplyAreKeptHarmless) {
  HonestBut("MAIL", [](LinePeer* peer) {
    peer->Write(std::string("451 4.3.0 \0\x07\x1b[2J\xff\xfe no\r\n", 24));
  });
  IsPutOff(kNsPerMinute, "451 4.3.0 \?\?\?[2J\?\? no");
}

TEST_P(HostileHost, BinaryNoiseInsteadOfABannerPutsTheMailOff) {
  Behave([](LinePeer* peer, bool greeting) {
    if (greeting) peer->Write(std::string(2000, '\x16') + "\r\n" + std::string(500, '\0') + "\r\n");
  });
  IsPutOff(kNsPerMinute, "a reply does not begin with a valid code");
}

TEST_P(HostileHost, A250WithoutItsLineEndAndThenSilenceIsNone) {
  story_.config().delivery.final_dot_timeout_ns = 30 * kNsPerSecond;
  HonestBut(".", [](LinePeer* peer) { peer->Write("250 taken"); });
  IsPutOff(kNsPerMinute, "timed out waiting for the reply to final dot");
}

// It says that it says no more, and goes on reading.
TEST_P(HostileHost, AConnectionHalfClosedBehindTheGreetingPutsTheMailOff) {
  Behave([this](LinePeer* peer, bool greeting) {
    if (!greeting) return;
    peer->Write("220 b.example ESMTP\r\n");
    story_.world().Schedule(kNsPerMs, [peer] { peer->ShutdownWrite(); });
  });
  IsPutOff(kNsPerMinute, "connection closed by the server");
}

TEST_P(HostileHost, AConnectionHalfClosedBehindItsLastWordIsDeliveredOnce) {
  HonestBut(".", [this](LinePeer* peer) {
    peer->Write("250 taken\r\n");
    story_.world().Schedule(kNsPerMs, [peer] { peer->ShutdownWrite(); });
  });
  SendBoth();
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_EQ(story_.Counters().delivered, 2u);
  EXPECT_EQ(host_->sessions(), 1u);
  ASSERT_TRUE(story_.RunUntil([this] { return host_->open() == 0; }, kNsPerMinute));
  story_.Finish();
}

TEST_P(HostileHost, TenThousandExtensionsPutTheMailOff) {
  HonestBut("EHLO", [](LinePeer* peer) {
    std::string reply;
    for (int i = 0; i < 10'000; ++i) reply += "250-XTENSION" + std::to_string(i) + "\r\n";
    peer->Write(reply + "250 SIZE\r\n");
  });
  IsPutOff(kNsPerMinute, "a reply has too many lines");
}

// What it says to each is kept for each, and kept short.
TEST_P(HostileHost, AThousandRecipientsRefusedAtLengthAreKeptShort) {
  HonestBut("RCPT", [](LinePeer* peer) {
    std::string reply;
    for (int line = 0; line < 20; ++line) reply += "450-4.2.0 " + std::string(400, 'y') + "\r\n";
    peer->Write(reply + "450 4.2.0 later\r\n");
  });
  story_.Start();
  ASSERT_TRUE(story_.Send(kSender, Numbered("b.example", 1000)).acknowledged);
  ASSERT_TRUE(
      story_.RunUntil([this] { return story_.Metric(&core::ShardMetrics::deferred_total) == 1000; },
                      5 * kNsPerMinute));
  const std::vector<QueueLine> lines = story_.List();
  ASSERT_THAT(lines, SizeIs(1000));
  for (const QueueLine& line : lines) {
    EXPECT_THAT(line.last_reply, HasSubstr("450 4.2.0 yyy"));
    EXPECT_LE(line.last_reply.size(), core::kReplyTextMax + 100);
  }
  ASSERT_TRUE(story_.RunUntil([this] { return host_->open() == 0; }, 5 * kNsPerMinute));
  story_.Finish(/*queued=*/1000);
}

// It takes the session, reads what it gets and says nothing more, for every message anew.
TEST_P(HostileHost, SilenceBehindTheFinalDotIsWaitedForOnce) {
  story_.config().delivery.final_dot_timeout_ns = 30 * kNsPerSecond;
  HonestBut(".", [](LinePeer*) {});
  IsPutOff(kNsPerMinute, "timed out waiting for the reply to final dot");
}

}  // namespace
}  // namespace outbox::queue
