// AUTH at the server session, told by stories: each is fed whole, octet by octet and cut at every
// place.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "smtp/auth_response.h"
#include "smtp/base64.h"
#include "smtp/output_buffer.h"
#include "tests/smtp/server_run.h"
#include "tests/smtp/server_stories.h"

namespace outbox::smtp {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::string Base64(std::string_view text) {
  char memory[1500];
  OutputBuffer out(memory);
  Base64Writer word(&out);
  word.Append(text);
  word.Finish();
  return std::string(out.written());
}

std::string PlainText(const std::string& user, const std::string& password,
                      const std::string& authorize = "") {
  return Base64(authorize + '\0' + user + '\0' + password);
}
std::string PlainLine(const std::string& user, const std::string& password = "secret") {
  return "AUTH PLAIN " + PlainText(user, password) + "\r\n";
}

// What the server says after its banner and the reply to EHLO, and what the driver was asked.
struct AuthStory {
  const char* name;
  std::string client;  // behind EHLO
  std::string output;  // a regular expression, or "": see `says`
  std::vector<std::string> events;
  bool closed = false;
};

const std::string kYes = "235 2.7.0 Welcome\r\n";
const std::string kWrong = "535 5.7.8 Wrong\r\n";

std::vector<AuthStory> AuthStories() {
  const std::string long_user(255, 'u');
  constexpr size_t kLine = core::kSmtpCommandLineMax - 2;
  // No whole number of groups of four: no base64, and not too long.
  const std::string whole_line = std::string(kLine % 4 == 0 ? kLine - 1 : kLine, 'A') + "\r\n";
  std::string failures;
  for (int i = 0; i < 6; ++i) failures += PlainLine("ann", "guess");
  return {
      {"PLAIN with its response", PlainLine("ann"), kYes, {"AUTH PLAIN ann"}},
      {"in any case of letters",
       "auth plain " + PlainText("ann", "secret") + "\r\n",
       kYes,
       {"AUTH PLAIN ann"}},
      {"PLAIN without",
       "AUTH PLAIN\r\n" + PlainText("ann", "secret") + "\r\n",
       "334 \r\n" + kYes,
       {"AUTH PLAIN ann"}},
      {"acting for oneself",
       "AUTH PLAIN " + PlainText("ann", "secret", "ann") + "\r\n",
       kYes,
       {"AUTH PLAIN ann"}},
      {"acting for another",
       "AUTH PLAIN " + PlainText("ann", "secret", "bob") + "\r\n",
       "535 5.7.8 You may act for yourself alone\r\n",
       {}},
      {"LOGIN",
       "AUTH LOGIN\r\n" + Base64("ann") + "\r\n" + Base64("secret") + "\r\n",
       "334 VXNlcm5hbWU6\r\n334 UGFzc3dvcmQ6\r\n" + kYes,
       {"AUTH LOGIN ann"}},
      {"LOGIN with the name at once",
       "AUTH LOGIN " + Base64("ann") + "\r\n" + Base64("secret") + "\r\n",
       "334 UGFzc3dvcmQ6\r\n" + kYes,
       {"AUTH LOGIN ann"}},
      {"the longest name and a long password by LOGIN",
       "AUTH LOGIN " + Base64(long_user) + "\r\n" + Base64(std::string(511, 'p')) + "\r\n",
       "334 UGFzc3dvcmQ6\r\n" + kWrong,
       {"AUTH LOGIN " + long_user}},
      {"a name that is too long",
       "AUTH LOGIN " + Base64(long_user + "u") + "\r\n",
       "500 5.5.6 The authentication exchange line is too long\r\n",
       {}},
      {"a password that is too long",
       "AUTH LOGIN " + Base64("ann") + "\r\n" + Base64(std::string(512, 'p')) + "\r\n",
       "334 UGFzc3dvcmQ6\r\n500 5.5.6 The authentication exchange line is too long\r\n",
       {}},
      {"a password's line that is too long",
       "AUTH LOGIN " + Base64("ann") + "\r\n" + std::string(kLine - core::kAuthUserBytes + 1, 'A') +
           "\r\nNOOP\r\n",
       "334 UGFzc3dvcmQ6\r\n500 5.5.6 The authentication exchange line is too long\r\n"
       "250 2.0.0 Ok\r\n",
       {}},
      {"a response that is too long",
       "AUTH PLAIN\r\n" + std::string(2 * kLine, 'A') + "\r\nNOOP\r\n",
       "334 \r\n500 5.5.6 The authentication exchange line is too long\r\n250 2.0.0 Ok\r\n",
       {}},
      {"the longest line",
       "AUTH PLAIN\r\n" + whole_line,
       "334 \r\n501 5.5.2 The response is no base64\r\n",
       {}},
      {"a command that is too long",
       "AUTH PLAIN " + std::string(2 * kLine, 'A') + "\r\nNOOP\r\n",
       "500 5.5.6 The authentication exchange line is too long\r\n250 2.0.0 Ok\r\n",
       {}},
      {"cancelled",
       "AUTH PLAIN\r\n*\r\nAUTH LOGIN\r\n" + Base64("ann") + "\r\n*\r\n" + PlainLine("ann"),
       "334 \r\n501 5.7.0 Authentication cancelled\r\n334 VXNlcm5hbWU6\r\n334 UGFzc3dvcmQ6\r\n"
       "501 5.7.0 Authentication cancelled\r\n" +
           kYes,
       {"AUTH PLAIN ann"}},
      {"an empty response",
       "AUTH PLAIN =\r\n",
       "501 5.5.2 A user name and a password between NULs are expected (RFC 4616)\r\n",
       {}},
      {"an empty name",
       "AUTH LOGIN =\r\n",
       "501 5.5.2 A user name is expected, without NUL\r\n",
       {}},
      {"an empty password",
       "AUTH LOGIN " + Base64("ann") + "\r\n\r\n",
       "334 UGFzc3dvcmQ6\r\n501 5.5.2 A password is expected, without NUL\r\n",
       {}},
      {"no base64",
       "AUTH PLAIN ab!d\r\nAUTH PLAIN abc\r\nAUTH PLAIN ab==ab==\r\n",
       "501 5.5.2 The response is no base64\r\n501 5.5.2 The response is no base64\r\n"
       "501 5.5.2 The response is no base64\r\n",
       {}},
      {"no message of PLAIN's",
       "AUTH PLAIN " + Base64("ann") + "\r\nAUTH PLAIN " + PlainText("", "secret") +
           "\r\nAUTH PLAIN " + PlainText("ann", "") + "\r\n",
       "501 5.5.2 A user name and a password between NULs are expected (RFC 4616)\r\n"
       "501 5.5.2 A user name and a password between NULs are expected (RFC 4616)\r\n"
       "501 5.5.2 A user name and a password between NULs are expected (RFC 4616)\r\n",
       {}},
      {"a wrong password, then the right one",
       PlainLine("ann", "guess") + PlainLine("ann"),
       kWrong + kYes,
       {"AUTH PLAIN ann", "AUTH PLAIN ann"}},
      {"not now", PlainLine("busy"), "454 4.7.0 Busy\r\n", {"AUTH PLAIN busy"}},
      {"not from there",
       PlainLine("barred") + "NOOP\r\n",
       "421 4.7.0 Refused. Closing\r\n",
       {"AUTH PLAIN barred"},
       true},
      {"too many guesses",
       failures,
       kWrong + kWrong + kWrong + kWrong + "421 4.7.0 Too many failed authentications. Closing\r\n",
       {"AUTH PLAIN ann", "AUTH PLAIN ann", "AUTH PLAIN ann", "AUTH PLAIN ann", "AUTH PLAIN ann"},
       true},
      {"an unknown mechanism",
       "AUTH CRAM-MD5\r\nAUTH\r\n",
       "504 5.5.4 The mechanism is not offered; use PLAIN or LOGIN\r\n"
       "501 5.5.4 Syntax: AUTH mechanism [initial-response]\r\n",
       {}},
      {"twice",
       PlainLine("ann") + PlainLine("bob"),
       kYes + "503 5.5.1 You are authenticated already\r\n",
       {"AUTH PLAIN ann"}},
      {"in a transaction",
       kMail + PlainLine("ann") + "RSET\r\n" + PlainLine("ann"),
       "250 2.1.0 Sender ok\r\n503 5.5.1 A transaction is open; end it with DATA or RSET\r\n"
       "250 2.0.0 Ok\r\n" +
           kYes,
       {"MAIL <a@b.c>", "ABORT", "AUTH PLAIN ann"}},
      {"it outlives RSET, and EHLO offers it still",
       PlainLine("ann") + "RSET\r\nAUTH LOGIN\r\n",
       kYes + "250 2.0.0 Ok\r\n503 5.5.1 You are authenticated already\r\n",
       {"AUTH PLAIN ann"}},
      {"AUTH= of MAIL",
       "MAIL FROM:<a@b.c> AUTH=<>\r\nRSET\r\nMAIL FROM:<a@b.c> AUTH=e+3Dmc2@example.com\r\nRSET\r\n"
       "MAIL FROM:<a@b.c> AUTH=e+3dmc2\r\nMAIL FROM:<a@b.c> AUTH=\r\n",
       "250 2.1.0 Sender ok\r\n250 2.0.0 Ok\r\n250 2.1.0 Sender ok\r\n250 2.0.0 Ok\r\n"
       "501 5.5.4 AUTH is <> or an address in xtext, given once (at column 19)\r\n"
       "501 5.5.4 AUTH is <> or an address in xtext, given once (at column 19)\r\n",
       {"MAIL <a@b.c>", "ABORT", "MAIL <a@b.c>", "ABORT"}},
      {"a bare LF in the exchange",
       "AUTH PLAIN\r\nabcd\n",
       "334 \r\n521 5.5.2 Lines end in CR LF; a bare CR or LF is not taken. Closing\r\n",
       {},
       true},
  };
}

// With AUTH in plain text, or what else `change` makes of it.
ServerSessionOptions AuthOptions() {
  ServerSessionOptions options = Options();
  options.max_errors = 10;
  options.offers_auth = true;
  options.auth_in_clear = true;
  return options;
}

// What a session with these options says to the client, without banner and reply to EHLO.
std::string Said(ServerRun* run, const std::string& client, size_t piece = SIZE_MAX) {
  run->Start();
  run->Feed(kEhlo);
  const size_t before = run->output.size();
  run->Feed(client, piece);
  std::erase_if(run->events, [](const std::string& e) { return e.starts_with("HELLO"); });
  return run->output.substr(before);
}

TEST(ServerAuthTest, StoriesHoweverTheyAreCut) {
  const ServerSessionOptions options = AuthOptions();
  for (const AuthStory& story : AuthStories()) {
    SCOPED_TRACE(story.name);
    for (size_t piece = 1; piece < std::min<size_t>(story.client.size() + 1, 90); ++piece) {
      ServerRun run(&options);
      ASSERT_EQ(Said(&run, story.client, piece), story.output) << "pieces of " << piece;
      ASSERT_EQ(run.events, story.events);
      ASSERT_EQ(run.closed, story.closed);
    }
    ServerRun whole(&options);
    EXPECT_EQ(Said(&whole, story.client), story.output);
  }
}

TEST(ServerAuthTest, OfferedOnlyWhereItCanBeUsed) {
  ServerSessionOptions options = AuthOptions();
  ServerRun clear(&options);
  Said(&clear, "");
  EXPECT_THAT(clear.output, HasSubstr("250-AUTH PLAIN LOGIN\r\n"));
  options.auth_in_clear = false;
  options.offers_tls = true;
  ServerRun run(&options);
  EXPECT_EQ(Said(&run, PlainLine("ann")),
            "538 5.7.11 AUTH is for sessions with TLS only; send STARTTLS first\r\n");
  EXPECT_THAT(run.output, Not(HasSubstr("AUTH PLAIN")));
  EXPECT_THAT(run.events, IsEmpty());
  run.Feed("MAIL FROM:<a@b.c> AUTH=<>\r\nSTARTTLS\r\n");
  EXPECT_THAT(run.output, HasSubstr("555 5.5.4 MAIL parameter AUTH"));
  run.Feed(kEhlo);
  EXPECT_THAT(run.output, HasSubstr("250-AUTH PLAIN LOGIN\r\n"));
  run.Feed(PlainLine("ann"));
  EXPECT_TRUE(run.output.ends_with(kYes));
  options.offers_auth = false;
  ServerRun none(&options);
  EXPECT_EQ(Said(&none, PlainLine("ann")), "502 5.5.1 Command not implemented\r\n");
}

TEST(ServerAuthTest, ASpeakerOfHeloHasNoExtensions) {
  const ServerSessionOptions options = AuthOptions();
  ServerRun run(&options);
  run.Start();
  run.Feed("HELO c\r\n" + PlainLine("ann"));
  EXPECT_THAT(run.output, HasSubstr("503 5.5.1 Send EHLO first\r\n"));
}

TEST(ServerAuthTest, RequiredBeforeMail) {
  ServerSessionOptions options = AuthOptions();
  options.needs_auth = true;
  ServerRun run(&options);
  EXPECT_EQ(Said(&run, kMail + PlainLine("ann") + kMail),
            "530 5.7.0 Authentication required\r\n" + kYes + "250 2.1.0 Sender ok\r\n");
  options.auth_in_clear = false;
  options.offers_tls = true;
  ServerRun secured(&options);
  EXPECT_EQ(Said(&secured, kMail),
            "530 5.7.0 Authentication required; send STARTTLS first, then AUTH\r\n");
}

// RFC 3207 4.2: who it was in plain text does not count.
TEST(ServerAuthTest, TlsForgetsWhoItWas) {
  ServerSessionOptions options = AuthOptions();
  options.offers_tls = true;
  options.needs_auth = true;
  ServerRun run(&options);
  EXPECT_EQ(Said(&run, PlainLine("ann") + "STARTTLS\r\n"),
            kYes + "220 2.0.0 Ready to start TLS\r\n");
  EXPECT_FALSE(run.session().authenticated());
  run.Feed(kEhlo + kMail);
  EXPECT_TRUE(run.output.ends_with("530 5.7.0 Authentication required\r\n"));
}

// No octet of a password stays in the session's memory.
TEST(ServerAuthTest, SecretsAreOverwritten) {
  const ServerSessionOptions options = AuthOptions();
  const std::string password = "a-password-that-is-nowhere-else";
  const std::string plain = PlainText("ann", password);
  for (const std::string& client :
       {"AUTH PLAIN " + plain + "\r\n", "AUTH PLAIN\r\n" + plain + "\r\n",
        "AUTH LOGIN " + Base64("ann") + "\r\n" + Base64(password) + "\r\n",
        "AUTH PLAIN\r\n" + plain + "!\r\n", kMail + "AUTH PLAIN " + plain + "\r\n"}) {
    ServerRun run(&options);
    Said(&run, client, 7);
    const std::string_view memory(reinterpret_cast<const char*>(&run.session()),
                                  sizeof(ServerSession));
    EXPECT_EQ(memory.find(password), std::string_view::npos);
    EXPECT_EQ(memory.find(password.substr(8)), std::string_view::npos);
    EXPECT_EQ(memory.find(plain.substr(16)), std::string_view::npos);
    EXPECT_EQ(memory.find(Base64(password).substr(4, 12)), std::string_view::npos);
  }
}

TEST(AuthResponseTest, Plain) {
  using std::string_literals::operator""s;
  const std::string text = "boss\0ann\0secret"s;
  const auto plain = ParsePlain(text);
  ASSERT_TRUE(plain.has_value());
  EXPECT_EQ(plain->authorize, "boss");
  EXPECT_EQ(plain->user, "ann");
  EXPECT_EQ(plain->password, "secret");
  EXPECT_FALSE(ParsePlain("").has_value());
  EXPECT_FALSE(ParsePlain("ann\0secret"s).has_value());
  EXPECT_FALSE(ParsePlain("\0ann\0secret\0"s).has_value());
}

}  // namespace
}  // namespace outbox::smtp
