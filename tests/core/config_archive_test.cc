// [archive] and the key `archive` of a route: which mailbox gets a copy, and what is none.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "core/config.h"

namespace outbox::core {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr char kTop[] =
    "hostname = \"relay.example.com\"\n"
    "[[listener]]\n"
    "address = \"127.0.0.1:2525\"\n"
    "relay_from = \"127.0.0.0/8\"\n";
constexpr char kLocal[] =
    "[local]\n"
    "domains = \"here.example\"\n"
    "maildir = \"/mail/{user}\"\n"
    "mailboxes = \"alice\"\n"
    "[local.aliases]\n"
    "\"alias.example\" = \"here.example\"\n";

// What is tested begins on line 5.
ConfigResult ReadArchive(const std::string& text, const std::string& local = kLocal) {
  return ParseConfig(std::string(kTop) + text + "\n" + local, "f");
}

TEST(ArchiveConfigTest, TheDefaultIsEveryRoutesUnlessItSaysSomethingElse) {
  const ConfigResult result = ReadArchive(R"([archive]
to = "Archive@Alias.example"
notices = true
[[route]]
match = "usual.example"
via = "mx"
[[route]]
match = "held.example"
via = "hold"
[[route]]
match = "secret.example"
via = "mx"
archive = ""
[[route]]
match = "other.example"
via = "192.0.2.25"
archive = "other+2026@here.example"
[[route]]
match = "refused.example"
via = "reject"
[[route]]
match = "gone.example"
via = "discard"
[[route]]
match = "gone-but-kept.example"
via = "discard"
archive = "archive@here.example"
)");
  ASSERT_THAT(result.errors, ElementsAre());
  const Config& config = result.config;
  EXPECT_EQ(config.archive.to, "archive@here.example");
  EXPECT_TRUE(config.archive.notices);
  std::vector<std::string> archives;
  for (const RouteConfig& route : config.routes) archives.push_back(route.archive);
  EXPECT_THAT(archives, ElementsAre("archive@here.example", "archive@here.example", "",
                                    "other+2026@here.example", "", "", "archive@here.example"));
}

TEST(ArchiveConfigTest, ARouteAloneMayHaveOne) {
  const ConfigResult result = ReadArchive(
      "[[route]]\nsender = \"*@sales.example\"\nvia = \"mx\"\narchive = \"sales@here.example\"");
  ASSERT_THAT(result.errors, ElementsAre());
  EXPECT_EQ(result.config.archive.to, "");
  EXPECT_EQ(result.config.routes[0].archive, "sales@here.example");
}

TEST(ArchiveConfigTest, Mistakes) {
  const struct {
    const char* text;
    const char* error;
  } kMistakes[] = {
      {"[archive]", "f:5:1: [archive] has no \"to\"; expected a mailbox in a domain of [local]"},
      {"[archive]\nto = \"archive\"", "f:6:6: \"archive\" is not the mailbox of an archive"},
      {"[archive]\nto = \"a b@here.example\"", "f:6:6: \"a b@here.example\" is not the mailbox"},
      {"[archive]\nto = \"archive@elsewhere.example\"",
       "f:6:6: \"archive@elsewhere.example\" is no local mailbox, and copies do not leave this "
       "side; expected an address in one of the domains of [local]"},
      {"[archive]\nto = \"a@here.example\"\nnotices = 1", "f:7:11: \"notices\" is an integer"},
      {"[archive]\nto = \"a@here.example\"\nmatch = \"*\"", "f:7:1: unknown key \"match\""},
      {"[[route]]\nmatch = \"*\"\nvia = \"mx\"\narchive = \"x@other.example\"",
       "f:8:11: \"x@other.example\" is no local mailbox"},
      {"[[route]]\nmatch = \"*\"\nvia = \"reject no\"\narchive = \"x@here.example\"",
       "f:8:11: \"archive\" is for mail that is accepted"},
  };
  for (const auto& mistake : kMistakes) {
    EXPECT_THAT(ReadArchive(mistake.text).errors, ElementsAre(HasSubstr(mistake.error)))
        << mistake.text;
  }
  EXPECT_THAT(ReadArchive("[archive]\nto = \"a@here.example\"", "").errors,
              ElementsAre(HasSubstr("expected a [local] with its domain")));
}

}  // namespace
}  // namespace outbox::core
