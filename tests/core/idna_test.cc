// Internationalised domains: two forms of one name, and what is none (RFC 5890 to 5893).
#include "core/idna.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace outbox::core {
namespace {

using ::testing::HasSubstr;

struct Forms {
  std::string given;
  std::string a_labels;
  std::string u_labels;
};

TEST(IdnaTest, BothFormsOfADomain) {
  const std::vector<Forms> cases = {
      {"example.net", "example.net", "example.net"},
      {"EXAMPLE.Net", "example.net", "example.net"},
      {"[192.0.2.1]", "[192.0.2.1]", "[192.0.2.1]"},
      {"", "", ""},
      {"bücher.example", "xn--bcher-kva.example", "bücher.example"},
      {"BÜCHER.Example", "xn--bcher-kva.example", "bücher.example"},
      {"XN--BCHER-KVA.example", "xn--bcher-kva.example", "bücher.example"},
      // Nontransitional: sharp s is a letter, and no "ss".
      {"straße.example", "xn--strae-oqa.example", "straße.example"},
      {"_dmarc.bücher.example", "_dmarc.xn--bcher-kva.example", "_dmarc.bücher.example"},
      {"例え.テスト", "xn--r8jz45g.xn--zckzah", "例え.テスト"},
      {"דוגמה.example", "xn--6dbbec0c.example", "דוגמה.example"},
      {"xn--bcher-kva.ü.example", "xn--bcher-kva.xn--tda.example", "bücher.ü.example"},
      // u and a diaeresis, composed on the way.
      {"bu\xcc\x88"
       "cher.example",
       "xn--bcher-kva.example", "bücher.example"},
      // Full width, which is the same in ASCII.
      {"\xef\xbd\x81.example", "a.example", "a.example"},
      // An A-label that stands for nothing is a label like any other in a name that is ASCII.
      {"xn--zzzzzzzz99.example", "xn--zzzzzzzz99.example", "xn--zzzzzzzz99.example"},
  };
  for (const Forms& c : cases) {
    std::string out;
    EXPECT_EQ(ToALabels(c.given, &out), nullptr) << c.given;
    EXPECT_EQ(out, c.a_labels) << c.given;
    EXPECT_EQ(DomainKey(c.given), c.a_labels) << c.given;
    EXPECT_EQ(ToULabels(c.given), c.u_labels) << c.given;
    EXPECT_EQ(ToULabels(c.a_labels), c.u_labels) << c.given;
    EXPECT_EQ(DomainKey(c.u_labels), c.a_labels) << c.given;
  }
}

struct NoDomain {
  std::string domain;
  std::string why;
};

TEST(IdnaTest, WhatIsNoDomainAndWhy) {
  const std::vector<NoDomain> cases = {
      {"☃.example", "IDNA2008 does not allow"},
      {"i❤.example", "IDNA2008 does not allow"},
      {"-ü.example", "hyphen"},
      {"ü-.example", "hyphen"},
      {"ab--ü.example", "third and fourth"},
      {"\xcc\x88x.example", "combining"},
      {"אbc.example", "right to left"},
      {"1אב.example", "right to left"},
      {"a\xe2\x80\x8d"
       "b.example",
       "may not"},  // a joiner that joins nothing
      {"xn--zzzzzzzzz.ü.example", "stands for nothing"},
      {"a\xe3\x80\x82ü.example", "dot"},
      {"\xff.example", "not UTF-8"},
      {"\xed\xa0\x80.example", "not UTF-8"},
      {"\xc3.example", "not UTF-8"},
      {std::string("ü\0.example", 11), "a domain cannot have"},
      {"ü b.example", "a domain cannot have"},
      {"ü*.example", "a domain cannot have"},
      {std::string("ü\xc2\x80.example"), "IDNA2008"},
      {std::string(40, 'a') + "üüüüüüüüüüüüüüüüüüüüüüüüüüüüüü.example", "63 octets"},
  };
  for (const NoDomain& c : cases) {
    std::string out;
    const char* const why = ToALabels(c.domain, &out);
    ASSERT_NE(why, nullptr) << c.domain;
    EXPECT_THAT(why, HasSubstr(c.why)) << c.domain;
    // Nothing that a valid domain could be taken for.
    EXPECT_EQ(DomainKey(c.domain), c.domain);
    EXPECT_THAT(WithIdnaReason("is no domain", c.domain), HasSubstr(c.why));
  }
  EXPECT_EQ(WithIdnaReason("is no domain", "a b"), "is no domain");
  EXPECT_EQ(WithIdnaReason("is no domain", "*.bücher.example"), "is no domain");
}

TEST(IdnaTest, ADomainHasAnEnd) {
  std::string domain;
  while (domain.size() < 240) domain += "ü.";
  EXPECT_THAT(WithIdnaReason("", domain + "example"), HasSubstr("253"));
  EXPECT_THAT(WithIdnaReason("", std::string(5000, 'a') + "ü"), HasSubstr("253"));
}

TEST(IdnaTest, TwoFormsAreSeenWithoutTheLibrary) {
  for (const char* domain : {"ü.example", "a.xn--tda", "XN--TDA.example", "a.b.Xn--x"}) {
    EXPECT_TRUE(HasTwoForms(domain)) << domain;
  }
  for (const char* domain : {"", "example.net", "axn--b.example", "xn-", "xn.example"}) {
    EXPECT_FALSE(HasTwoForms(domain)) << domain;
  }
}

TEST(IdnaTest, KeysOfPatternsAndAddresses) {
  EXPECT_EQ(DomainKey("*"), "*");
  EXPECT_EQ(DomainKey("*.Bücher.example"), "*.xn--bcher-kva.example");
  EXPECT_EQ(AddressKey("Alice@Example.NET"), "alice@example.net");
  EXPECT_EQ(AddressKey("Jörg@Bücher.example"), "jörg@xn--bcher-kva.example");
  EXPECT_EQ(AddressKey("\"a@b\"@ü.example"), "\"a@b\"@xn--tda.example");
  EXPECT_EQ(AddressKey("JÖRG"), "jÖrg");  // whether Ö is ö is its domain's to say
  EXPECT_EQ(AddressKey("*@*.ü.example"), "*@*.xn--tda.example");
  EXPECT_EQ(AddressKey(""), "");
}

TEST(IdnaTest, AnAddressInAsciiIfItCanBe) {
  std::string out;
  EXPECT_TRUE(ToAsciiAddress("Alice@Example.NET", &out));
  EXPECT_EQ(out, "Alice@Example.NET");
  EXPECT_TRUE(ToAsciiAddress("Alice@Bücher.example", &out));
  EXPECT_EQ(out, "Alice@xn--bcher-kva.example");
  EXPECT_TRUE(ToAsciiAddress("", &out));
  EXPECT_FALSE(ToAsciiAddress("jörg@example.net", &out));
  EXPECT_FALSE(ToAsciiAddress("jörg@ü.example", &out));
  EXPECT_FALSE(ToAsciiAddress("a@☃.example", &out));
  EXPECT_FALSE(ToAsciiAddress("jörg", &out));
}

}  // namespace
}  // namespace outbox::core
