// Header fields as a signature sees them.
#include "dkim/header_section.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace outbox::dkim {
namespace {

using testing::ElementsAre;

std::string Canonical(std::string_view text, bool relaxed) {
  std::string out;
  AppendCanonicalField(text, relaxed, &out);
  return out;
}

TEST(HeaderSectionTest, CanonicalFields) {
  struct Case {
    std::string text;
    std::string relaxed;
  };
  const std::vector<Case> cases = {
      // The example of RFC 6376 3.4.5.
      {"A: X\r\n", "a:X\r\n"},
      {"B : Y\t\r\n\tZ  \r\n", "b:Y Z\r\n"},
      {"Subject:no blank\r\n", "subject:no blank\r\n"},
      {"SUBJECT \t :\r\n  folded\r\n\t at once \r\n", "subject:folded at once\r\n"},
      {"X-Empty:\r\n", "x-empty:\r\n"},
      {"X-Empty: \t\r\n \r\n", "x-empty:\r\n"},
      {"X-Colons: a : b:c\r\n", "x-colons:a : b:c\r\n"},
      {"DKIM-Signature: v=1;\r\n\tb=", "dkim-signature:v=1; b="},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(Canonical(c.text, /*relaxed=*/true), c.relaxed);
    EXPECT_EQ(Canonical(c.text, /*relaxed=*/false), c.text);
  }
}

std::vector<std::string> Fields(const std::string& added, const std::string& header) {
  HeaderSection section;
  section.Read(added, header);
  std::vector<std::string> fields;
  for (const HeaderSection::Field& field : section.fields()) {
    fields.push_back(std::string(section.NameOf(field)) + "=" +
                     std::string(section.ValueOf(field)));
  }
  return fields;
}

TEST(HeaderSectionTest, WhatIsAddedAndTheMessageAreOneSection) {
  EXPECT_THAT(Fields("Received: x\r\n\ty\r\n", "From: a\r\nTo : b\r\n c\r\n"),
              ElementsAre("Received= x\r\n\ty\r\n", "From= a\r\n", "To= b\r\n c\r\n"));
  // A message that begins with a blank goes on with what we put before it, for receivers.
  EXPECT_THAT(Fields("Date: x\r\n", " b\r\nFrom: a\r\n"),
              ElementsAre("Date= x\r\n b\r\n", "From= a\r\n"));
  EXPECT_THAT(Fields("", " b\r\nFrom: a\r\n"), ElementsAre("From= a\r\n"));
  // What is no field is nobody's, with the lines that belong to it.
  EXPECT_THAT(Fields("", "From: a\r\nno field\r\n of anybody\r\n: no name\r\n\xc3\xa4: x\r\n"
                         "B:\r\n"),
              ElementsAre("From= a\r\n", "B=\r\n"));
  // Dots are stuffed in the message, not in what is added.
  EXPECT_THAT(Fields("..X: a\r\n", "..Y: b\r\n"), ElementsAre("..X= a\r\n", ".Y= b\r\n"));
}

TEST(HeaderSectionTest, Ends) {
  struct Case {
    std::string wire;
    size_t end;
    std::string body;
  };
  const std::vector<Case> cases = {
      {"A: b\r\n\r\nbody\r\n.\r\n", 6, "body\r\n.\r\n"},
      {"\r\nbody\r\n.\r\n", 0, "body\r\n.\r\n"},
      {".\r\n", 0, ".\r\n"},
      {"A: b\r\n.\r\n", 6, ".\r\n"},
      {"A: b\r\n..\r\n\r\n.\r\n", 10, ".\r\n"},
  };
  for (const Case& c : cases) {
    // In one piece, and as it comes.
    size_t line = 0;
    EXPECT_TRUE(FindHeaderEnd(c.wire, &line)) << c.wire;
    EXPECT_EQ(line, c.end);
    EXPECT_EQ(BodyBehind(c.wire, line), c.body);
    line = 0;
    size_t size = 0;
    while (!FindHeaderEnd(c.wire.substr(0, size), &line)) ASSERT_LT(size++, c.wire.size());
    EXPECT_EQ(line, c.end);
  }
  size_t line = 0;
  EXPECT_FALSE(FindHeaderEnd("A: b\r\nC: d\r\n", &line));
  EXPECT_EQ(line, 12u);
}

}  // namespace
}  // namespace outbox::dkim
