// Messages with octets above 127 for hosts of 7 bits: what becomes of each kind of part.
// tests/e2e/eight_bit_test.py lets Python's email read them.
#include "smtp/seven_bit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "core/limits.h"
#include "smtp/mime_header.h"
#include "smtp/mime_text.h"

namespace outbox::smtp {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// Fed whole and octet by octet: the same.
std::string Converted(const std::string& wire) {
  std::string whole;
  SevenBit converter;
  EXPECT_TRUE(converter.Convert(wire, &whole)) << converter.why();
  EXPECT_TRUE(converter.complete());
  EXPECT_FALSE(HasEightBit(whole)) << whole;
  std::string pieces;
  SevenBit again;
  for (const char c : wire) EXPECT_TRUE(again.Convert({&c, 1}, &pieces));
  EXPECT_EQ(pieces, whole);
  return whole;
}

std::string WhyNot(const std::string& wire) {
  std::string out;
  SevenBit converter;
  EXPECT_FALSE(converter.Convert(wire, &out));
  return converter.why();
}

std::string Quoted(std::string_view line) {
  std::string out;
  AppendQuotedLine(line, &out);
  return out;
}

TEST(SevenBitTest, PlainTextGetsTheFieldsThatSayWhatItHasBecome) {
  EXPECT_EQ(Converted("Subject: x\r\n\r\nGr\xc3\xbc\xc3\x9f"
                      "e = 1 \r\n..dot\r\n.\r\n"),
            "Subject: x\r\n"
            "MIME-Version: 1.0\r\n"
            "Content-Type: text/plain; charset=unknown-8bit\r\n"
            "Content-Transfer-Encoding: quoted-printable\r\n"
            "\r\n"
            "Gr=C3=BC=C3=9Fe =3D 1=20\r\n"
            "..dot\r\n"
            ".\r\n");
}

TEST(SevenBitTest, TextKeepsItsTypeAndSaysItsEncoding) {
  EXPECT_EQ(Converted("MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n"
                      "Content-Transfer-Encoding: 8bit\r\n\r\n\xc3\xa4\r\n.\r\n"),
            "MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n"
            "Content-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A4\r\n.\r\n");
}

TEST(SevenBitTest, WhatIsNoTextBecomesBase64) {
  EXPECT_EQ(Converted("MIME-Version: 1.0\r\nContent-Type: image/x-raw\r\n"
                      "Content-Transfer-Encoding: binary\r\n\r\n\xff\xfe\r\n.\r\n"),
            "MIME-Version: 1.0\r\nContent-Type: image/x-raw\r\n"
            "Content-Transfer-Encoding: base64\r\n\r\n//4NCg==\r\n.\r\n");
}

TEST(SevenBitTest, EachPartByItself) {
  const std::string out = Converted(
      "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"a b\"\r\n"
      "Content-Transfer-Encoding: 8bit\r\n\r\n"
      "--a b\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xe4\r\n"
      "--a b  \r\nContent-Type: application/x\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xe4\r\n"
      "--a b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n"
      "--a b--\r\nbehind \xe4\r\n.\r\n");
  EXPECT_EQ(out,
            "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"a b\"\r\n"
            "Content-Transfer-Encoding: 7bit\r\n\r\n"
            "--a b\r\nContent-Type: text/plain\r\n"
            "Content-Transfer-Encoding: quoted-printable\r\n\r\n=E4\r\n"
            "--a b  \r\nContent-Type: application/x\r\n"
            "Content-Transfer-Encoding: base64\r\n\r\n5A==\r\n"
            "--a b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n"
            "--a b--\r\nbehind ?\r\n.\r\n");
}

TEST(SevenBitTest, AMessageInAMessageIsLookedInto) {
  const std::string out = Converted(
      "MIME-Version: 1.0\r\nContent-Type: multipart/digest; boundary=d\r\n\r\n"
      "--d\r\n\r\nSubject: inner \xc3\xa4\r\n\r\n\xe4\r\n--d--\r\n.\r\n");
  EXPECT_THAT(out, HasSubstr("--d\r\n\r\nSubject: inner =?utf-8?Q?=C3=A4?=\r\n"
                             "MIME-Version: 1.0\r\n"
                             "Content-Type: text/plain; charset=unknown-8bit\r\n"
                             "Content-Transfer-Encoding: quoted-printable\r\n\r\n=E4\r\n--d--"));
}

TEST(SevenBitTest, HeaderFieldsGetEncodedWords) {
  const std::string out = Converted(
      "From: \"J\xc3\xbcrgen M\xc3\xbcller\" <j@x.example>, Zo\xc3\xab <z\xc3\xab@x.example>\r\n"
      "Subject: caf\xe9\r\n closed\r\n"
      "Content-Disposition: attachment; filename=\"\xc3\xa4 b.pdf\"\r\n\r\n\r\n.\r\n");
  EXPECT_THAT(out, StartsWith("From: =?utf-8?Q?J=C3=BCrgen_M=C3=BCller?= <j@x.example>, "
                              "=?utf-8?Q?Zo=C3=AB?= <z??@x.example>\r\n"
                              "Subject: =?unknown-8bit?Q?caf=E9?=\r\n closed\r\n"
                              "Content-Disposition: attachment; "
                              "filename=\"=?utf-8?Q?=C3=A4_b=2Epdf?=\"\r\n"));
}

TEST(SevenBitTest, ALongSubjectIsFoldedBetweenCharacters) {
  std::string subject = "Subject: ";
  for (int i = 0; i < 60; ++i) subject += "\xe6\x97\xa5";
  const std::string out = Converted(subject + "\r\n\r\nx\r\n.\r\n");
  EXPECT_THAT(out, HasSubstr("?=\r\n =?utf-8?Q?=E6=97=A5"));
  for (size_t at = 0; at < out.size();) {
    const size_t end = out.find("\r\n", at);
    EXPECT_LE(end - at, 90u);
    at = end + 2;
  }
}

TEST(SevenBitTest, WhatIsSignedIsLeftAlone) {
  const std::string head =
      "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n"
      "--m\r\nContent-Type: text/plain\r\n\r\n\xe4\r\n"
      "--m\r\nContent-Type: multipart/signed; boundary=s; micalg=pgp-sha256\r\n"
      "\r\n--s\r\nContent-Type: text/plain\r\n\r\n";
  const std::string tail = "\r\n--s--\r\n--m--\r\n.\r\n";
  EXPECT_THAT(Converted(head + "a = b " + tail), HasSubstr("\r\n\r\na = b \r\n--s--"));
  EXPECT_EQ(WhyNot(head + "\xe4" + tail), "a signed part of it has such octets");
}

TEST(SevenBitTest, WhatCannotBeDoneIsSaid) {
  EXPECT_EQ(WhyNot("Content-Type: multipart/mixed\r\n\r\n\xe4\r\n.\r\n"),
            "a multipart says no boundary");
  EXPECT_EQ(WhyNot("X: " + std::string(core::kRouteHeaderBytes, 'x') + "\r\n\r\n.\r\n"),
            "a header section is too long");
  std::string deep;
  for (size_t i = 0; i <= core::kMimeDepthMax; ++i) {
    const std::string name = "b" + std::to_string(i);
    deep += "Content-Type: multipart/mixed; boundary=" + name + "\r\n\r\n--" + name + "\r\n";
  }
  EXPECT_EQ(WhyNot(deep + "\r\n.\r\n"), "its parts are nested too deeply");
}

TEST(SevenBitTest, MessagesThatEndEarly) {
  EXPECT_EQ(Converted(".\r\n"), ".\r\n");
  EXPECT_THAT(Converted("Subject: \xe4\r\n.\r\n"), StartsWith("Subject: =?unknown-8bit?Q?=E4?="));
  EXPECT_THAT(Converted("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n.\r\n"),
              HasSubstr("--b\r\n.\r\n"));
}

TEST(MimeTextTest, QuotedLinesAreShort) {
  EXPECT_EQ(Quoted(""), "\r\n");
  EXPECT_EQ(Quoted(std::string(76, 'x')), std::string(76, 'x') + "\r\n");
  EXPECT_EQ(Quoted(std::string(77, 'x')), std::string(75, 'x') + "=\r\nxx\r\n");
  EXPECT_EQ(Quoted(std::string(74, 'x') + "="), std::string(74, 'x') + "=\r\n=3D\r\n");
  EXPECT_EQ(Quoted("a\t"), "a=09\r\n");
}

TEST(MimeTextTest, Base64LinesAreShort) {
  std::string out;
  Base64Text base64;
  base64.Append(std::string(58, 'a'), &out);
  base64.Finish(&out);
  EXPECT_EQ(out.size(), 80 + 4u);
  EXPECT_EQ(out.find("\r\n"), 76u);
  EXPECT_THAT(out, HasSubstr("YQ==\r\n"));
}

TEST(MimeHeaderTest, ReadsTypesWithCommentsFoldsAndQuotes) {
  const MimeHeader header = MimeHeader::Read(
      "Content-Type: (hi) Multipart/Mixed; (a;b=c) charset=\"x;boundary=no\";\r\n"
      "\tBOUNDARY=\"a \\\"b\\\"\"; boundary=second\r\n"
      "content-transfer-encoding: 8BIT (really)\r\nno field at all\r\nMime-Version : 1.0\r\n");
  EXPECT_EQ(header.type, "multipart/mixed");
  EXPECT_EQ(header.boundary, "a \"b\"");
  EXPECT_EQ(header.encoding, "8bit");
  EXPECT_TRUE(header.has_version);
  ASSERT_EQ(header.fields.size(), 4u);
  EXPECT_TRUE(header.fields[2].name.empty());
}

}  // namespace
}  // namespace outbox::smtp
