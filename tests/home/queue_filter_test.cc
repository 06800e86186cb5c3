// Which mail an operator means.
#include "queue/queue_filter.h"

#include <gtest/gtest.h>

#include <string>

namespace outbox::queue {
namespace {

TEST(MatchesPattern, TheWholeWithoutRegardToCase) {
  EXPECT_TRUE(MatchesPattern("example.net", "Example.NET"));
  EXPECT_FALSE(MatchesPattern("example.net", "example.net."));
  EXPECT_FALSE(MatchesPattern("example", "example.net"));
  EXPECT_TRUE(MatchesPattern("", ""));
  EXPECT_FALSE(MatchesPattern("", "x"));
}

TEST(MatchesPattern, AStarIsAnyRun) {
  EXPECT_TRUE(MatchesPattern("*", ""));
  EXPECT_TRUE(MatchesPattern("*", "anything"));
  EXPECT_TRUE(MatchesPattern("*.net", "a.b.net"));
  EXPECT_FALSE(MatchesPattern("*.net", "net"));
  EXPECT_TRUE(MatchesPattern("a*b*c", "aXbbYc"));
  EXPECT_FALSE(MatchesPattern("a*b*c", "aXcYb"));
  EXPECT_TRUE(MatchesPattern("**x**", "x"));
  const std::string many(200, 'a');
  EXPECT_FALSE(MatchesPattern("*a*a*a*a*a*a*a*a*b", many));
}

TEST(QueueFilter, SendersAndRecipients) {
  QueueFilter filter;
  EXPECT_TRUE(filter.empty());
  EXPECT_TRUE(filter.MatchesSender("") && filter.MatchesRecipient("a@b.example"));
  filter.sender = "<>";
  EXPECT_TRUE(filter.MatchesSender(""));
  EXPECT_FALSE(filter.MatchesSender("a@b.example"));
  filter.domain = "*.example";
  EXPECT_TRUE(filter.MatchesRecipient("\"a@c.test\"@b.example"));
  EXPECT_FALSE(filter.MatchesRecipient("postmaster"));
  filter.recipient = "bob@*";
  EXPECT_FALSE(filter.MatchesRecipient("a@b.example"));
  EXPECT_TRUE(filter.MatchesRecipient("Bob@b.example"));
  EXPECT_FALSE(filter.empty());
}

}  // namespace
}  // namespace outbox::queue
