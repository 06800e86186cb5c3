// STARTTLS (RFC 3207), as the pure sessions see it: what is offered, asked, answered, forgotten.
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "smtp/plain_hosts.h"
#include "tests/smtp/client_run.h"
#include "tests/smtp/server_run.h"

namespace outbox::smtp {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// --- The server ---

class ServerTlsTest : public testing::Test {
 protected:
  static ServerSessionOptions Options(bool needs) {
    ServerSessionOptions options;
    options.hostname = "relay.example.com";
    options.offers_tls = true;
    options.needs_tls = needs;
    return options;
  }
  std::string Say(const std::string& bytes, size_t piece = SIZE_MAX) {
    run_.output.clear();
    run_.Feed(bytes, piece);
    return run_.output;
  }
  void SetUp() override { run_.Start(); }

  const ServerSessionOptions options_ = Options(false);
  ServerRun run_{&options_};
};

TEST_F(ServerTlsTest, IsOfferedUntilItIsOn) {
  EXPECT_THAT(Say("EHLO a.example\r\n"), HasSubstr("250-STARTTLS\r\n"));
  EXPECT_EQ(Say("STARTTLS\r\n"), "220 2.0.0 Ready to start TLS\r\n");
  EXPECT_TRUE(run_.session().secured());
  EXPECT_THAT(Say("EHLO a.example\r\n"), Not(HasSubstr("STARTTLS")));
  EXPECT_EQ(Say("STARTTLS\r\n"), "503 5.5.1 TLS is on already\r\n");
  EXPECT_FALSE(run_.closed);
}

TEST_F(ServerTlsTest, ForgetsWhatWasSaidBefore) {
  Say("EHLO a.example\r\nMAIL FROM:<a@b.example>\r\n");
  EXPECT_THAT(Say("STARTTLS\r\n"), HasSubstr("503 5.5.1 A transaction is open"));
  Say("RSET\r\n");
  Say("STARTTLS\r\n");
  EXPECT_THAT(Say("MAIL FROM:<a@b.example>\r\n"), HasSubstr("503 5.5.1 Send EHLO or HELO first"));
  Say("EHLO a.example\r\n");
  EXPECT_THAT(Say("MAIL FROM:<a@b.example>\r\n"), HasSubstr("250 2.1.0"));
}

TEST_F(ServerTlsTest, WhatIsSlippedInBehindTheCommandClosesTheSession) {
  Say("EHLO a.example\r\n");
  for (const std::string slipped : {"MAIL FROM:<evil@b.example>\r\n", "R", "\r\n"}) {
    ServerRun run(&options_);
    run.Start();
    run.Feed("EHLO a.example\r\n");
    run.output.clear();
    run.events.clear();
    run.Feed("STARTTLS\r\n" + slipped);
    EXPECT_THAT(run.output, testing::StartsWith("554 5.5.1 STARTTLS must be the last command"));
    EXPECT_TRUE(run.closed && run.session().disowned());
    EXPECT_THAT(run.events, IsEmpty());
  }
}

TEST_F(ServerTlsTest, IsNotForEverybody) {
  EXPECT_THAT(Say("STARTTLS\r\n"), HasSubstr("503 5.5.1 Send EHLO first"));
  Say("EHLO a.example\r\n");
  EXPECT_THAT(Say("STARTTLS now\r\n"), HasSubstr("501 5.5.4"));
  ServerSessionOptions without;
  without.hostname = "relay.example.com";
  ServerRun run(&without);
  run.Start();
  run.Feed("EHLO a.example\r\nSTARTTLS\r\n");
  EXPECT_THAT(run.output, EndsWith("502 5.5.1 Command not implemented\r\n"));
}

TEST_F(ServerTlsTest, MailMayNeedIt) {
  const ServerSessionOptions options = Options(true);
  ServerRun run(&options);
  run.Start();
  run.Feed("EHLO a.example\r\nMAIL FROM:<a@b.example>\r\nNOOP\r\n");
  EXPECT_THAT(run.output, HasSubstr("530 5.7.0 Mail is taken over TLS only"));
  EXPECT_THAT(run.output, EndsWith("250 2.0.0 Ok\r\n"));
  run.Feed("STARTTLS\r\n");
  run.Feed("EHLO a.example\r\nMAIL FROM:<a@b.example>\r\n");
  EXPECT_THAT(run.output, EndsWith("250 2.1.0 Sender ok\r\n"));
}

TEST_F(ServerTlsTest, ErrorsBeforeCountOn) {
  Say("EHLO a.example\r\n");
  for (uint32_t i = 1; i < options_.max_errors; ++i) Say("FOO\r\n");
  Say("STARTTLS\r\n");
  EXPECT_THAT(Say("FOO\r\n"), HasSubstr("421 4.7.0 Too many errors"));
}

// --- The client ---

const std::string kGreeting = "220 mx.example.com ESMTP\r\n";
const std::string kOffer = "250-mx.example.com\r\n250-PIPELINING\r\n250 STARTTLS\r\n";
const std::string kSecured = "250-mx.example.com\r\n250 8BITMIME\r\n";

std::vector<std::string> Events(TlsUse use, const std::vector<std::string>& said,
                                std::string* sent, size_t piece = SIZE_MAX) {
  ClientRun run(use);
  for (const std::string& one : said) run.Serve(one, piece);
  *sent = run.sent;
  return run.events;
}

TEST(ClientTlsTest, AsksForItAndGreetsAgain) {
  for (const TlsUse use : {TlsUse::kOffered, TlsUse::kNeeded}) {
    for (const size_t piece : {size_t{1}, SIZE_MAX}) {
      ClientRun run(use);
      for (const std::string& one : {kGreeting, kOffer, std::string("220 go\r\n"), kSecured}) {
        run.Serve(one, piece);
      }
      EXPECT_EQ(run.sent,
                "EHLO client.example.org\r\nSTARTTLS\r\nEHLO client.example.org\r\n");
      EXPECT_THAT(run.events, ElementsAre("tls", "ready"));
      // What was said in the clear is forgotten.
      EXPECT_FALSE(run.session().pipelining());
      EXPECT_TRUE(run.session().offers_8bitmime() && run.session().secured());
    }
  }
}

TEST(ClientTlsTest, DoesNotAskWhereItIsOffOrOn) {
  std::string sent;
  for (const TlsUse use : {TlsUse::kOff, TlsUse::kOn}) {
    EXPECT_THAT(Events(use, {kGreeting, kOffer}, &sent), ElementsAre("ready"));
    EXPECT_EQ(sent, "EHLO client.example.org\r\n");
  }
}

TEST(ClientTlsTest, GoesOnWithoutWhereItNeedNotBe) {
  std::string sent;
  EXPECT_THAT(Events(TlsUse::kOffered, {kGreeting, kSecured}, &sent), ElementsAre("ready"));
  EXPECT_THAT(Events(TlsUse::kOffered, {kGreeting, kOffer, "454 4.7.0 not now\r\n"}, &sent),
              ElementsAre("ready"));
  EXPECT_THAT(Events(TlsUse::kOffered, {kGreeting, "500 what\r\n", "250 mx\r\n"}, &sent),
              ElementsAre("ready"));
}

TEST(ClientTlsTest, NeverGoesOnWithoutWhereItMustBe) {
  std::string sent;
  EXPECT_THAT(Events(TlsUse::kNeeded, {kGreeting, kSecured}, &sent),
              ElementsAre("end no TLS: STARTTLS is not offered (EHLO)"));
  EXPECT_THAT(Events(TlsUse::kNeeded, {kGreeting, kOffer, "454 4.7.0 not now\r\n"}, &sent),
              ElementsAre("end no TLS: 454 4.7.0 not now (STARTTLS)"));
  EXPECT_THAT(Events(TlsUse::kNeeded, {kGreeting, "500 what\r\n", "250 mx\r\n"}, &sent),
              ElementsAre("end no TLS: STARTTLS is not offered (EHLO)"));
  EXPECT_THAT(sent, Not(HasSubstr("MAIL")));
}

TEST(ClientTlsTest, WordsBehindTheAnswerAreAnError) {
  std::string sent;
  for (const TlsUse use : {TlsUse::kOffered, TlsUse::kNeeded}) {
    const std::vector<std::string> events =
        Events(use, {kGreeting, kOffer, "220 go\r\n250-evil\r\n250 SIZE 1\r\n"}, &sent);
    ASSERT_EQ(events.size(), 1u);
    EXPECT_THAT(events[0], HasSubstr("end protocol error"));
  }
  const std::vector<std::string> early =
      Events(TlsUse::kNeeded, {kGreeting, kOffer + "220 too early\r\n"}, &sent);
  EXPECT_THAT(early.back(), HasSubstr("end protocol error"));
}

TEST(ClientTlsTest, AFailedHandshakeEndsTheSession) {
  ClientRun run(TlsUse::kNeeded);
  run.shake_hands = false;
  for (const std::string& one : {kGreeting, kOffer, std::string("220 go\r\n")}) run.Serve(one);
  EXPECT_EQ(run.session().waiting_for(), Stage::kTls);
  run.Abandon(SessionEnd::kTlsFailed);
  EXPECT_THAT(run.events, ElementsAre("tls", "end TLS failed: TLS failed (TLS handshake)"));
}

// --- Hosts that are spoken to in plain text for a while ---

TEST(PlainHostsTest, RemembersForAWhileAndNoMoreThanItMay) {
  const auto host = [](uint8_t last) {
    return core::SocketAddress{core::IpAddress::V4(192, 0, 2, last), 25};
  };
  PlainHosts hosts(3);
  EXPECT_FALSE(hosts.Has(host(1), 0));
  hosts.Add(host(1), 0);
  EXPECT_TRUE(hosts.Has(host(1), core::kTlsPlainNs - 1));
  EXPECT_FALSE(hosts.Has(host(2), 0));
  EXPECT_FALSE(hosts.Has(host(1), core::kTlsPlainNs));
  EXPECT_EQ(hosts.size(), 0u);
  for (int64_t now_ns = 0; now_ns < 100; ++now_ns) {
    hosts.Add(host(7), now_ns);
    hosts.Add(host(static_cast<uint8_t>(10 + now_ns)), now_ns);
    EXPECT_LE(hosts.size(), 3u);
  }
  EXPECT_TRUE(hosts.Has(host(109), 100));
  EXPECT_TRUE(hosts.Has(host(7), 100));
  EXPECT_FALSE(hosts.Has(host(10), 100));
}

}  // namespace
}  // namespace outbox::smtp
