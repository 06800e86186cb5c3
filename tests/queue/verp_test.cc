// VERP addresses, and those that cannot be made.
#include "queue/verp.h"

#include <gtest/gtest.h>

#include <string>

namespace outbox::queue {
namespace {

TEST(VerpTest, TheRecipientStandsInTheReturnPath) {
  const struct {
    const char* from;
    const char* to;
    const char* separators;
    const char* address;
  } kTable[] = {
      {"news@lists.example", "anna@example.net", "+=", "news+anna=example.net@lists.example"},
      {"news@lists.example", "Anna+x@Example.Net", "-=", "news-Anna+x=Example.Net@lists.example"},
      {"news@lists.example", "anna@b\xc3\xbc" "cher.example", "+=",
       "news+anna=xn--bcher-kva.example@lists.example"},
      {"a.b-c@lists.example", "d.e@f.example", "=+", "a.b-c=d.e+f.example@lists.example"},
  };
  for (const auto& row : kTable) {
    std::string address;
    EXPECT_EQ(MakeVerp(row.from, row.to, row.separators, &address), nullptr);
    EXPECT_EQ(address, row.address);
  }
}

TEST(VerpTest, WhatDoesNotFitKeepsThePlainOne) {
  std::string address;
  // 64 octets of local part, and one more.
  const std::string to = std::string(50, 'a') + "@example.net";
  EXPECT_EQ(MakeVerp("b@lists.example", to.substr(1), "+=", &address), nullptr);
  EXPECT_EQ(address.find('@'), 63u);
  EXPECT_EQ(MakeVerp("bb@lists.example", to.substr(1), "+=", &address), nullptr);
  EXPECT_NE(MakeVerp("bbb@lists.example", to.substr(1), "+=", &address), nullptr);
  for (const char* const bad : {"\"anna b\"@example.net", "postmaster", "anna@[192.0.2.1]"}) {
    EXPECT_NE(MakeVerp("news@lists.example", bad, "+=", &address), nullptr) << bad;
  }
  EXPECT_NE(MakeVerp("", "anna@example.net", "+=", &address), nullptr);
  EXPECT_NE(MakeVerp("\"a b\"@c.example", "anna@example.net", "+=", &address), nullptr);
}

}  // namespace
}  // namespace outbox::queue
