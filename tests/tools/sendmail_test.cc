// What programs type behind /usr/sbin/sendmail and write to it, and the mail that is made of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/random.h"
#include "core/time.h"
#include "tools/sendmail/address_list.h"
#include "tools/sendmail/composition.h"
#include "tools/sendmail/header_section.h"
#include "tools/sendmail/maildrop.h"
#include "tools/sendmail/message_reader.h"
#include "tools/sendmail/options.h"

namespace outbox::tools {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

core::Result<SendmailOptions> Typed(std::vector<std::string> words) {
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  return ReadSendmailOptions(static_cast<int>(words.size()), argv.data());
}

std::vector<std::string> Addresses(std::string_view text) {
  std::vector<std::string> out;
  const core::Status status = ReadAddressList(text, "here.example", &out);
  if (!status.ok()) return {status.message()};
  return out;
}

TEST(SendmailOptions, WhatTheTradeTypes) {
  // PHP, cron, mutt, Perl's Mail::Send, git send-email.
  EXPECT_TRUE(Typed({"/usr/sbin/sendmail", "-t", "-i"})->recipients_in_header);
  EXPECT_FALSE(Typed({"sendmail", "-ti"})->dot_ends);
  const SendmailOptions cron =
      *Typed({"/usr/sbin/sendmail", "-FCronDaemon", "-odi", "-oem", "-oi", "-t"});
  EXPECT_EQ(cron.full_name, "CronDaemon");
  EXPECT_FALSE(cron.dot_ends);
  const SendmailOptions mutt = *Typed({"sendmail", "-oem", "-oi", "-f", "a@b.example", "--", "-x"});
  EXPECT_EQ(mutt.sender, "a@b.example");
  EXPECT_THAT(mutt.recipients, ElementsAre("-x"));
  EXPECT_EQ(Typed({"sendmail", "-fa@b.example", "c"})->sender, "a@b.example");
  EXPECT_EQ(Typed({"sendmail", "-r", "", "c"})->sender, "");
  EXPECT_TRUE(Typed({"sendmail", "-r", "", "c"})->has_sender);
  EXPECT_EQ(Typed({"sendmail", "-bs"})->mode, SendmailMode::kSession);
  EXPECT_EQ(Typed({"sendmail", "-bm", "-v", "-G", "-B8BITMIME", "-O", "DeliveryMode=b", "c"})->mode,
            SendmailMode::kDeliver);
  EXPECT_EQ(Typed({"mailq"})->mode, SendmailMode::kQueue);
  EXPECT_EQ(Typed({"sendmail", "-bp"})->mode, SendmailMode::kQueue);
  EXPECT_EQ(Typed({"/usr/bin/newaliases"})->mode, SendmailMode::kNothing);
  EXPECT_EQ(Typed({"sendmail", "-q30m"})->mode, SendmailMode::kNothing);
  const SendmailOptions dsn =
      *Typed({"sendmail", "-N", "failure,delay", "-R", "hdrs", "-V", "a=1+1", "c"});
  EXPECT_EQ(dsn.notify, "FAILURE,DELAY");
  EXPECT_EQ(dsn.ret, "HDRS");
  EXPECT_EQ(dsn.envelope_id, "a+3D1+2B1");
}

TEST(SendmailOptions, WhatIsWrongIsSaid) {
  EXPECT_EQ(Typed({"sendmail", "-z"}).status().message(),
            "-z: unknown option, or one without its value");
  EXPECT_THAT(Typed({"sendmail", "-f"}).status().message(), HasSubstr("-f: "));
  EXPECT_THAT(Typed({"sendmail", "-bd"}).status().message(), HasSubstr("The daemon is outboxd"));
  EXPECT_FALSE(Typed({"sendmail", "-N", "never,delay", "c"}).ok());
  EXPECT_TRUE(Typed({"sendmail", "-N", "never", "c"}).ok());
  EXPECT_FALSE(Typed({"sendmail", "-V", "a b", "c"}).ok());
}

TEST(AddressList, AsPeopleWriteThem) {
  EXPECT_THAT(Addresses("a@b.example"), ElementsAre("a@b.example"));
  EXPECT_THAT(Addresses(" Anna Bo <anna@example.net>,\r\n\t\"Bo, C.\" <bo@example.net> ,root"),
              ElementsAre("anna@example.net", "bo@example.net", "root@here.example"));
  EXPECT_THAT(Addresses("sales: bob, (the (real) boss) eve@example.org;, undisclosed:;"),
              ElementsAre("bob@here.example", "eve@example.org"));
  EXPECT_THAT(Addresses("\"john doe\"@example.net"), ElementsAre("\"john doe\"@example.net"));
  EXPECT_THAT(Addresses("\"a@b\""), ElementsAre("\"a@b\"@here.example"));
  EXPECT_THAT(Addresses("<@relay.example:a@b.example>"), ElementsAre("a@b.example"));
  EXPECT_THAT(Addresses("a@[IPv6:2001:db8::1], b . c @ d.example"),
              ElementsAre("a@[IPv6:2001:db8::1]", "b.c@d.example"));
  EXPECT_THAT(Addresses("=?UTF-8?Q?J=C3=BCrgen?= <j@example.net>"), ElementsAre("j@example.net"));
  EXPECT_THAT(Addresses(" , "), IsEmpty());
}

TEST(AddressList, WhatIsNoneStopsTheMessage) {
  EXPECT_THAT(Addresses("anna bo"),
              ElementsAre("\"anna bo\" has several words where one address was expected"));
  EXPECT_THAT(Addresses("<a@b.example")[0], HasSubstr("no closing \">\""));
  EXPECT_THAT(Addresses("\"a")[0], HasSubstr("no closing quotation mark"));
  EXPECT_THAT(Addresses("a@b@c")[0], HasSubstr("is not an address"));
  EXPECT_THAT(Addresses("a@b.example\r\nRCPT")[0], HasSubstr("several words"));
}

TEST(AddressList, AnythingIsReadOrRefusedAndNothingReadIsNoAddress) {
  core::Random random(20261128);
  const std::string_view alphabet = "ab@.,;:<>()\"\\ \t\r\n[]!\x01\x80";
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (uint64_t left = random.Below(24); left > 0; --left) {
      text.push_back(alphabet[random.Below(alphabet.size())]);
    }
    std::vector<std::string> out;
    if (!ReadAddressList(text, "here.example", &out).ok()) continue;
    for (const std::string& address : out) {
      EXPECT_EQ(address.find_first_of("\r\n\x01\x80"), std::string::npos) << text;
      EXPECT_NE(address.find('@'), std::string::npos) << text;
    }
  }
}

