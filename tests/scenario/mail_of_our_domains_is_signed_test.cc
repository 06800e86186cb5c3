// Mail of the domains that have a key arrives with a signature over what arrived; other mail as it
// was.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/random.h"
#include "tests/dkim/check_signatures.h"
#include "tests/dkim/rfc_keys.h"
#include "tests/scenario/scenario_test.h"

namespace outbox::queue {
namespace {

using core::kNsPerMinute;
using simulation::ScriptedServer;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

core::DkimConfig SigningKey(const std::string& domain, const std::string& selector,
                            std::shared_ptr<const dkim::SignerKey> key) {
  core::DkimConfig entry;
  entry.domains = {domain};
  entry.selector = selector;
  entry.headers = {"from", "to", "subject", "date", "message-id"};
  entry.oversign = {"from", "subject"};
  entry.key = std::move(key);
  return entry;
}

const dkim::TestKeys& SigningKeys() {
  static const auto* const keys =
      new dkim::TestKeys{{"ed", dkim::RfcEd25519Key()}, {"rsa", dkim::RfcRsaKey()}};
  return *keys;
}

// Both for shop.example, a quick one for quick.example, and one for what this host writes.
void SignMail(core::Config* config) {
  config->dkim = {SigningKey("shop.example", "rsa", dkim::RfcRsaKey()),
                  SigningKey("shop.example", "ed", dkim::RfcEd25519Key()),
                  SigningKey("quick.example", "ed", dkim::RfcEd25519Key()),
                  SigningKey("relay.example", "rsa", dkim::RfcRsaKey())};
  config->dkim[1].relaxed_header = config->dkim[1].relaxed_body = false;
}

std::string MailFrom(const std::string& from, const std::string& body = "hello\r\n") {
  return "From: " + from + "\r\nTo: <bob@b.example>\r\nSubject: x\r\n\r\n" + body;
}

std::vector<std::string> SignaturesOf(const simulation::TakenMessage& mail) {
  return dkim::CheckSignatures(mail.content, SigningKeys());
}

TEST_P(ScenarioTest, MailOfOurDomainsIsSigned) {
  SignMail(&story_.config());
  ScriptedServer* server = story_.AddServer("b.example");
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}, MailFrom("Shop <a@shop.example>"))
                  .acknowledged);
  EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}, MailFrom("a@quick.example")).acknowledged);
  EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}, MailFrom("a@other.example")).acknowledged);
  // The author has no key, the envelope's sender does.
  EXPECT_TRUE(story_.Send("bounces@quick.example", {"bob@b.example"}, MailFrom("a@other.example"))
                  .acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  ASSERT_THAT(server->taken(), SizeIs(4));
  std::vector<std::vector<std::string>> signatures;
  for (const auto& mail : server->taken()) {
    const bool is_signed = !SignaturesOf(mail).empty();
    EXPECT_THAT(mail.content, StartsWith(is_signed ? "DKIM-Signature: v=1; " : "Received: from "));
    EXPECT_THAT(mail.content, HasSubstr("\r\n\r\nhello\r\n"));
    signatures.push_back(SignaturesOf(mail));
  }
  EXPECT_THAT(signatures,
              ::testing::UnorderedElementsAre(
                  ElementsAre("rsa d=shop.example", "ed d=shop.example"),
                  ElementsAre("ed d=quick.example"), ElementsAre("ed d=quick.example"), IsEmpty()));
  EXPECT_EQ(story_.Metric(&core::ShardMetrics::signed_total), 3);
  EXPECT_EQ(story_.Metric(&core::ShardMetrics::not_signed_total), 0);
  story_.Finish();
}

// In memory, in a block, and through extents in many pieces; with dots and blanks in it.
TEST_P(ScenarioTest, BodiesOfEverySizeAreSigned) {
  SignMail(&story_.config());
  ScriptedServer* server = story_.AddServer("b.example");
  story_.Start();
  core::Random random(5);
  const std::vector<size_t> sizes = {0, 100, 5'000, 50'000, 128'000, 140'000, 1'500'000};
  for (const size_t size : sizes) {
    std::string body;
    while (body.size() < size) {
      std::string line(random.Below(90), ' ');
      for (char& c : line) {
        c = random.Below(5) == 0 ? ' ' : static_cast<char>('.' + random.Below(9));
      }
      if (line.starts_with('.')) line.insert(0, ".");
      body += line + "\r\n";
      if (random.Below(9) == 0) body += "\r\n";
    }
    EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}, MailFrom("a@shop.example", body))
                    .acknowledged);
  }
  ASSERT_TRUE(story_.RunUntilEmpty(10 * kNsPerMinute));
  ASSERT_THAT(server->taken(), SizeIs(sizes.size()));
  for (const auto& mail : server->taken()) {
    EXPECT_THAT(SignaturesOf(mail), ElementsAre("rsa d=shop.example", "ed d=shop.example"));
  }
  story_.Finish();
}

