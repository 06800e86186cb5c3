// Local mail into Maildirs: as a reader of Maildirs expects it, once, whatever happens.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "io/sim_disk.h"
#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerMinute;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::SizeIs;
using ::testing::StartsWith;

core::LocalConfig Maildirs() {
  core::LocalConfig local;
  local.domains = {"here.example"};
  local.maildir = "/mail/{domain}/{user}";
  local.mailboxes = {"alice", "bob", "carol"};
  return local;
}

const std::string kAlice = "/mail/here.example/alice";

TEST_P(ScenarioTest, AMessageIsSavedInItsMaildir) {
  story_.config().local = Maildirs();
  io::SimDisk& disk = story_.world().disk(0);
  disk.MakeDirectory("/mail");
  story_.Start();
  EXPECT_TRUE(
      story_.Send(kSender, {"alice@here.example"}, "Subject: x\r\n\r\n..dots\r\nend\r\n")
          .acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  const std::vector<std::string> names = disk.List(kAlice + "/new");
  ASSERT_THAT(names, SizeIs(1));
  EXPECT_THAT(names[0], MatchesRegex("[0-9]+\\.O[0-9A-Z]{13}R[0-9a-f]{16}\\.relay\\.example"));
  const std::string text = disk.ReadAll(kAlice + "/new/" + names[0]);
  EXPECT_THAT(text, StartsWith("Return-Path: <alice@sender.example>\n"
                               "Delivered-To: alice@here.example\n"
                               "Received: from client.example"));
  EXPECT_TRUE(text.ends_with("\nSubject: x\n\n.dots\nend\n")) << text;
  EXPECT_EQ(text.find('\r'), std::string::npos);
  EXPECT_THAT(disk.List(kAlice + "/tmp"), IsEmpty());
  EXPECT_TRUE(disk.Exists(kAlice + "/cur"));
  EXPECT_EQ(story_.Counters().delivered, 1u);
  story_.Finish();
}

TEST_P(ScenarioTest, ManyRecipientsAndABigMessage) {
  story_.config().local = Maildirs();
  io::SimDisk& disk = story_.world().disk(0);
  disk.MakeDirectory("/mail");
  story_.Start();
  std::string content = "Subject: big\r\n\r\n";
  std::string expected = "\nSubject: big\n\n";
  for (int i = 0; i < 12'000; ++i) {
    content += "..line " + std::to_string(i) + " of a message in extents of its own\r\n";
    expected += ".line " + std::to_string(i) + " of a message in extents of its own\n";
  }
  EXPECT_TRUE(
      story_
          .Send(kSender, {"alice@here.example", "bob@here.example", "carol@here.example"}, content)
          .acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  for (const char* user : {"alice", "bob", "carol"}) {
    const std::string place = "/mail/here.example/" + std::string(user) + "/new";
    ASSERT_THAT(disk.List(place), SizeIs(1));
    const std::string text = disk.ReadAll(place + "/" + disk.List(place)[0]);
    EXPECT_TRUE(text.ends_with(expected)) << user;
    EXPECT_THAT(text, HasSubstr("\nDelivered-To: " + std::string(user) + "@here.example\n"));
  }
  EXPECT_EQ(story_.Counters().delivered, 3u);
  story_.Finish();
}

TEST_P(ScenarioTest, AMaildirThatCannotBeWrittenPutsTheMailOff) {
  story_.config().local = Maildirs();
  io::SimDisk& disk = story_.world().disk(0);
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"alice@here.example"}).acknowledged);
  story_.RunFor(30 * core::kNsPerSecond);
  ASSERT_THAT(story_.List(), SizeIs(1));
  EXPECT_EQ(story_.List()[0].state, RecipientState::kDeferred);
  EXPECT_THAT(story_.List()[0].last_reply,
              HasSubstr("/mail/here.example: No such file or directory"));
  disk.MakeDirectory("/mail");
  ASSERT_TRUE(story_.RunUntilEmpty(10 * kNsPerMinute));
  EXPECT_THAT(disk.List(kAlice + "/new"), SizeIs(1));
  EXPECT_THAT(sender_->taken(), IsEmpty());
  story_.Finish();
}

// Somebody has made a Maildir by hand, and not all of it.
TEST_P(ScenarioTest, AMaildirThatIsHalfThereIsCompleted) {
  story_.config().local = Maildirs();
  io::SimDisk& disk = story_.world().disk(0);
  for (const char* path : {"/mail", "/mail/here.example", "/mail/here.example/alice",
                           "/mail/here.example/alice/tmp"}) {
    disk.MakeDirectory(path);
  }
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"alice@here.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  EXPECT_THAT(disk.List(kAlice + "/new"), SizeIs(1));
  story_.Finish();
}

