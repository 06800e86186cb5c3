// AUTH (RFC 4954) as the client session speaks it: each mechanism, what a server may say to it, and
// what never leaves.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "smtp/base64.h"
#include "tests/smtp/client_run.h"

namespace outbox::smtp {
namespace {

using core::AuthMechanism;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kUser = "tim";
constexpr std::string_view kSecret = "tanstaaftanstaaf";
// RFC 2195 2.
const std::string kCramChallenge =
    "334 PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+\r\n";
const std::string kCramAnswer = "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw\r\n";
const std::string kPlainAnswer = "AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n";
const std::string kHello = "EHLO client.example.org\r\n";
const std::string kGreeting = "220 mx.example.com ESMTP\r\n";

ClientCredentials Credentials(std::string_view user = kUser, std::string_view secret = kSecret) {
  ClientCredentials credentials;
  credentials.user = user;
  credentials.secret = core::Secret::Copy(secret);
  return credentials;
}

std::string Offer(const std::string& mechanisms) {
  return "250-mx.example.com\r\n250-PIPELINING\r\n250 AUTH " + mechanisms + "\r\n";
}

struct Told {
  std::string sent;
  std::vector<std::string> events;
};

// The server's lines, one at a time; the session is encrypted from the first byte, or not at all.
Told Tell(TlsUse tls, const ClientCredentials& credentials, const std::string& offer,
          const std::vector<std::string>& lines, size_t piece = SIZE_MAX) {
  ClientRun run(tls, &credentials);
  run.messages.resize(1);
  run.messages[0].reverse_path = "a@b.c";
  run.messages[0].recipients = {"d@e.f"};
  run.messages[0].body = "hello\r\n.\r\n";
  run.Serve(kGreeting, piece);
  run.Serve(offer, piece);
  for (const std::string& line : lines) run.Serve(line, piece);
  EXPECT_THAT(run.sent, testing::StartsWith(kHello));
  return {run.sent.substr(kHello.size()), run.events};
}

// --- Each mechanism ---

TEST(ClientAuthTest, EachMechanismLetsMailThrough) {
  const std::string done = "235 2.7.0 Authentication successful\r\n";
  const struct {
    const char* offer;
    std::vector<std::string> lines;
    std::string sent;
  } cases[] = {
      {"PLAIN", {done}, "AUTH PLAIN " + kPlainAnswer},
      {"LOGIN",
       {"334 VXNlcm5hbWU6\r\n", "334 UGFzc3dvcmQ6\r\n", done},
       "AUTH LOGIN\r\ndGlt\r\ndGFuc3RhYWZ0YW5zdGFhZg==\r\n"},
      // What LOGIN's challenges say is nobody's business.
      {"LOGIN",
       {"334 ***\r\n", "334\r\n", done},
       "AUTH LOGIN\r\ndGlt\r\ndGFuc3RhYWZ0YW5zdGFhZg==\r\n"},
      {"CRAM-MD5", {kCramChallenge, done}, "AUTH CRAM-MD5\r\n" + kCramAnswer},
  };
  for (const auto& [offer, lines, sent] : cases) {
    for (const size_t piece : {size_t{1}, SIZE_MAX}) {
      const Told told = Tell(TlsUse::kOn, Credentials(), Offer(offer), lines, piece);
      EXPECT_EQ(told.sent, sent + "MAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\nDATA\r\n") << offer;
      EXPECT_THAT(told.events, ElementsAre("ready"));
    }
  }
}

TEST(ClientAuthTest, NothingIsSentAheadOfTheAnswer) {
  const ClientCredentials credentials = Credentials();
  ClientRun run(TlsUse::kOn, &credentials);
  run.messages = {{"a@b.c", {"d@e.f"}, "hello\r\n.\r\n"}};
  run.Serve(kGreeting);
  run.Serve(Offer("PLAIN LOGIN"));
  EXPECT_EQ(run.sent, kHello + "AUTH PLAIN " + kPlainAnswer);
  EXPECT_EQ(run.session().waiting_for(), Stage::kAuth);
  EXPECT_FALSE(run.session().CanBegin() || run.session().authenticated());
  run.Serve("235 ok\r\n");
  EXPECT_TRUE(run.session().authenticated());
  EXPECT_EQ(run.session().auth().mechanism(), AuthMechanism::kPlain);
  EXPECT_THAT(run.sent, EndsWith("DATA\r\n"));
}

TEST(ClientAuthTest, WhoIsNobodySaysNothing) {
  ClientRun run(TlsUse::kOn);
  run.Serve(kGreeting);
  run.Serve(Offer("PLAIN"));
  EXPECT_EQ(run.sent, kHello);
  EXPECT_THAT(run.events, ElementsAre("ready"));
}

// --- Which one ---

TEST(ClientAuthTest, TheSessionAndTheOfferDecideWhichOne) {
  const core::AuthMechanisms login = BitOf(AuthMechanism::kLogin);
  const struct {
    TlsUse tls;
    bool in_clear;
    core::AuthMechanisms allowed;
    std::string offer;
    const char* begins;
  } cases[] = {
      {TlsUse::kOn, false, core::kAllAuthMechanisms, "CRAM-MD5 LOGIN PLAIN", "AUTH PLAIN A"},
      {TlsUse::kOn, false, core::kAllAuthMechanisms, "CRAM-MD5 LOGIN", "AUTH LOGIN\r\n"},
      {TlsUse::kOn, false, core::kAllAuthMechanisms, "GSSAPI CRAM-MD5", "AUTH CRAM-MD5\r\n"},
      {TlsUse::kOn, false, core::kAllAuthMechanisms, "plain", "AUTH PLAIN A"},
      {TlsUse::kOn, false, login, "PLAIN LOGIN CRAM-MD5", "AUTH LOGIN\r\n"},
      {TlsUse::kOff, false, core::kAllAuthMechanisms, "PLAIN LOGIN CRAM-MD5", "AUTH CRAM-MD5\r\n"},
      {TlsUse::kOffered, false, core::kAllAuthMechanisms, "LOGIN CRAM-MD5", "AUTH CRAM-MD5\r\n"},
      {TlsUse::kOff, true, core::kAllAuthMechanisms, "PLAIN LOGIN CRAM-MD5", "AUTH CRAM-MD5\r\n"},
      {TlsUse::kOff, true, core::kAllAuthMechanisms, "LOGIN PLAIN", "AUTH PLAIN A"},
      {TlsUse::kOff, true, login, "LOGIN PLAIN", "AUTH LOGIN\r\n"},
  };
  for (const auto& [tls, in_clear, allowed, offer, begins] : cases) {
    ClientCredentials credentials = Credentials();
    credentials.plain_in_clear = in_clear;
    credentials.allowed = allowed;
    EXPECT_THAT(Tell(tls, credentials, Offer(offer), {}).sent, testing::StartsWith(begins))
        << offer;
  }
}

TEST(ClientAuthTest, TheOldFormOfTheOfferCountsAsWell) {
  for (const char* offer : {"250-mx\r\n250-AUTH=LOGIN PLAIN\r\n250 SIZE\r\n",
                            "250-mx\r\n250-AUTH LOGIN\r\n250 AUTH=LOGIN PLAIN\r\n",
                            "250-mx\r\n250 auth login plain\r\n"}) {
    EXPECT_THAT(Tell(TlsUse::kOn, Credentials(), offer, {}).sent,
                testing::StartsWith("AUTH PLAIN "));
  }
}

TEST(ClientAuthTest, WhatWasOfferedInTheClearIsForgottenUnderTls) {
  const ClientCredentials credentials = Credentials();
  ClientRun run(TlsUse::kNeeded, &credentials);
  run.Serve(kGreeting);
  run.Serve("250-mx\r\n250-AUTH CRAM-MD5\r\n250 STARTTLS\r\n");
  EXPECT_EQ(run.TakeSent(), kHello + "STARTTLS\r\n");
  run.Serve("220 go\r\n");
  run.Serve("250-mx\r\n250 AUTH PLAIN\r\n");
  EXPECT_EQ(run.TakeSent(), kHello + "AUTH PLAIN " + kPlainAnswer);
  run.Serve("235 ok\r\n");
  EXPECT_THAT(run.events, ElementsAre("tls", "ready"));
}

TEST(ClientAuthTest, ALongFirstAnswerIsNotPartOfTheCommand) {
  const std::string secret(core::kConfigSecretBytes, 's');
  const std::string user(core::kConfigAuthUserBytes, 'u');
  const Told told =
      Tell(TlsUse::kOn, Credentials(user, secret), Offer("PLAIN"), {"334 \r\n", "235 ok\r\n"});
  EXPECT_THAT(told.sent, testing::StartsWith("AUTH PLAIN\r\nAHV1"));
  EXPECT_THAT(told.events, ElementsAre("ready"));
  // The longest that is: 512 octets with the command and its end.
  for (const size_t size : {size_t{365}, size_t{369}, size_t{370}, size_t{371}, size_t{375}}) {
    const std::string sent =
        Tell(TlsUse::kOn, Credentials("u", std::string(size, 's')), Offer("PLAIN"), {}).sent;
    EXPECT_LE(sent.size(), 512u);
    EXPECT_EQ(sent == "AUTH PLAIN\r\n", Base64Size(size + 3) + 13 > 512) << size;
  }
  for (const char* offer : {"LOGIN", "CRAM-MD5"}) {
    const Told other = Tell(TlsUse::kOn, Credentials(user, secret), Offer(offer),
                            {kCramChallenge, kCramChallenge, "235 ok\r\n"});
    EXPECT_THAT(other.sent, HasSubstr("\r\ndXV1")) << offer;
  }
}

// --- What never leaves ---

TEST(ClientAuthTest, TheSecretStaysWhereItWouldBeRead) {
  const std::string shows =
      "end no AUTH: the session is not encrypted, and all that is offered would show the secret "
      "(auth_plaintext) (AUTH)";
  for (const TlsUse tls : {TlsUse::kOff, TlsUse::kOffered}) {
    const Told told = Tell(tls, Credentials(), Offer("PLAIN LOGIN"), {});
    EXPECT_EQ(told.sent, "");
    EXPECT_THAT(told.events, ElementsAre(shows));
  }
  // STARTTLS is offered and refused: as it would be by who wants to listen.
  ClientCredentials credentials = Credentials();
  ClientRun run(TlsUse::kOffered, &credentials);
  run.Serve(kGreeting);
  run.Serve("250-mx\r\n250-STARTTLS\r\n250 AUTH PLAIN LOGIN\r\n");
  run.Serve("454 4.7.0 not now\r\n");
  EXPECT_EQ(run.sent, kHello + "STARTTLS\r\n");
  EXPECT_THAT(run.events, ElementsAre(shows));
}

TEST(ClientAuthTest, NoMailLeavesWithoutAuth) {
  ClientCredentials gone = Credentials();
  gone.secret = nullptr;
  ClientCredentials picky = Credentials();
  picky.allowed = BitOf(AuthMechanism::kLogin);
  const struct {
    TlsUse tls;
    ClientCredentials credentials;
    std::string offer;
    const char* why;
  } cases[] = {
      {TlsUse::kOn, Credentials(), "250-mx\r\n250 SIZE\r\n", "AUTH is not offered"},
      {TlsUse::kOff, Credentials(), "250-mx\r\n250 SIZE\r\n", "AUTH is not offered without TLS"},
      {TlsUse::kOn, Credentials(), "250-mx\r\n250 AUTH\r\n", "AUTH is not offered"},
      {TlsUse::kOn, Credentials(), Offer("GSSAPI XOAUTH2 PLAINER LOGI"),
       "AUTH is offered with no mechanism that may be used"},
      {TlsUse::kOn, picky, Offer("PLAIN CRAM-MD5"),
       "AUTH is offered with no mechanism that may be used"},
      {TlsUse::kOn, gone, Offer("PLAIN"), "the configuration has no secret of this user any more"},
  };
  for (const auto& [tls, credentials, offer, why] : cases) {
    const Told told = Tell(tls, credentials, offer, {});
    EXPECT_EQ(told.sent, "");
    EXPECT_THAT(told.events, ElementsAre("end no AUTH: " + std::string(why) + " (AUTH)"));
  }
  // Who does not know EHLO has no AUTH.
  const ClientCredentials credentials = Credentials();
  ClientRun old(TlsUse::kOn, &credentials);
  for (const char* line : {"220 mx\r\n", "502 what\r\n", "250 mx\r\n"}) old.Serve(line);
  EXPECT_THAT(old.events, ElementsAre("end no AUTH: AUTH is not offered (AUTH)"));
}

// --- What a server may answer ---

TEST(ClientAuthTest, ARefusalEndsTheSessionWhateverWasSaid) {
  const struct {
    const char* offer;
    std::vector<std::string> lines;
    const char* end;
  } cases[] = {
      {"PLAIN",
       {"535 5.7.8 bad credentials\r\n"},
       "AUTH refused: 535 5.7.8 bad credentials (AUTH)"},
      {"PLAIN", {"454 4.7.0 later\r\n"}, "AUTH refused: 454 4.7.0 later (AUTH)"},
      {"PLAIN", {"503 5.5.1 again?\r\n"}, "AUTH refused: 503 5.5.1 again? (AUTH)"},
      {"PLAIN", {"432 4.7.12 change it\r\n"}, "AUTH refused: 432 4.7.12 change it (AUTH)"},
      {"LOGIN", {"334 a\r\n", "535 who\r\n"}, "AUTH refused: 535 who (AUTH)"},
      {"LOGIN", {"334 a\r\n", "334 b\r\n", "535 no\r\n"}, "AUTH refused: 535 no (AUTH)"},
      {"CRAM-MD5", {"454 4.7.0 no entropy\r\n"}, "AUTH refused: 454 4.7.0 no entropy (AUTH)"},
      {"CRAM-MD5", {kCramChallenge, "535 no\r\n"}, "AUTH refused: 535 no (AUTH)"},
      {"PLAIN", {"421 4.7.0 too many\r\n"}, "the server closes: 421 4.7.0 too many (AUTH)"},
      {"LOGIN", {"334 a\r\n", "421 bye\r\n"}, "the server closes: 421 bye (AUTH)"},
      {"PLAIN",
       {"354 go on\r\n"},
       "protocol error: AUTH was answered with neither 235, 334 nor a refusal (AUTH)"},
      {"PLAIN", {"what?\r\n"}, "protocol error: a reply does not begin with a valid code (AUTH)"},
  };
  for (const auto& [offer, lines, end] : cases) {
    for (const size_t piece : {size_t{1}, SIZE_MAX}) {
      const Told told = Tell(TlsUse::kOn, Credentials(), Offer(offer), lines, piece);
      EXPECT_THAT(told.events, ElementsAre("end " + std::string(end))) << offer;
      EXPECT_THAT(told.sent, Not(HasSubstr("MAIL")));
    }
  }
}

TEST(ClientAuthTest, AnotherMechanismWhereTheFirstIsNotToBeHad) {
  EXPECT_EQ(Tell(TlsUse::kOn, Credentials(), Offer("PLAIN LOGIN CRAM-MD5"),
                 {"504 5.5.4 not today\r\n", "534 5.7.9 too weak\r\n", kCramChallenge})
                .sent,
            "AUTH PLAIN " + kPlainAnswer + "AUTH LOGIN\r\nAUTH CRAM-MD5\r\n" + kCramAnswer);
  // One that was tried is not tried again; a refusal of ours ends it.
  EXPECT_THAT(Tell(TlsUse::kOn, Credentials(), Offer("PLAIN"), {"504 5.5.4 not today\r\n"}).events,
              ElementsAre("end AUTH refused: 504 5.5.4 not today (AUTH)"));
  const Told refused = Tell(TlsUse::kOn, Credentials(), Offer("PLAIN LOGIN"), {"535 5.7.8 no\r\n"});
  EXPECT_EQ(refused.sent, "AUTH PLAIN " + kPlainAnswer);
  // In the clear there is no way down to what shows the secret.
  EXPECT_EQ(
      Tell(TlsUse::kOff, Credentials(), Offer("PLAIN LOGIN CRAM-MD5"), {"504 5.5.4 no\r\n"}).sent,
      "AUTH CRAM-MD5\r\n");
}

TEST(ClientAuthTest, AChallengeThatMakesNoSenseIsCancelled) {
  const std::string long_one = "334 " + std::string(600, 'A') + "\r\n";
  const struct {
    const char* offer;
    std::vector<std::string> lines;
    std::string why;
  } cases[] = {
      {"CRAM-MD5", {"334\r\n"}, "the challenge is no base64"},
      {"CRAM-MD5", {"334 ???\r\n"}, "the challenge is no base64"},
      {"CRAM-MD5", {"334 PDE4\xff\x01\r\n"}, "the challenge is no base64"},
      {"CRAM-MD5", {"334-PDE4\r\n334 PDE4\r\n"}, "the challenge is no base64"},
      {"CRAM-MD5", {long_one}, "the challenge is too long"},
      {"CRAM-MD5", {kCramChallenge, kCramChallenge}, "another challenge behind the answer"},
      {"PLAIN", {"334 \r\n"}, "another challenge behind the answer"},
      {"LOGIN", {"334 a\r\n", "334 b\r\n", "334 c\r\n"}, "another challenge behind the answer"},
  };
  for (const auto& [offer, lines, why] : cases) {
    std::vector<std::string> all = lines;
    all.push_back("501 5.7.0 cancelled\r\n");
    const Told told = Tell(TlsUse::kOn, Credentials(), Offer(offer), all);
    EXPECT_THAT(told.sent, EndsWith("\r\n*\r\n")) << offer;
    EXPECT_THAT(told.events, ElementsAre("end AUTH refused: " + why + " (AUTH)")) << offer;
    // A server that goes on asking, or lets us in, is left.
    for (const char* more : {"334 a\r\n", "235 come in\r\n", "250 yes\r\n"}) {
      all.back() = more;
      EXPECT_THAT(Tell(TlsUse::kOn, Credentials(), Offer(offer), all).events,
                  ElementsAre(HasSubstr("end protocol error")));
    }
  }
}

TEST(ClientAuthTest, RepliesThatNothingHadAskedForEndTheSession) {
  const struct {
    const char* offer;
    std::vector<std::string> lines;
  } cases[] = {
      {"PLAIN", {"235 ok\r\n235 ok\r\n"}},
      {"LOGIN", {"334 a\r\n334 b\r\n"}},
      {"LOGIN", {"334 a\r\n250 b\r\n"}},
      {"CRAM-MD5", {kCramChallenge + "235 ok\r\n"}},
  };
  for (const auto& [offer, lines] : cases) {
    const Told told = Tell(TlsUse::kOn, Credentials(), Offer(offer), lines);
    EXPECT_THAT(told.events.back(), HasSubstr("end protocol error")) << offer;
    EXPECT_THAT(told.sent, Not(HasSubstr("MAIL")));
    EXPECT_THAT(told.sent, Not(HasSubstr("dGFuc3")));
  }
  // Behind EHLO's reply, before AUTH.
  const Told early = Tell(TlsUse::kOn, Credentials(), Offer("PLAIN") + "235 come in\r\n", {});
  EXPECT_THAT(early.events.back(), HasSubstr("end protocol error"));
  EXPECT_EQ(early.sent, "");
}

TEST(ClientAuthTest, AConnectionThatBreaksIsLostAtAuth) {
  const ClientCredentials credentials = Credentials();
  ClientRun run(TlsUse::kOn, &credentials);
  run.Serve(kGreeting);
  run.Serve(Offer("LOGIN"));
  run.Abandon(SessionEnd::kPeerClosed);
  EXPECT_THAT(run.events, ElementsAre("end connection closed by the server: connection closed by "
                                      "the server (AUTH)"));
}

}  // namespace
}  // namespace outbox::smtp
