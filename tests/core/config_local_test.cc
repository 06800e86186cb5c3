// [local]: what it means, and what is wrong with it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "core/config.h"
#include "core/mailbox_name.h"

namespace outbox::core {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

// In a file of its own lines: [local] is line 6.
ConfigResult ReadLocalConfig(const std::string& local) {
  return ParseConfig(
      "hostname = \"relay.example.com\"\n[[listener]]\naddress = \"127.0.0.1:2525\"\n"
      "relay_from = \"127.0.0.0/8\"\n\n[local]\n" +
          local,
      "f");
}

TEST(LocalConfigTest, Everything) {
  const ConfigResult result = ReadLocalConfig(R"(domains = ["Example.org", "example.net"]
via = ["lmtp:store.example.org", "lmtp:127.0.0.1:2424"]
mailboxes = ["Alice", "bob@example.org"]
subaddress = "-"
undelivered = "relay"
relay_to = ["192.0.2.9:2525"]
retry = "1m"
retry_until = "2d"
max_connections = 7
[local.aliases]
"example.com" = "example.org"
)");
  ASSERT_THAT(result.errors, ElementsAre());
  const LocalConfig& local = result.config.local;
  EXPECT_THAT(local.domains, ElementsAre("example.org", "example.net"));
  EXPECT_THAT(local.aliases, ElementsAre(Pair("example.com", "example.org")));
  ASSERT_EQ(local.lmtp.size(), 2u);
  EXPECT_EQ(local.lmtp[0].host, "store.example.org");
  EXPECT_EQ(local.lmtp[0].port, 24);
  EXPECT_EQ(local.lmtp[1].address.ToString(), "127.0.0.1:2424");
  EXPECT_TRUE(local.lmtp[0].lmtp && local.lmtp[1].lmtp);
  EXPECT_THAT(local.mailboxes, ElementsAre("alice", "bob@example.org"));
  EXPECT_EQ(local.subaddress, "-");
  EXPECT_EQ(local.undelivered, Undelivered::kRelay);
  ASSERT_EQ(local.relay_to.size(), 1u);
  EXPECT_EQ(local.relay_to[0].port, 2525);
  EXPECT_THAT(local.periods.retry_ns, ElementsAre(kNsPerMinute));
  EXPECT_EQ(local.periods.retry_until_ns, 2 * kNsPerDay);
  EXPECT_EQ(local.max_connections, 7u);
}

TEST(LocalConfigTest, AUnixSocketAndAsking) {
  const ConfigResult result =
      ReadLocalConfig("domains = \"a.example\"\nvia = \"lmtp:/run/dovecot/lmtp\"\nask = true\n");
  ASSERT_THAT(result.errors, ElementsAre());
  EXPECT_EQ(result.config.local.lmtp[0].path, "/run/dovecot/lmtp");
  EXPECT_TRUE(result.config.local.ask);
  EXPECT_EQ(result.config.local.subaddress, "+");
  EXPECT_EQ(result.config.local.undelivered, Undelivered::kReject);
}

TEST(LocalConfigTest, RoutesTakeLmtpServersAsWell) {
  const ConfigResult result = ReadLocalConfig(R"(domains = "a.example"
maildir = "/var/mail/{domain}/{user}"
mailbox_file = "/etc/outbox/mailboxes"
undelivered = "forward"
forward_to = "postmaster@b.example"
[[route]]
match = "c.example"
via = "lmtp:/run/lmtp"
)");
  ASSERT_THAT(result.errors, ElementsAre());
  EXPECT_EQ(result.config.routes[0].via[0].path, "/run/lmtp");
  EXPECT_EQ(result.config.local.maildir, "/var/mail/{domain}/{user}");
  EXPECT_EQ(result.config.local.forward_to, "postmaster@b.example");
}

struct LocalMistake {
  std::string local;
  std::string error;
};

std::string LongDomain(size_t octets) {
  std::string domain;
  while (domain.size() + 52 < octets) domain += std::string(50, 'a') + ".";
  return domain + std::string(octets - domain.size() - 2, 'b') + ".c";
}

TEST(LocalConfigTest, WhatIsWrong) {
  const std::string head = "domains = \"a.example\"\nmailboxes = \"x\"\n";
  const std::string maildir = "maildir = \"/m/{user}\"\n";
  const LocalMistake mistakes[] = {
      {maildir + "mailboxes = \"x\"\n", "f:6:1: [local] has no \"domains\""},
      {"domains = \"*\"\nmailboxes = \"x\"\n" + maildir, "f:7:11: \"*\" is not a local domain"},
      {"domains = [\"a.example\", \"A.example\"]\nmailboxes = \"x\"\n" + maildir,
       "f:7:25: \"A.example\" stands in line 7, too"},
      {"domains = \"" + LongDomain(190) + "\"\nmailboxes = \"x\"\n" + maildir,
       "is too long for a local domain; expected at most 189 octets"},
      {head + maildir + "undelivered = \"forward\"\nforward_to = \"postmaster@" + LongDomain(244) +
           "\"\n",
       "is too long for an address; expected at most 254 octets"},
      {head, "[local] says neither \"via\" and \"maildir\""},
      {head + maildir + "via = \"lmtp:127.0.0.1\"\n", "[local] says both"},
      {head + "via = \"127.0.0.1:24\"\n", "\"127.0.0.1:24\" is not an LMTP server"},
      {head + "via = \"lmtp:127.0.0.1:2525\"\n", "is our own listener"},
      {head + "via = [\"lmtp:/run/a\", \"lmtp:/run/b\"]\n", "expected the unix socket alone"},
      {head + "maildir = \"mail/{user}\"\n", "expected an absolute path"},
      {head + "maildir = \"/mail\"\n", "expected {user} in it"},
      {head + "maildir = \"/mail/../{user}\"\n", "expected a path without"},
      {head + "maildir = \"/mail/{home}/{user}\"\n", "expected no other names in braces"},
      {"domains = \"a.example\"\n" + maildir, "[local] names 0 sources of mailboxes"},
      {head + maildir + "mailbox_file = \"/etc/m\"\n", "[local] names 2 sources of mailboxes"},
      {"domains = \"a.example\"\nask = true\n" + maildir, "a Maildir cannot be asked"},
      {"domains = \"a.example\"\nask = true\nvia = \"lmtp:store.a.example\"\n",
       "\"ask\" does not look names up"},
      {"domains = \"a.example\"\nmailboxes = \"../x\"\n" + maildir,
       "f:8:13: \"../x\" is not the name of a mailbox"},
      {"domains = \"a.example\"\nmailboxes = \"x@b.example\"\n" + maildir,
       "\"x@b.example\" is in no local domain"},
      {head + maildir + "subaddress = \"/\"\n", "\"/\" cannot part a user from a detail"},
      {head + maildir + "undelivered = \"drop\"\n", "is no rule for mail without a mailbox"},
      {head + maildir + "undelivered = \"forward\"\n", "\"forward_to\" is missing"},
      {head + maildir + "relay_to = \"10.0.0.1\"\n", "\"relay_to\" has no use without its rule"},
      {head + maildir + "undelivered = \"forward\"\nforward_to = \"y@a.example\"\n",
       "is itself no mailbox"},
      {head + maildir + "[local.aliases]\n\"b.example\" = \"c.example\"\n",
       "f:11:15: \"c.example\" is not a local domain; expected one of \"domains\""},
      {head + maildir + "[local.aliases]\n\"a.example\" = \"a.example\"\n",
       "\"a.example\" stands in line 7, too"},
  };
  for (const LocalMistake& mistake : mistakes) {
    const ConfigResult result = ReadLocalConfig(mistake.local);
    ASSERT_EQ(result.errors.size(), 1u) << mistake.local << testing::PrintToString(result.errors);
    EXPECT_THAT(result.errors[0], HasSubstr(mistake.error)) << mistake.local;
  }
}

TEST(MailboxNameTest, APathIsMadeOfNamesAlone) {
  const std::string_view place = "/var/mail/{domain}/{user}/Maildir/";
  EXPECT_EQ(WhyNoMaildirTemplate(place), nullptr);
  EXPECT_EQ(MaildirPath(place, "a.b", "x.example"), "/var/mail/x.example/a.b/Maildir");
  EXPECT_EQ(MaildirRoot(place), "/var/mail");
  EXPECT_EQ(MaildirRoot("/m-{user}"), "");
  for (const char* user : {"", ".", "..", ".a", "a..b", "a/b", "-a", "A", "a b", "a%b", "a\nb"}) {
    EXPECT_EQ(MaildirPath(place, user, "x.example"), "") << user;
  }
  for (const char* domain : {"", "..", "x/y", "X.example", ".x"}) {
    EXPECT_EQ(MaildirPath(place, "a", domain), "") << domain;
  }
  EXPECT_FALSE(IsMailboxUser(std::string(65, 'a')));
  EXPECT_TRUE(IsMailboxName("alice@example.org"));
  EXPECT_FALSE(IsMailboxName("alice@"));
  EXPECT_FALSE(IsMailboxName("Alice"));
}

}  // namespace
}  // namespace outbox::core
