// Hosts that offer TLS and mean no good by it. Whatever they do with it, the mail is delivered or
// waits with the reason, never in part and never twice; and where TLS must be it is never sent
// without.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/limits.h"
#include "tests/io/certificate_chain.h"
#include "tests/io/tls_certificates.h"
#include "tests/scenario/scenario_test.h"
#include "tests/scenario/tls_party.h"
#include "tests/simulation/raw_host.h"

namespace outbox::queue {
namespace {

using core::kNsPerHour;
using core::kNsPerMinute;
using core::kNsPerSecond;
using core::TlsMode;
using io::HostileTlsPeer;
using simulation::LinePeer;
using simulation::RawHost;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Made once: the root that is trusted, and what it vouches for, or not.
const io::TlsCertificates& HostCertificates() {
  static const io::TlsCertificates* const all = [] {
    auto* const made = new io::TlsCertificates;
    const std::string own = "IP:10.1.0.1,IP:10.1.0.2,IP:10.1.0.3";
    made->Issue("good", own);
    made->Issue("expired", own, -1);
    made->Issue("mismatched", "DNS:elsewhere.example,IP:192.0.2.1");
    made->Make("lonely", "/CN=lonely", "-addext subjectAltName=" + own);
    return made;
  }();
  return *all;
}

// Of a hundred certificates, and its key.
const std::string& Hundred() {
  static const std::string* const chain = new std::string(
      io::CertificateChain(HostCertificates().Chain("ca"), HostCertificates().Key("ca"),
                           "IP:10.1.0.1,IP:10.1.0.2,IP:10.1.0.3", 100));
  return *chain;
}

// The host of b.example and the relay before it.
class Story {
 public:
  // What it does where it would go on otherwise. True: that was all.
  using Deed = std::function<bool(TlsParty*)>;

  Story(uint32_t shards, TlsMode mode, uint16_t version = TLS1_3_VERSION)
      : story_(shards), version_(version) {
    sender_ = story_.AddServer("sender.example");
    story_.AddDeadRoute("b.example");
    core::RouteConfig& route = story_.config().routes.back();
    route.tls = mode;
    address_ = route.via[0].address;
    story_.config().delivery.tls_timeout_ns = 30 * kNsPerSecond;
    ShardTls tls;
    tls.trust = HostCertificates().Trust();
    story_.SetCertificates(tls);
    host_ = std::make_unique<RawHost>(&story_.peers(), address_,
                                      [this](LinePeer* peer, bool begin) { Talk(peer, begin); });
  }
  ~Story() { story_.peers().Abandon(); }

  void Show(const std::string& certificate) { certificate_ = certificate; }
  void AtStartTls(Deed deed) { at_start_ = std::move(deed); }
  // `line`: "EHLO" under TLS, "MAIL", ".", or whatever a line begins with.
  void At(const std::string& line, Deed deed) {
    at_ = line;
    deed_ = std::move(deed);
  }

  void Send() {
    story_.Start();
    ASSERT_TRUE(story_.Send(kSender, {"one@b.example"}).acknowledged);
  }
  // It arrives, once, and the host is left in order. `secured`: under TLS.
  void Arrives(bool secured, int64_t limit_ns = kNsPerMinute) {
    Send();
    ASSERT_TRUE(story_.RunUntilEmpty(limit_ns)) << story_.List()[0].last_reply;
    EXPECT_EQ(secured ? taken_secured_ : taken_plain_, 1);
    EXPECT_EQ(taken_secured_ + taken_plain_, 1);
    EXPECT_EQ(story_.Counters().delivered, 1u);
    EXPECT_THAT(sender_->taken(), IsEmpty());
    story_.Finish();
  }
  // It waits, and this is why.
  void IsPutOff(const std::string& why, int64_t limit_ns = kNsPerMinute) {
    IsPutOffBecause(HasSubstr(why), limit_ns);
  }
  void IsPutOffBecause(const testing::Matcher<std::string>& why, int64_t limit_ns = kNsPerMinute) {
    Send();
    ASSERT_TRUE(story_.RunUntil(
        [this] { return story_.Metric(&core::ShardMetrics::deferred_total) == 1; }, limit_ns));
    const std::vector<QueueLine> lines = story_.List();
    ASSERT_THAT(lines, SizeIs(1));
    EXPECT_EQ(lines[0].state, RecipientState::kDeferred);
    EXPECT_THAT(lines[0].last_reply, why);
    QueueFilter one;  // what an operator is told who asks
    one.recipient = "one@b.example";
    const std::vector<RecipientFacts> facts = story_.Explain(one);
    ASSERT_THAT(facts, SizeIs(1));
    EXPECT_THAT(facts[0].line.last_reply, why);
    EXPECT_EQ(story_.Counters().delivered, 0u);
    EXPECT_EQ(taken_plain_, 0);
    ASSERT_TRUE(story_.RunUntil([this] { return host_->open() == 0; }, kNsPerMinute));
    story_.Finish(/*queued=*/1);
  }
  // In which it is like the last one, but better: the next attempt delivers.
  void IsDeliveredByTheNextAttempt() {
    Send();
    ASSERT_TRUE(story_.RunUntil(
        [this] { return story_.Metric(&core::ShardMetrics::deferred_total) == 1; }, kNsPerMinute));
    deed_ = nullptr;
    ASSERT_TRUE(story_.RunUntilEmpty(kNsPerHour));
    EXPECT_EQ(story_.Counters().delivered, 1u);
    EXPECT_THAT(sender_->taken(), IsEmpty());
    story_.Finish();
  }