std::string Read(std::string_view text, bool dot_ends, size_t piece = 1000) {
  MessageReader reader(dot_ends);
  while (!text.empty() && reader.Take(text.substr(0, piece))) {
    text.remove_prefix(std::min(piece, text.size()));
  }
  return *reader.Finish();
}

TEST(MessageReader, EveryEndOfALineBecomesOne) {
  const std::string_view text = "a\nb\r\nc\rd\r\r\n\n.\nrest\n";
  for (size_t piece = 1; piece < 6; ++piece) {
    EXPECT_EQ(Read(text, true, piece), "a\r\nb\r\nc\r\nd\r\n\r\n\r\n") << piece;
    EXPECT_EQ(Read(text, false, piece), "a\r\nb\r\nc\r\nd\r\n\r\n\r\n.\r\nrest\r\n") << piece;
  }
  EXPECT_EQ(Read("..\n. \n", true), "..\r\n. \r\n");
  EXPECT_EQ(Read("no end", true), "no end\r\n");
  EXPECT_EQ(Read("", true), "");
}

class ComposeTest : public ::testing::Test {
 protected:
  ComposeTest() {
    caller_.user = "www-data";
    caller_.full_name = "Web Server";
    caller_.origin = "here.example";
    caller_.now_wall_ns = 1'700'000'000 * core::kNsPerSecond;
    caller_.random = 0x1234;
  }
  core::Result<Mail> Make(const std::vector<std::string>& words, std::string_view text) {
    std::vector<std::string> typed = {"sendmail"};
    typed.insert(typed.end(), words.begin(), words.end());
    const core::Result<SendmailOptions> options = Typed(typed);
    EXPECT_TRUE(options.ok()) << options.status().ToString();
    return Compose(*options, caller_, Read(text, options->dot_ends));
  }
  Caller caller_;
};