TEST_P(ScenarioTest, TheDiskOfTheMaildirsIsFull) {
  story_.config().local = Maildirs();
  io::SimDisk& disk = story_.world().disk(0);
  disk.MakeDirectory("/mail");
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"alice@here.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  story_.RunFor(kNsPerMinute);
  // What is in the spool already has its place there; a Maildir has none.
  const std::string content = "Subject: x\r\n\r\n" + std::string(60'000, 'x') + "\r\n";
  disk.SetCapacity(disk.used_bytes() + 8 * io::kBlockBytes);
  EXPECT_TRUE(story_.Send(kSender, {"alice@here.example"}, content).acknowledged);
  story_.RunFor(10 * core::kNsPerSecond);
  ASSERT_THAT(story_.List(), SizeIs(1));
  EXPECT_THAT(story_.List()[0].last_reply, StartsWith("452 4.3.1 "));
  EXPECT_THAT(story_.List()[0].last_reply, HasSubstr("No space left on device"));
  EXPECT_THAT(disk.List(kAlice + "/tmp"), IsEmpty());
  disk.SetCapacity(uint64_t{1} << 40);
  ASSERT_TRUE(story_.RunUntilEmpty(10 * kNsPerMinute));
  EXPECT_THAT(disk.List(kAlice + "/new"), SizeIs(2));
  story_.Finish();
}

// Who moves new mail to cur/ and marks it as seen, as every mail reader does.
void Read(ShardStory* story, const std::string& maildir) {
  io::SimIo reader(&story->world(), 0);
  for (const std::string& name : story->world().disk(0).List(maildir + "/new")) {
    io::Op op;
    int32_t result = 1;
    struct Done {
      int32_t* into;
      void OnDone(const io::OpResult& outcome) { *into = outcome.result; }
    } done{&result};
    op.Bind<&Done::OnDone>(&done);
    reader.Rename(&op, maildir + "/new/" + name, maildir + "/cur/" + name + ":2,S");
    while (op.in_flight) reader.Turn(reader.now_ns() + core::kNsPerSecond);
    EXPECT_EQ(result, 0);
  }
}

// The power fails at every change of the disk in turn, from the message's arrival to its end.
TEST(MaildirCrashTest, ThereIsOneCopyWhereverThePowerFails) {
  uint64_t first = 0;
  uint64_t last = 1;
  size_t acknowledged = 0;
  for (uint64_t at = 0; at <= last; ++at) {
    ShardStory story(1);
    story.config().local = Maildirs();
    io::SimDisk& disk = story.world().disk(0);
    disk.MakeDirectory("/mail");
    story.Start();
    story.RunFor(core::kNsPerSecond);
    if (at == 0) first = disk.changes() + 1;
    if (at > 0) {
      disk.CrashAt(first + at - 1, at % 2 == 0 ? io::SimCrashMode::kBefore
                                               : io::SimCrashMode::kAfter);
    }
    story.SendLater(kSender, {"alice@here.example"});
    story.RunUntil([&] { return story.world().crash_pending(); }, 5 * core::kNsPerSecond);
    if (at == 0) {
      last = disk.changes() - first + 1;
      ASSERT_THAT(disk.List(kAlice + "/new"), SizeIs(1));
      story.Finish();
      continue;
    }
    ASSERT_TRUE(story.world().crash_pending()) << at;
    const bool promised = story.acknowledged_later() == 1;
    acknowledged += promised;
    story.Crash();
    if (at % 3 == 0 && disk.Exists(kAlice + "/cur")) Read(&story, kAlice);
    story.Start();
    ASSERT_TRUE(story.RunUntilEmpty(10 * kNsPerMinute)) << at << story.events();
    const size_t copies = disk.List(kAlice + "/new").size() + disk.List(kAlice + "/cur").size();
    EXPECT_LE(copies, 1u) << at;
    EXPECT_GE(copies, promised ? 1u : 0u) << at;
    EXPECT_THAT(disk.List(kAlice + "/tmp"), SizeIs(testing::Le(copies == 0 ? 1u : 0u))) << at;
    story.Finish();
  }
  EXPECT_GT(acknowledged, 10u);  // most of it happens behind the 250
}

// Killed behind the move to new/ and before that was durable; the next run finds the message there
// and calls it delivered. Then the power fails.
TEST(MaildirCrashTest, WhatIsFoundIsMadeDurable) {
  for (int i = 0; i < 24; ++i) {
    ShardStory story(1);
    story.config().local = Maildirs();
    io::SimDisk& disk = story.world().disk(0);
    for (const char* path : {"/mail", "/mail/here.example", "/mail/here.example/alice",
                             "/mail/here.example/alice/cur", "/mail/here.example/alice/new",
                             "/mail/here.example/alice/tmp"}) {
      disk.MakeDirectory(path);
    }
    story.Start();
    story.RunFor(core::kNsPerSecond + i * core::kNsPerMs);
    story.SendLater(kSender, {"alice@here.example"});
    ASSERT_TRUE(story.RunUntil([&] { return disk.List(kAlice + "/new").size() == 1; },
                               5 * core::kNsPerSecond));
    story.Kill();
    if (i % 3 == 0) Read(&story, kAlice);
    story.Start();
    ASSERT_TRUE(story.RunUntilEmpty(10 * kNsPerMinute)) << story.events();
    story.RunFor(core::kNsPerSecond);  // the end of the message is committed
    story.Crash();
    story.Start();
    ASSERT_TRUE(story.RunUntilEmpty(10 * kNsPerMinute)) << story.events();
    EXPECT_EQ(disk.List(kAlice + "/new").size() + disk.List(kAlice + "/cur").size(), 1u) << i;
    story.Finish();
  }
}

}  // namespace
}  // namespace outbox::queue
