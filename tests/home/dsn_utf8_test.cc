// Addresses beyond ASCII in notifications (RFC 6533), which stay ASCII themselves.
#include "queue/dsn_utf8.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "core/utf8.h"
#include "queue/bounce.h"

namespace outbox::queue {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(DsnUtf8Test, AddressesHaveATypeAndAFormOfTheirOwn) {
  EXPECT_EQ(TypedAddress("bob@example.net"), "rfc822; bob@example.net");
  EXPECT_EQ(TypedAddress("a+b=c@example.net"), "rfc822; a+b=c@example.net");
  EXPECT_EQ(TypedAddress("jörg@bücher.example"), "utf-8; j\\x{F6}rg@b\\x{FC}cher.example");
  EXPECT_EQ(TypedAddress("日本@例え.テスト"),
            "utf-8; \\x{65E5}\\x{672C}@\\x{4F8B}\\x{3048}.\\x{30C6}\\x{30B9}\\x{30C8}");
  EXPECT_EQ(TypedAddress("😀+x=y@a.b"), "utf-8; \\x{1F600}\\x{2B}x\\x{3D}y@a.b");
  EXPECT_EQ(TypedAddress("\"ö \\\\\"@a.b"), "utf-8; \"\\x{F6}\\x{20}\\x{5C}\\x{5C}\"@a.b");
  EXPECT_EQ(TypedAddress("\xff@a.b"), "utf-8; \\x{FFFD}@a.b");  // of no address that we have taken
}

TEST(DsnUtf8Test, WhatPeopleRead) {
  EXPECT_EQ(PresentableUtf8("Grüße  aus\r\n Köln\x01", 100), "Grüße aus Köln?");
  EXPECT_EQ(PresentableUtf8("\xff\xc3", 100), "??");
  EXPECT_EQ(PresentableUtf8("a\xc2\x85\xe2\x80\xa8z", 100), "a??z");
  EXPECT_EQ(PresentableUtf8("üüü", 4), "üü...");
  EXPECT_EQ(ToField("a@bücher.example"), "a@xn--bcher-kva.example");
  EXPECT_EQ(ToField("ö@bücher.example"), "ö@bücher.example");
}

TEST(DsnUtf8Test, ATextIsEncodedWhereItHasToBe) {
  EXPECT_EQ(TextPart("What", "a\r\n..b\r\n"),
            "Content-Type: text/plain; charset=us-ascii\r\nContent-Description: What\r\n\r\n"
            "a\r\n..b\r\n");
  EXPECT_EQ(TextPart("What", "ü=\r\n..b\r\n\r\n"),
            "Content-Type: text/plain; charset=utf-8\r\nContent-Description: What\r\n"
            "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
            "=C3=BC=3D\r\n..b\r\n\r\n");
  // The soft break is before the dot.
  const std::string line = "ü" + std::string(69, 'x') + ".y";
  EXPECT_THAT(TextPart("", line + "\r\n"), HasSubstr("x=\r\n..y\r\n"));
}

DsnFacts NoticeFacts(const DsnRecipient& recipient, std::string_view return_path) {
  DsnFacts facts;
  facts.reporting_mta = "relay.example";
  facts.return_path = return_path;
  facts.message_id = "1";
  facts.dsn_id = "2";
  facts.recipients = {&recipient, 1};
  facts.original_body = "Subject: Grüße\r\n\r\nx\r\n.\r\n";
  return facts;
}

TEST(DsnUtf8Test, ANoticeIsAsciiUnlessItsWayIsNot) {
  DsnRecipient recipient;
  recipient.address = "jörg@bücher.example";
  recipient.enhanced = "5.6.7";
  recipient.text = "the address jörg@bücher.example has characters beyond ASCII";
  for (const char* sender : {"a@b.example", "a@größe.example"}) {
    std::string out;
    ComposeDsn(NoticeFacts(recipient, sender), &out);
    EXPECT_TRUE(core::IsAscii(out)) << out;
    EXPECT_THAT(out, HasSubstr("Final-Recipient: utf-8; j\\x{F6}rg@b\\x{FC}cher.example\r\n"));
    EXPECT_THAT(out, HasSubstr("    j=C3=B6rg@b=C3=BCcher.example\r\n"));
    EXPECT_THAT(out, HasSubstr("Status: 5.6.7\r\n"));
  }
  std::string out;
  recipient.orcpt = "rfc822;j+C3+B6rg@b.example";
  ComposeDsn(NoticeFacts(recipient, "a@b.example"), &out);
  EXPECT_THAT(out, HasSubstr("Original-Recipient: utf-8; j\\x{F6}rg@b.example\r\n"));
  EXPECT_TRUE(core::IsAscii(out));
  out.clear();
  ComposeDsn(NoticeFacts(recipient, "björn@größe.example"), &out);
  EXPECT_THAT(out, HasSubstr("\r\nTo: björn@größe.example\r\n"));
  EXPECT_TRUE(core::IsUtf8(out));
  EXPECT_TRUE(core::IsAscii(std::string_view(out).substr(out.find("\r\n\r\n"))));
  recipient.address = "bob@example.net";
  recipient.orcpt = {};
  recipient.text = "no";
  out.clear();
  ComposeDsn(NoticeFacts(recipient, "a@b.example"), &out);
  EXPECT_THAT(out, HasSubstr("charset=us-ascii"));
  EXPECT_THAT(out, Not(HasSubstr("utf-8")));
}

}  // namespace
}  // namespace outbox::queue