  // Agrees to begin, and says this instead of a handshake.
  void SayWhenAsked(TlsParty* party, const std::string& text) {
    party->Say("220 go\r\n");
    story_.world().Schedule(kNsPerSecond, [line = party->line(), text] { line->Write(text); });
  }

  ShardStory& story() { return story_; }
  RawHost& host() { return *host_; }
  int taken_secured() const { return taken_secured_; }

 private:
  void Talk(LinePeer* peer, bool begin) {
    std::unique_ptr<TlsParty>& party = parties_[peer];
    if (begin) {
      party = std::make_unique<TlsParty>(peer);
      return party->Say("220 b.example ESMTP\r\n");
    }
    party->TakeInput();
    std::string line;
    while (!peer->closing() && party->TakeLine(&line)) Answer(party.get(), line);
  }

  void Answer(TlsParty* party, const std::string& line) {
    const bool meant = party->secured() && line.starts_with(at_) && (at_ != "." || line == at_);
    if (meant && deed_ != nullptr && deed_(party)) return;
    if (line.starts_with("EHLO")) {
      party->Say(party->secured() ? "250-b.example\r\n250 PIPELINING\r\n"
                                  : "250-b.example\r\n250-PIPELINING\r\n250 STARTTLS\r\n");
    } else if (line == "STARTTLS") {
      if (at_start_ != nullptr && at_start_(party)) return;
      party->Say("220 go\r\n");
      const bool hundred = certificate_ == "hundred";
      party->StartTls(HostileTlsPeer::Server(
          version_, hundred ? Hundred() : HostCertificates().Chain(certificate_),
          HostCertificates().Key(hundred ? "ca" : certificate_)));
    } else if (line == "DATA") {
      party->Say("354 go on\r\n");
    } else if (line == "QUIT") {
      party->Say("221 bye\r\n");
      party->line()->Close(false);
    } else if (line.starts_with("MAIL") || line.starts_with("RCPT") || line == ".") {
      if (line == ".") ++(party->secured() ? taken_secured_ : taken_plain_);
      party->Say("250 ok\r\n");
    }
  }