TEST_F(ComposeTest, WhatIsMissingIsAdded) {
  const core::Result<Mail> mail = Make({"bob@example.net"}, "Subject: hi\n\ntext\n");
  ASSERT_TRUE(mail.ok()) << mail.status().ToString();
  EXPECT_EQ(mail->sender, "www-data@here.example");
  EXPECT_THAT(mail->recipients, ElementsAre("bob@example.net"));
  EXPECT_EQ(mail->content,
            "Subject: hi\r\n"
            "Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n"
            "From: Web Server <www-data@here.example>\r\n"
            "Message-ID: <1700000000.0000000000001234@here.example>\r\n"
            "To: undisclosed-recipients:;\r\n"
            "\r\n"
            "text\r\n");
}

TEST_F(ComposeTest, WhatIsThereStays) {
  const std::string header =
      "From: a@b.example\nDate: today\nMessage-ID: <1@b.example>\nCC: c@d.example\n"
      "X-Folded: a\n b\n";
  const core::Result<Mail> mail = Make({"-f", "<>", "e"}, header + "\n.\nlost\n");
  ASSERT_TRUE(mail.ok());
  EXPECT_EQ(mail->sender, "");
  EXPECT_THAT(mail->recipients, ElementsAre("e@here.example"));
  EXPECT_EQ(mail->content, Read(header + "\n", false));
}

TEST_F(ComposeTest, RecipientsFromTheHeader) {
  const core::Result<Mail> mail =
      Make({"-t", "-i", "-f", "boss", "-F", "The \"Boss\"", "extra@example.net"},
           "To: Anna <anna@example.net>,\n bob\nCc: ANNA@example.net\n"
           "Bcc: secret@example.net,\n\tother@example.net\nSubject: x\n\n.\nbcc: text\n");
  ASSERT_TRUE(mail.ok()) << mail.status().ToString();
  EXPECT_THAT(mail->recipients,
              ElementsAre("extra@example.net", "anna@example.net", "bob@here.example",
                          "secret@example.net", "other@example.net"));
  EXPECT_THAT(mail->content, Not(HasSubstr("secret")));
  EXPECT_THAT(mail->content, Not(HasSubstr("other@")));
  EXPECT_THAT(mail->content, HasSubstr("From: \"The \\\"Boss\\\"\" <boss@here.example>\r\n"));
  EXPECT_THAT(mail->content, EndsWith("\r\n\r\n.\r\nbcc: text\r\n"));
}

TEST_F(ComposeTest, WhoSendsOnNamesItsOwnRecipients) {
  const core::Result<Mail> mail = Make(
      {"-t"},
      "Resent-To: new@example.net\nResent-Bcc: hidden@example.net\nTo: old@example.net\n\n");
  ASSERT_TRUE(mail.ok());
  EXPECT_THAT(mail->recipients, ElementsAre("new@example.net", "hidden@example.net"));
  EXPECT_THAT(mail->content, Not(HasSubstr("hidden")));
}