TEST_P(ScenarioTest, WhatCannotBeSignedGoesWithoutAndTheLogSaysSo) {
  SignMail(&story_.config());
  ScriptedServer* server = story_.AddServer("b.example");
  story_.Start();
  const std::string from = "a@quick.example";
  std::string long_header = "From: " + from + "\r\n";
  while (long_header.size() < 66'000) long_header += "X-Field: " + std::string(60, 'x') + "\r\n";
  std::string big;
  while (big.size() < 200'000) big += std::string(70, 'x') + "\r\n";
  for (const std::string& content :
       {"From: " + from + "\r\n" + MailFrom(from), std::string("Subject: x\r\n\r\nhello\r\n"),
        long_header + "\r\nhello\r\n", long_header + "\r\n" + big}) {
    EXPECT_TRUE(story_.Send(from, {"bob@b.example"}, content).acknowledged);
  }
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  ASSERT_THAT(server->taken(), SizeIs(4));
  for (const auto& mail : server->taken()) EXPECT_THAT(SignaturesOf(mail), IsEmpty());
  EXPECT_EQ(story_.Metric(&core::ShardMetrics::not_signed_total), 4);
  EXPECT_EQ(story_.Metric(&core::ShardMetrics::signed_total), 0);
  EXPECT_THAT(story_.events(), HasSubstr("\"not_signed\""));
  EXPECT_THAT(story_.events(), HasSubstr("it has more than one From field"));
  EXPECT_THAT(story_.events(), HasSubstr("it has no From field"));
  EXPECT_THAT(story_.events(), HasSubstr("its header section is longer than 64 KiB"));
  story_.Finish();
}

// Many at once: they stand in line for the helper thread, and each gets its own.
TEST_P(ScenarioTest, ManyMessagesAreSignedAtOnce) {
  SignMail(&story_.config());
  ScriptedServer* server = story_.AddServer("b.example");
  story_.Start();
  constexpr size_t kMessages = 60;
  for (size_t i = 0; i < kMessages; ++i) {
    story_.SendLater(kSender, {"bob@b.example"},
                     MailFrom("a@shop.example", "number " + std::to_string(i) + "\r\n"));
  }
  ASSERT_TRUE(story_.RunUntil([&] { return story_.acknowledged_later() == kMessages; },
                              10 * kNsPerMinute));
  ASSERT_TRUE(story_.RunUntilEmpty(10 * kNsPerMinute));
  ASSERT_THAT(server->taken(), SizeIs(kMessages));
  for (const auto& mail : server->taken()) {
    EXPECT_THAT(SignaturesOf(mail), ElementsAre("rsa d=shop.example", "ed d=shop.example"));
  }
  EXPECT_EQ(story_.Metric(&core::ShardMetrics::signed_total), int64_t{kMessages});
  story_.Finish();
}

TEST_P(ScenarioTest, NoticesOfOursAreSigned) {
  SignMail(&story_.config());
  story_.AddServer("b.example", {{.at = "RCPT TO:<bob@", .reply = "550 5.1.1 no such user"}});
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  ASSERT_THAT(sender_->taken(), SizeIs(1));
  EXPECT_THAT(SignaturesOf(sender_->taken()[0]), ElementsAre("rsa d=relay.example"));
  EXPECT_EQ(Told("Action: failed"), 1u);
  story_.Finish();
}

TEST_P(ScenarioTest, AReloadChangesWhatIsSigned) {
  ScriptedServer* server = story_.AddServer("b.example");
  story_.Start();
  const std::string mail = MailFrom("a@quick.example");
  EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}, mail).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  SignMail(&story_.config());
  story_.Reload();
  EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}, mail).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  story_.config().dkim.clear();
  story_.Reload();
  EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}, mail).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  ASSERT_THAT(server->taken(), SizeIs(3));
  EXPECT_THAT(SignaturesOf(server->taken()[0]), IsEmpty());
  EXPECT_THAT(SignaturesOf(server->taken()[1]), ElementsAre("ed d=quick.example"));
  EXPECT_THAT(SignaturesOf(server->taken()[2]), IsEmpty());
  story_.Finish();
}

// What the disk has is signed: after a restart the same octets go out.
TEST_P(ScenarioTest, SignedMailOutlivesARestart) {
  SignMail(&story_.config());
  story_.AddDeadRoute("b.example");
  story_.Start();
  EXPECT_TRUE(story_.Send(kSender, {"bob@b.example"}, MailFrom("a@shop.example")).acknowledged);
  ASSERT_TRUE(story_.Stop());
  story_.config().dkim.clear();
  ScriptedServer* server = story_.Revive("b.example");
  story_.Start();
  ASSERT_TRUE(story_.RunUntilEmpty(60 * kNsPerMinute));
  ASSERT_THAT(server->taken(), SizeIs(1));
  EXPECT_THAT(SignaturesOf(server->taken()[0]),
              ElementsAre("rsa d=shop.example", "ed d=shop.example"));
  story_.Finish();
}

// A stranger may write to a mailbox of ours, whatever it says in From; we do not vouch for that.
TEST_P(ScenarioTest, MailOfStrangersIsNotSigned) {
  SignMail(&story_.config());
  core::LocalConfig& local = story_.config().local;
  local.domains = {"here.example"};
  local.maildir = "/mail/{domain}/{user}";
  local.mailboxes = {"alice"};
  io::SimDisk& disk = story_.world().disk(0);
  disk.MakeDirectory("/mail");
  story_.config().listeners[0].relay_from.clear();
  story_.Start();
  EXPECT_TRUE(
      story_.Send(kSender, {"alice@here.example"}, MailFrom("a@shop.example")).acknowledged);
  ASSERT_TRUE(story_.RunUntilEmpty(kNsPerMinute));
  const std::string place = "/mail/here.example/alice/new";
  ASSERT_THAT(disk.List(place), SizeIs(1));
  EXPECT_THAT(disk.ReadAll(place + "/" + disk.List(place)[0]), Not(HasSubstr("DKIM-Signature")));
  EXPECT_EQ(story_.Metric(&core::ShardMetrics::signed_total), 0);
  story_.Finish();
}

}  // namespace
}  // namespace outbox::queue