  ShardStory story_;
  const uint16_t version_;
  simulation::ScriptedServer* sender_;
  core::SocketAddress address_;
  std::unique_ptr<RawHost> host_;
  std::map<LinePeer*, std::unique_ptr<TlsParty>> parties_;
  std::string certificate_ = "good";
  Deed at_start_;
  std::string at_;
  Deed deed_;
  int taken_secured_ = 0;
  int taken_plain_ = 0;
};

class HostileTlsHost : public testing::TestWithParam<uint32_t> {
 protected:
  Story Under(TlsMode mode, uint16_t version = TLS1_3_VERSION) {
    return Story(GetParam(), mode, version);
  }
};

INSTANTIATE_TEST_SUITE_P(Shards, HostileTlsHost, testing::Values(1u, 2u));

// TLS must be, with whatever certificate or with a good one.
constexpr TlsMode kStrict[] = {TlsMode::kRequired, TlsMode::kVerify};

// --- Certificates ---

TEST_P(HostileTlsHost, AGoodCertificateIsTakenUnderEachPolicy) {
  for (const TlsMode mode : {TlsMode::kOpportunistic, TlsMode::kRequired, TlsMode::kVerify}) {
    Story story(GetParam(), mode);
    story.Arrives(/*secured=*/true);
  }
}

TEST_P(HostileTlsHost, ABadCertificateIsTakenByWhoDoesNotLookAtIt) {
  for (const TlsMode mode : {TlsMode::kOpportunistic, TlsMode::kRequired}) {
    for (const char* certificate : {"expired", "mismatched", "lonely", "hundred"}) {
      SCOPED_TRACE(certificate);
      Story story(GetParam(), mode);
      story.Show(certificate);
      story.Arrives(/*secured=*/true);
    }
  }
}

TEST_P(HostileTlsHost, ABadCertificatePutsMailOffThatVerifiesAndItSaysWhy) {
  for (const auto& [certificate, why] :
       {std::pair("expired", "the certificate has expired"),
        std::pair("mismatched", "the certificate is not for 10.1.0.2"),
        std::pair("lonely", "the certificate is vouched for by nobody but itself"),
        std::pair("hundred",
                  "the certificate is one of 100, and nobody that we trust vouches for "
                  "the first 11")}) {
    SCOPED_TRACE(certificate);
    Story story(GetParam(), TlsMode::kVerify);
    story.Show(certificate);
    story.IsPutOff(why);
  }
}

// --- The handshake ---

TEST_P(HostileTlsHost, AHandshakeOfOneOctetASecondIsLeftAndTheMailGoesInTheClear) {
  Story story(GetParam(), TlsMode::kOpportunistic);
  story.AtStartTls([&](TlsParty* party) {
    story.host().Drip(party->line(), "220 go\r\n" + HostileTlsPeer::Plain(22, std::string(9000, 2)),
                      1, kNsPerSecond, /*again=*/false);
    return true;
  });
  story.Arrives(/*secured=*/false, 2 * kNsPerMinute);
}

TEST_P(HostileTlsHost, AHandshakeOfOneOctetASecondPutsMailOffThatMustBeEncrypted) {
  for (const TlsMode mode : kStrict) {
    Story story(GetParam(), mode);
    story.AtStartTls([&](TlsParty* party) {
      party->Say("220 go\r\n");
      story.story().world().Schedule(kNsPerSecond, [&story, line = party->line()] {
        story.host().Drip(line, HostileTlsPeer::Plain(22, std::string(9000, 2)), 1, kNsPerSecond,
                          /*again=*/false);
      });
      return true;
    });
    story.IsPutOff("did not come to an end in time", 2 * kNsPerMinute);
  }
}

TEST_P(HostileTlsHost, WhatIsNoHandshakeSendsMailInTheClearOnlyWhereItMay) {
  std::string warnings;
  while (warnings.size() < 7000) warnings += HostileTlsPeer::Plain(21, io::kTlsWarning);
  std::string empty;
  while (empty.size() < 5000) empty += HostileTlsPeer::Plain(22, "");
  const std::string endless =
      HostileTlsPeer::Plain(22, "\x02\xff\xff\xff" + std::string(9999, 'x'));
  for (const auto& [said, why] :
       {std::pair(warnings, "too many warning alerts"),
        std::pair(empty, "too many empty fragments"), std::pair(endless, "excessive message size"),
        std::pair(HostileTlsPeer::Plain(21, io::kTlsFatal), "internal error"),
        std::pair(std::string(2000, '\x7f'), "wrong version number")}) {
    SCOPED_TRACE(why);
    for (const TlsMode mode : {TlsMode::kOpportunistic, TlsMode::kRequired}) {
      Story story(GetParam(), mode);
      story.AtStartTls([&story, &said](TlsParty* party) {
        story.SayWhenAsked(party, said);
        return true;
      });
      if (mode == TlsMode::kRequired) {
        story.IsPutOff(why);
      } else {
        story.Arrives(/*secured=*/false);
      }
    }
  }
}

TEST_P(HostileTlsHost, WordsBehindItsAnswerToStartTlsPutTheMailOff) {
  Story story(GetParam(), TlsMode::kRequired);
  story.AtStartTls([](TlsParty* party) {
    party->Say("220 go\r\n250-evil\r\n250 SIZE 1\r\n");
    return true;
  });
  // Whether they are seen with it or behind it is the network's choice.
  story.IsPutOffBecause(
      testing::AnyOf(HasSubstr("words in the clear behind the answer to STARTTLS"),
                     HasSubstr("wrong version number")));
}

// --- Behind the handshake ---

TEST_P(HostileTlsHost, FloodsBehindTheHandshakePutTheMailOff) {
  for (const uint16_t version : kTlsVersions) {
    for (const bool alerts : {false, true}) {
      Story story(GetParam(), TlsMode::kRequired, version);
      story.At("MAIL", [alerts](TlsParty* party) {
        for (int i = 0; i < 1000; ++i) {
          party->SayRecord(alerts ? io::kTlsAlert : io::kTlsData, alerts ? io::kTlsWarning : "");
        }
        return true;
      });
      story.IsPutOff(alerts ? "TLS: too many warning alerts" : "TLS: too many empty fragments");
    }
  }
}

TEST_P(HostileTlsHost, AFloodOfKeyUpdatesPutsTheMailOff) {
  Story story(GetParam(), TlsMode::kRequired);
  story.At("MAIL", [](TlsParty* party) {
    for (int i = 0; i < 1000; ++i) party->line()->Write(party->tls()->SealKeyUpdate());
    return true;
  });
  story.IsPutOff("TLS: too many key updates");
}

TEST_P(HostileTlsHost, KeyUpdatesBetweenItsRepliesAreFollowedAndTheMailArrives) {
  Story story(GetParam(), TlsMode::kRequired);
  story.At("", [](TlsParty* party) {
    party->line()->Write(party->tls()->SealKeyUpdate());
    return false;
  });
  story.Arrives(/*secured=*/true);
}

TEST_P(HostileTlsHost, RenegotiationIsRefusedAndPutsTheMailOff) {
  for (const char* at : {"MAIL", "."}) {
    Story story(GetParam(), TlsMode::kRequired, TLS1_2_VERSION);
    story.At(at, [](TlsParty* party) {
      party->SayRecord(io::kTlsHandshake, io::kTlsHelloRequest);
      return true;
    });
    story.IsPutOff("TLS: no renegotiation");
  }
}

TEST_P(HostileTlsHost, AThousandTicketsDelayNothing) {
  Story story(GetParam(), TlsMode::kRequired);
  story.At("MAIL", [](TlsParty* party) {
    for (int i = 0; i < 1000; ++i) party->line()->Write(party->tls()->SealTicket(3000));
    return false;
  });
  story.Arrives(/*secured=*/true);
}

// --- The end of the stream, and the final dot ---

TEST_P(HostileTlsHost, AnEndBeforeItsAnswerToTheFinalDotPutsTheMailOffAndItIsSentAgain) {
  for (const bool said : {false, true}) {
    for (const bool reset : {false, true}) {
      SCOPED_TRACE(testing::Message() << "close_notify " << said << ", reset " << reset);
      Story story(GetParam(), TlsMode::kRequired);
      story.At(".", [said, reset](TlsParty* party) {
        if (said) party->SayRecord(io::kTlsAlert, io::kTlsCloseNotify);
        party->line()->Close(reset);
        return true;
      });
      story.IsDeliveredByTheNextAttempt();
      EXPECT_EQ(story.taken_secured(), 1);
    }
  }
}

// It has taken the mail and says so; how it ends the stream is nothing to us.
TEST_P(HostileTlsHost, AnEndWithoutCloseNotifyBehindItsAnswerIsDeliveredOnce) {
  Story story(GetParam(), TlsMode::kRequired);
  story.At("QUIT", [](TlsParty* party) {
    party->line()->Close(false);
    return true;
  });
  story.Arrives(/*secured=*/true);
}

// The stream of the answer could have been cut by anybody: only whole records count.
TEST_P(HostileTlsHost, AnAnswerThatIsCutWithinItsRecordIsNone) {
  Story story(GetParam(), TlsMode::kRequired);
  story.At(".", [](TlsParty* party) {
    const std::string record = party->tls()->SealText("250 taken\r\n");
    party->line()->Write(std::string_view(record).substr(0, record.size() - 1));
    party->line()->Close(false);
    return true;
  });
  story.IsDeliveredByTheNextAttempt();
}

TEST_P(HostileTlsHost, AnAnswerInTheClearIsNone) {
  Story story(GetParam(), TlsMode::kRequired);
  story.At(".", [](TlsParty* party) {
    party->line()->Write("250 taken\r\n");
    return true;
  });
  story.IsDeliveredByTheNextAttempt();
}

}  // namespace
}  // namespace outbox::queue
