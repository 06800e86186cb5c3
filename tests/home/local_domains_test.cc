// Whose mail is local, which mailbox is meant, and where the router sends it.
#include "queue/local_domains.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "queue/destination_key.h"
#include "queue/router.h"

namespace outbox::queue {
namespace {

using ::testing::HasSubstr;

core::Config LocalConfigOf(core::Undelivered rule) {
  core::Config config;
  config.hostname = "relay.example";
  core::LocalConfig& local = config.local;
  local.domains = {"here.example", "two.example"};
  local.aliases = {{"also.example", "here.example"}};
  local.maildir = "/mail/{domain}/{user}";
  local.mailboxes = {"alice", "bob@two.example", "a+b"};
  local.undelivered = rule;
  local.max_connections = 3;
  return config;
}

TEST(LocalDomainsTest, WhichMailboxIsMeant) {
  const LocalDomains local(LocalConfigOf(core::Undelivered::kReject).local);
  const struct {
    const char* recipient;
    LocalStanding standing;
    const char* address;
  } kTable[] = {
      {"alice@here.example", LocalStanding::kMailbox, "alice@here.example"},
      {"ALICE@TWO.Example", LocalStanding::kMailbox, "alice@two.example"},
      {"alice@also.example", LocalStanding::kMailbox, "alice@here.example"},
      {"alice+x+y@here.example", LocalStanding::kMailbox, "alice@here.example"},
      {"a+b@here.example", LocalStanding::kMailbox, "a+b@here.example"},
      {"a+c@here.example", LocalStanding::kNoMailbox, "a+c@here.example"},
      {"bob@two.example", LocalStanding::kMailbox, "bob@two.example"},
      {"bob@here.example", LocalStanding::kNoMailbox, "bob@here.example"},
      {"+alice@here.example", LocalStanding::kNoMailbox, "+alice@here.example"},
      {"../alice@here.example", LocalStanding::kNoMailbox, "../alice@here.example"},
      {"\"alice\"@also.example", LocalStanding::kNoMailbox, "\"alice\"@here.example"},
      {"alice%x.example@here.example", LocalStanding::kNoMailbox, "alice%x.example@here.example"},
  };
  for (const auto& row : kTable) {
    ASSERT_TRUE(local.OwnsDomainOf(row.recipient)) << row.recipient;
    const LocalAnswer answer = local.Find(row.recipient);
    EXPECT_EQ(answer.standing, row.standing) << row.recipient;
    EXPECT_EQ(answer.address, row.address) << row.recipient;
  }
  EXPECT_FALSE(local.OwnsDomainOf("alice@sub.here.example"));
  EXPECT_FALSE(local.OwnsDomainOf("alice@xhere.example"));
  EXPECT_FALSE(local.OwnsDomainOf("alice"));
}

TEST(LocalDomainsTest, TheRouterAsksItFirst) {
  core::Config config = LocalConfigOf(core::Undelivered::kReport);
  core::RouteConfig route;
  route.name = "everything";
  route.match = {"*"};
  route.via_mx = true;
  config.routes = {route};
  const Router router(config);
  RouteChoice choice = router.Route("Alice+x@also.example");
  EXPECT_EQ(choice.destination, "maildir:/mail/{domain}/{user}");
  EXPECT_EQ(choice.route, kLocalRoute);
  EXPECT_EQ(choice.recipient, "alice@here.example");
  EXPECT_TRUE(choice.local);
  EXPECT_EQ(router.ConnectionsFor(choice.destination), 3u);
  choice = router.Route("nobody@here.example");
  EXPECT_EQ(choice.destination, kNoMailboxKey);
  EXPECT_EQ(choice.route, kLocalRoute);
  choice = router.Route("Alice@elsewhere.example");
  EXPECT_EQ(choice.destination, "mx:elsewhere.example");
  EXPECT_EQ(choice.recipient, "Alice@elsewhere.example");
  EXPECT_FALSE(choice.local);
}

TEST(LocalDomainsTest, WhatHasNoMailboxGoesByTheRule) {
  core::Config config = LocalConfigOf(core::Undelivered::kDiscard);
  EXPECT_EQ(Router(config).Route("x@here.example").destination, kDiscardKey);
  config.local.undelivered = core::Undelivered::kForward;
  config.local.forward_to = "Catch.All@b.example";
  RouteChoice choice;
  {
    const Router router(config);
    choice = router.Route("x@here.example");
    EXPECT_EQ(choice.destination, "mx:b.example");
    EXPECT_EQ(choice.recipient, "Catch.All@b.example");
    EXPECT_EQ(choice.route, kImplicitRoute);
  }
  config.local.forward_to = "alice+catch@also.example";
  {
    const Router router(config);
    choice = router.Route("x@here.example");
    EXPECT_EQ(choice.destination, "maildir:/mail/{domain}/{user}");
    EXPECT_EQ(choice.recipient, "alice@here.example");
  }
  config.local.forward_to = "nobody@here.example";
  {
    const Router router(config);
    choice = router.Route("x@here.example");
    EXPECT_EQ(choice.destination, kNoMailboxKey);
    EXPECT_EQ(choice.recipient, "nobody@here.example");
  }
}

// What a reload has to look at: mail for places that are no longer ours.
TEST(LocalDomainsTest, AReloadMovesTheMailboxes) {
  const core::Config before = LocalConfigOf(core::Undelivered::kReject);
  core::Config after = before;
  EXPECT_TRUE(Router(after).Since(Router(before)).empty());
  after.local.domains.push_back("three.example");
  EXPECT_TRUE(Router(after).Since(Router(before)).empty());
  after.local.maildir = "/other/{user}";
  const Router moved(after);
  const RouteChanges changes = moved.Since(Router(before));
  EXPECT_TRUE(changes.Touches("maildir:/mail/{domain}/{user}"));
  EXPECT_FALSE(changes.Touches("nomailbox:"));
  EXPECT_FALSE(moved.StillRoutes(kLocalRoute, "maildir:/mail/{domain}/{user}", ""));
  EXPECT_TRUE(moved.StillRoutes(kLocalRoute, "maildir:/other/{user}", ""));
  after.local = {};
  EXPECT_TRUE(Router(after).Since(Router(before)).Touches("maildir:/mail/{domain}/{user}"));
}

TEST(LocalDomainsTest, AMailboxFileSaysNothingUntilItIsRead) {
  core::Config config = LocalConfigOf(core::Undelivered::kReject);
  config.local.mailboxes.clear();
  config.local.mailbox_file = "/etc/mailboxes";
  LocalDomains local(config.local);
  EXPECT_EQ(local.Find("alice@here.example").standing, LocalStanding::kNotKnown);
  auto list = std::make_shared<MailboxList>();
  ASSERT_TRUE(list->Read("Alice\n").ok());
  local.set_list(list);
  EXPECT_EQ(local.Find("alice@here.example").standing, LocalStanding::kMailbox);
  EXPECT_EQ(local.Find("bob@here.example").standing, LocalStanding::kNoMailbox);
}

TEST(MailboxListTest, WhatAFileMayLookLike) {
  MailboxList list;
  ASSERT_TRUE(list.Read("# all of us\n\n  Alice \t# the boss\r\nbob@Two.example\n#\n").ok());
  EXPECT_EQ(list.size(), 2u);
  EXPECT_TRUE(list.Has("alice", "x.example"));
  EXPECT_TRUE(list.Has("bob", "two.example"));
  EXPECT_FALSE(list.Has("bob", "x.example"));
  const struct {
    const char* text;
    const char* why;
  } kWrong[] = {
      {"", "there is no name in it"},
      {"# nobody\n", "there is no name in it"},
      {"alice", "the last line has no end"},
      {"alice\nbo", "the last line has no end"},
      {"alice\nbob carol\n", "line 2: \"bob carol\" is not the name of a mailbox"},
      {"alice/x\n", "line 1: "},
      {"alice@\n", "line 1: "},
  };
  for (const auto& wrong : kWrong) {
    EXPECT_THAT(MailboxList().Read(wrong.text).message(), HasSubstr(wrong.why)) << wrong.text;
  }
}

TEST(LocalKeysTest, AKeyMeansWhatItSays) {
  DestinationKey key = ParseDestinationKey("lmtp:10.1.2.3:24,store.example:2424");
  EXPECT_EQ(key.link, LinkKind::kLmtp);
  ASSERT_EQ(key.hosts.size(), 2u);
  EXPECT_EQ(ViaKey(key.hosts), "lmtp:10.1.2.3:24,store.example:2424");
  EXPECT_FALSE(key.all_addresses());
  key = ParseDestinationKey("lmtp:/run/lmtp");
  EXPECT_EQ(key.place, "/run/lmtp");
  EXPECT_TRUE(key.valid() && key.all_addresses());
  key = ParseDestinationKey("maildir:/m/{user}");
  EXPECT_EQ(key.link, LinkKind::kMaildir);
  EXPECT_EQ(key.place, "/m/{user}");
  EXPECT_TRUE(ParseDestinationKey(kNoMailboxKey).no_mailbox);
  EXPECT_EQ(ActionOf(kDiscardKey), core::RouteAction::kDiscard);
  for (const char* damaged : {"maildir:m/{user}", "maildir:/m", "lmtp:", "lmtp:/", "lmtp:,",
                              "discard:x", "via:lmtp:/run/x"}) {
    EXPECT_FALSE(ParseDestinationKey(damaged).valid()) << damaged;
  }
}

TEST(RouterTest, AnArchiveIsReachedWhetherOrNotAnybodyMayWriteToIt) {
  core::Config config;
  config.hostname = "relay.example";
  core::RouteConfig own;
  own.name = "own";
  own.match = {"own.example"};
  own.via_mx = true;
  own.archive = "own@here.example";
  core::RouteConfig none = own;
  none.name = "none";
  none.match = {"none.example"};
  none.archive = "";
  config.routes = {own, none};
  config.archive.to = "all@here.example";
  config.local.domains = {"here.example"};
  config.local.maildir = "/mail/{user}";
  config.local.mailboxes = {"alice"};
  const Router router(config);
  ASSERT_TRUE(router.archives());
  const auto archive = [&router](std::string_view recipient) {
    return router.ArchiveOf(router.Route(recipient).index);
  };
  EXPECT_EQ(archive("u@own.example"), "own@here.example");
  EXPECT_EQ(archive("u@none.example"), "");
  EXPECT_EQ(archive("u@elsewhere.example"), "all@here.example");
  EXPECT_EQ(archive("alice@here.example"), "");
  EXPECT_EQ(router.ArchiveOfNotice(router.Route("u@own.example").index), "");
  config.archive.notices = true;
  EXPECT_EQ(Router(config).ArchiveOfNotice(router.Route("u@own.example").index),
            "own@here.example");

  const RouteChoice copy = router.RouteArchive("all@here.example");
  EXPECT_EQ(copy.destination, "maildir:/mail/{user}");
  EXPECT_EQ(copy.route, core::kArchiveRoute);
  EXPECT_EQ(copy.recipient, "all@here.example");
  EXPECT_EQ(copy.periods.notify_after_s, Periods::kNotifyNever);
  EXPECT_TRUE(router.StillRoutes(copy.route, copy.destination, ""));
  EXPECT_FALSE(router.StillRoutes(copy.route, "maildir:/elsewhere/{user}", ""));
  // With no mailboxes of our own there is no better place.
  config.local = {};
  EXPECT_TRUE(Router(config).StillRoutes(copy.route, copy.destination, ""));
  EXPECT_FALSE(Router(config).archives());
}

}  // namespace
}  // namespace outbox::queue