TEST_F(ComposeTest, TextWithoutAHeaderIsABody) {
  const core::Result<Mail> mail = Make({"bob"}, "Just some words, and one: that looks odd\n");
  ASSERT_TRUE(mail.ok());
  EXPECT_THAT(mail->content, EndsWith("\r\n\r\nJust some words, and one: that looks odd\r\n"));
  const core::Result<Mail> mbox =
      Make({"bob"}, "From root Thu Jan 1 00:00:00 1970\nSubject: s\n\n");
  EXPECT_THAT(mbox->content, Not(HasSubstr("From root")));
  EXPECT_THAT(mbox->content, ::testing::StartsWith("Subject: s\r\n"));
}

TEST_F(ComposeTest, AFullNameInAnyLanguage) {
  EXPECT_EQ(FromValue("J\xc3\xbcrgen", "j@b.example"), "=?UTF-8?Q?J=C3=BCrgen?= <j@b.example>");
  EXPECT_EQ(FromValue("", "j@b.example"), "j@b.example");
  EXPECT_EQ(FromValue("a\r\nBcc: x", "j@b.example"), "\"aBcc: x\" <j@b.example>");
  EXPECT_EQ(FullNameOf("& Doe,Room 5,,", "john"), "John Doe");
}

TEST_F(ComposeTest, NobodyToSendItTo) {
  EXPECT_THAT(Make({}, "x\n").status().message(), HasSubstr("no recipient; expected addresses"));
  EXPECT_THAT(Make({"-t"}, "Subject: x\n\n").status().message(), HasSubstr("To, Cc or Bcc"));
  EXPECT_THAT(Make({"-t"}, "To: <a\n\n").status().message(), HasSubstr("in the header"));
  EXPECT_THAT(Make({"-f", "a b", "c"}, "").status().message(), HasSubstr("-f: "));
  std::vector<std::string> many;
  for (size_t i = 0; i <= kHandedInRecipientsMax; ++i) many.push_back("u" + std::to_string(i));
  EXPECT_THAT(Make(many, "").status().message(), HasSubstr("at most 1000"));
}

TEST(Maildrop, AFileSaysWhatTheMailIs) {
  Mail mail;
  mail.recipients = {"a@b.example", "c@d.example"};
  mail.notify = "NEVER";
  mail.content = "Subject: x\r\n\r\ncontent 5\r\n";
  const std::string bytes = EncodeMaildrop(mail);
  const core::Result<Mail> read = DecodeMaildrop(bytes);
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  EXPECT_EQ(read->sender, "");
  EXPECT_EQ(read->recipients, mail.recipients);
  EXPECT_EQ(read->notify, "NEVER");
  EXPECT_EQ(read->content, mail.content);
  // No part of it passes for the whole.
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(DecodeMaildrop(bytes.substr(0, size)).ok()) << size;
  }
  EXPECT_FALSE(DecodeMaildrop(bytes + "x").ok());
}

TEST(Maildrop, WhatIsWrongIsNamed) {
  const auto wrong = [](const std::string& bytes) {
    return DecodeMaildrop(bytes).status().message();
  };
  EXPECT_EQ(wrong("\x7f" "ELF"), "line 1: expected a whole line of the envelope");
  EXPECT_EQ(wrong("mail\n"), "line 1: expected \"outbox-maildrop 1\"");
  EXPECT_EQ(wrong("outbox-maildrop 1\nsender a\n"),
            "line 2: expected an address behind \"sender\"");
  EXPECT_EQ(wrong("outbox-maildrop 1\nrecipient a@b> NOTIFY=x\n"),
            "line 2: expected an address behind \"recipient\"");
  EXPECT_EQ(wrong("outbox-maildrop 1\nnotify A B\n"),
            "line 2: expected sender, recipient, notify, ret, envelope-id or content");
  EXPECT_EQ(wrong("outbox-maildrop 1\ncontent 0\n"),
            "line 2: expected a recipient before the content");
  EXPECT_EQ(wrong("outbox-maildrop 1\nrecipient a@b.example\ncontent 9\nabc"),
            "line 3: expected the number of bytes that follow, 3");
}

}  // namespace
}  // namespace outbox::tools
