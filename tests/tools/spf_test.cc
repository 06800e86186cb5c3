// Sender policies: the records and results of RFC 7208, and what is wrong with those in the wild.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <utility>

#include "tests/tools/fake_names.h"
#include "tools/doctor/spf_check.h"
#include "tools/doctor/spf_macro.h"
#include "tools/doctor/spf_record.h"

namespace outbox::tools {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

core::IpAddress Ip(const std::string& text) { return core::IpAddress::Parse(text).value(); }

// --- The record ----------------------------------------------------------------------------------

TEST(SpfRecordTest, OnlyTheVersionMakesARecord) {
  EXPECT_TRUE(IsSpfRecord("v=spf1"));
  EXPECT_TRUE(IsSpfRecord("V=SPF1 -all"));
  EXPECT_FALSE(IsSpfRecord("v=spf10 -all"));
  EXPECT_FALSE(IsSpfRecord("v=spf1\t-all"));
  EXPECT_FALSE(IsSpfRecord("spf2.0/mfrom -all"));
  EXPECT_FALSE(IsSpfRecord(""));
}

TEST(SpfRecordTest, EveryTermOfTheGrammar) {
  for (const char* const terms : {"",
                                  "all",
                                  "-all",
                                  "~ALL",
                                  "?all",
                                  "a",
                                  "a:example.com",
                                  "A:example.com.",
                                  "a/24",
                                  "a//64",
                                  "a/24//64",
                                  "a:example.com/0//0",
                                  "mx",
                                  "mx:example.com/32//128",
                                  "mx/24",
                                  "ptr",
                                  "ptr:example.com",
                                  "ip4:192.0.2.1",
                                  "ip4:192.0.2.1/24",
                                  "ip6:2001:db8::/32",
                                  "ip6:::1",
                                  "ip6:::ffff:192.0.2.1/128",
                                  "include:_spf.example.com",
                                  "exists:%{ir}.%{v}.example.com",
                                  "exists:%{l1r-}.%{d2}",
                                  "include:%{d}",
                                  "redirect=example.com",
                                  "exp=explain.%{d}",
                                  "unknown=%{s}%%%_%-",
                                  "x-1.2_3=",
                                  "a   -all ",
                                  "a:_x.xn--p1ai",
                                  "a:foo/bar.example.com"}) {
    const auto record = ParseSpf("v=spf1 " + std::string(terms));
    EXPECT_TRUE(record.ok()) << terms << ": " << record.status().message();
  }
}

TEST(SpfRecordTest, WhatIsWrongIsNamed) {
  static constexpr struct {
    const char* term;
    const char* what;
  } kWrong[] = {
      {"ipv4:192.0.2.1", "no mechanism"},
      {"al", "no mechanism"},
      {"all:example.com", "takes no argument"},
      {"all/8", "takes no argument"},
      {"include", "expected a colon and a domain"},
      {"include:", "is no domain"},
      {"include/24", "expected a colon and a domain"},
      {"exists", "expected a colon and a domain"},
      {"include:localhost", "does not end in a domain"},
      {"include:example.123", "does not end in a domain"},
      {"include:example.com-", "does not end in a domain"},
      {"a:example..com/33", "prefix length"},
      {"a/33", "prefix length"},
      {"a//129", "prefix length"},
      {"a/024", "prefix length"},
      {"a/", "expected a prefix length"},
      {"mx/24/64", "prefix length"},
      {"ptr/24", "expected a colon"},
      {"ip4", "expected a colon"},
      {"ip4:", "expected a network"},
      {"ip4:192.0.2", "expected a network"},
      {"ip4:192.0.2.256", "expected a network"},
      {"ip4:192.0.2.1/33", "expected a network"},
      {"ip4:192.0.2.1/", "expected a network"},
      {"ip4:2001:db8::1", "expected a network"},
      {"ip4:192.0.2.1//32", "expected a network"},
      {"ip6:192.0.2.1", "expected a network"},
      {"ip6:2001:db8::/129", "expected a network"},
      {"ip4=192.0.2.1 ip4:192.0.2.1,", "expected a network"},
      {"exists:%{x}.example.com", "a macro that is none"},
      {"exists:%{i", "a macro that is none"},
      {"exists:%{d0}", "a macro that is none"},
      {"exists:%{ir!}.example.com", "a macro that is none"},
      {"exists:%d.example.com", "a macro that is none"},
      {"x=%", "a macro that is none"},
      {"exists:%{i}x", "does not end in a domain"},
      {"redirect=example.com redirect=example.net", "twice"},
      {"redirect=", "is no domain"},
      {"redirect:example.com", "no mechanism"},
      {"-", "no mechanism"},
      {"--all", "no mechanism"},
      {"exp=a.example exp=a.example", "twice"},
      {"a:b\xc3\xa4r.example", "a macro that is none"},
  };
  for (const auto& wrong : kWrong) {
    const auto record = ParseSpf("v=spf1 " + std::string(wrong.term) + " -all");
    ASSERT_FALSE(record.ok()) << wrong.term;
    EXPECT_THAT(record.status().message(), HasSubstr(wrong.what)) << wrong.term;
  }
}

TEST(SpfRecordTest, ANewMechanismComesBeforeTheEnd) {
  EXPECT_EQ(WithSpfMechanism("v=spf1 mx ~all", "ip4:192.0.2.1"), "v=spf1 mx ip4:192.0.2.1 ~all");
  EXPECT_EQ(WithSpfMechanism("v=spf1 redirect=x.example", "a"), "v=spf1 a redirect=x.example");
  EXPECT_EQ(WithSpfMechanism("v=spf1", "a"), "v=spf1 a");
  EXPECT_EQ(WithSpfMechanism("v=spf1 a:all.example", "mx"), "v=spf1 a:all.example mx");
}

// --- Macros --------------------------------------------------------------------------------------

// The examples of RFC 7208 7.4.
TEST(SpfMacroTest, TheExamplesOfTheRfc) {
  SpfMacroValues values;
  values.local_part = "strong-bad";
  values.sender_domain = "email.example.com";
  values.domain = "email.example.com";
  values.address = Ip("192.0.2.3");
  values.validated = "mx.example.org";
  static constexpr struct {
    const char* text;
    const char* expanded;
  } kExamples[] = {
      {"%{s}", "strong-bad@email.example.com"},
      {"%{o}", "email.example.com"},
      {"%{d}", "email.example.com"},
      {"%{d4}", "email.example.com"},
      {"%{d3}", "email.example.com"},
      {"%{d2}", "example.com"},
      {"%{d1}", "com"},
      {"%{dr}", "com.example.email"},
      {"%{d2r}", "example.email"},
      {"%{l}", "strong-bad"},
      {"%{l-}", "strong.bad"},
      {"%{lr}", "strong-bad"},
      {"%{lr-}", "bad.strong"},
      {"%{l1r-}", "strong"},
      {"%{d99999999999999999999}", "email.example.com"},
      {"%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"},
      {"%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"},
      {"%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"},
      {"%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com"},
      {"%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"},
      {"%{S}%%%_%-", "strong-bad%40email.example.com% %20"},
      {"%{p}", "mx.example.org"},
  };
  for (const auto& example : kExamples) {
    ASSERT_TRUE(CheckSpfMacros(example.text).ok()) << example.text;
    EXPECT_EQ(ExpandSpf(example.text, values), example.expanded) << example.text;
  }
  values.address = Ip("2001:db8::cb01");
  EXPECT_EQ(ExpandSpf("%{ir}.%{v}._spf.%{d2}", values),
            "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf."
            "example.com");
}

// --- The evaluation ------------------------------------------------------------------------------

class SpfCheckTest : public testing::Test {
 protected:
  SpfVerdict Check(const std::string& address, const std::string& domain = "example.com") {
    SpfQuestion question;
    question.address = Ip(address);
    question.domain = domain;
    question.helo = "mail." + domain;
    return CheckSpf(question, &names_);
  }
  // "pass", with this record of example.com.
  std::string Result(const std::string& record, const std::string& address) {
    FakeNames names = names_;
    names.Text("example.com", record);
    SpfQuestion question;
    question.address = Ip(address);
    question.domain = "example.com";
    question.helo = "mail.example.com";
    verdict_ = CheckSpf(question, &names);
    return SpfResultName(verdict_.result);
  }

  FakeNames names_;
  SpfVerdict verdict_;
};

// RFC 7208 appendix A.
class RfcExampleTest : public SpfCheckTest {
 protected:
  RfcExampleTest() {
    names_.Mx("example.com", "mail-a.example.com");
    names_.Mx("example.com", "mail-b.example.com");
    names_.Address("example.com", "192.0.2.10");
    names_.Address("example.com", "192.0.2.11");
    names_.Address("amy.example.com", "192.0.2.65");
    names_.Address("bob.example.com", "192.0.2.66");
    names_.Address("mail-a.example.com", "192.0.2.129");
    names_.Address("mail-b.example.com", "192.0.2.130");
    names_.Mx("example.org", "mail-c.example.org");
    names_.Address("mail-c.example.org", "192.0.2.140");
    names_.Pointer("192.0.2.10", "example.com");
    names_.Pointer("192.0.2.11", "example.com");
    names_.Pointer("192.0.2.65", "amy.example.com");
    names_.Pointer("192.0.2.140", "mail-c.example.org");
    names_.Pointer("10.0.0.4", "bob.example.com");  // a lie
  }
};

TEST_F(RfcExampleTest, SimpleExamples) {
  static constexpr struct {
    const char* record;
    const char* pass;  // addresses, with blanks between
    const char* fail;
  } kRows[] = {
      {"v=spf1 +all", "192.0.2.129 10.0.0.4 2001:db8::1", ""},
      {"v=spf1 a -all", "192.0.2.10 192.0.2.11", "192.0.2.65 2001:db8::1"},
      {"v=spf1 a:example.org -all", "", "192.0.2.10"},
      {"v=spf1 mx -all", "192.0.2.129 192.0.2.130", "192.0.2.10"},
      {"v=spf1 mx:example.org -all", "192.0.2.140", "192.0.2.129"},
      {"v=spf1 mx mx:example.org -all", "192.0.2.129 192.0.2.130 192.0.2.140", "192.0.2.10"},
      {"v=spf1 mx/30 mx:example.org/30 -all", "192.0.2.131 192.0.2.143", "192.0.2.132 192.0.2.144"},
      {"v=spf1 ptr -all", "192.0.2.10 192.0.2.65", "192.0.2.140 10.0.0.4"},
      {"v=spf1 ip4:192.0.2.128/28 -all", "192.0.2.129 192.0.2.143", "192.0.2.65 192.0.2.144"},
      {"v=spf1 ip6:2001:db8::/33 -all", "2001:db8:7fff::1", "2001:db8:8000::1 192.0.2.1"},
      {"v=spf1 ip4:192.0.2.200/0 -all", "10.1.1.1", "2001:db8::1"},
  };
  for (const auto& row : kRows) {
    for (const auto& [addresses, result] :
         {std::pair(row.pass, "pass"), std::pair(row.fail, "fail")}) {
      std::istringstream list(addresses);
      for (std::string address; list >> address;) {
        EXPECT_EQ(Result(row.record, address), result) << row.record << " " << address;
      }
    }
  }
}

TEST_F(SpfCheckTest, TheQualifierIsTheResult) {
  EXPECT_EQ(Result("v=spf1 ?ip4:192.0.2.1 ~all", "192.0.2.1"), "neutral");
  EXPECT_EQ(Result("v=spf1 -ip4:192.0.2.1 +all", "192.0.2.1"), "fail");
  EXPECT_EQ(Result("v=spf1 ~all", "192.0.2.1"), "softfail");
  EXPECT_EQ(verdict_.reason, "\"~all\" of example.com matches");
  EXPECT_FALSE(verdict_.open_ended);
  EXPECT_EQ(Result("v=spf1 a:nowhere.example.com", "192.0.2.1"), "neutral");
  EXPECT_TRUE(verdict_.open_ended);
  EXPECT_EQ(Result("v=spf1", "192.0.2.1"), "neutral");
}

TEST_F(SpfCheckTest, NoneMoreThanOneAndInvalid) {
  EXPECT_EQ(Check("192.0.2.1").result, SpfResult::kNone);
  EXPECT_EQ(Check("192.0.2.1").reason, "example.com does not exist");
  names_.Text("example.com", "v=spf10 -all");
  EXPECT_EQ(Check("192.0.2.1").reason, "example.com has no SPF record");
  names_.Text("example.com", "v=spf1 -all");
  EXPECT_EQ(Check("192.0.2.1").result, SpfResult::kFail);
  names_.Text("example.com", "v=spf1 +all");
  EXPECT_EQ(Check("192.0.2.1").result, SpfResult::kPermError);
  EXPECT_THAT(Check("192.0.2.1").reason, HasSubstr("2 SPF records"));
  // Also what stands behind the mechanism that matches makes it void.
  EXPECT_EQ(Result("v=spf1 ip4:192.0.2.1 ipv4:192.0.2.2 -all", "192.0.2.1"), "permerror");
  EXPECT_EQ(Check("192.0.2.1", "localhost").result, SpfResult::kNone);
}

TEST_F(SpfCheckTest, IncludedRecordsMatchWhenTheyPass) {
  names_.Text("_spf.example.net", "v=spf1 ip4:192.0.2.1 ?ip4:192.0.2.2 ~all");
  const std::string record = "v=spf1 ?include:_spf.example.net -all";
  EXPECT_EQ(Result(record, "192.0.2.1"), "neutral");
  EXPECT_EQ(verdict_.reason,
            "\"?include:_spf.example.net\" of example.com matches: \"ip4:192.0.2.1\" of "
            "_spf.example.net matches");
  EXPECT_EQ(Result(record, "192.0.2.2"), "fail");
  EXPECT_EQ(Result(record, "192.0.2.3"), "fail");
  EXPECT_EQ(Result("v=spf1 include:gone.example.net -all", "192.0.2.1"), "permerror");
  EXPECT_THAT(verdict_.reason, HasSubstr("gone.example.net does not exist"));
  names_.Fail("slow.example.net", dns::RecordType::kTxt);
  EXPECT_EQ(Result("v=spf1 include:slow.example.net -all", "192.0.2.1"), "temperror");
  EXPECT_THAT(verdict_.reason, HasSubstr("192.0.2.53 did not answer"));
  names_.Text("bad.example.net", "v=spf1 ip4:x");
  EXPECT_EQ(Result("v=spf1 include:bad.example.net -all", "192.0.2.1"), "permerror");
}

TEST_F(SpfCheckTest, RedirectIsForWhomNothingMatches) {
  names_.Text("_spf.example.net", "v=spf1 a:%{d} -all");
  names_.Address("_spf.example.net", "192.0.2.1");
  EXPECT_EQ(Result("v=spf1 redirect=_spf.example.net", "192.0.2.1"), "pass");
  EXPECT_EQ(Result("v=spf1 redirect=_spf.example.net", "192.0.2.2"), "fail");
  EXPECT_EQ(Result("v=spf1 redirect=_spf.example.net ?ip4:192.0.2.2", "192.0.2.2"), "neutral");
  EXPECT_EQ(Result("v=spf1 redirect=_spf.example.net ?all", "192.0.2.1"), "neutral");
  EXPECT_EQ(Result("v=spf1 redirect=gone.example.net", "192.0.2.1"), "permerror");
}

TEST_F(SpfCheckTest, ExistsAsksForWhatTheMacrosSay) {
  names_.Address("1.2.0.192.in-addr._spf.example.com", "127.0.0.2");
  EXPECT_EQ(Result("v=spf1 exists:%{ir}.%{v}._spf.%{d} -all", "192.0.2.1"), "pass");
  EXPECT_EQ(Result("v=spf1 exists:%{ir}.%{v}._spf.%{d} -all", "192.0.2.2"), "fail");
  names_.Address("postmaster.mail.example.com.example.org", "127.0.0.2");
  EXPECT_EQ(Result("v=spf1 exists:%{l}.%{h}.example.org -all", "2001:db8::1"), "pass");
  names_.Pointer("192.0.2.9", "z.example.net");
  names_.Pointer("192.0.2.9", "mx.example.com");
  names_.Address("z.example.net", "192.0.2.9");
  names_.Address("mx.example.com", "192.0.2.9");
  names_.Address("mx.example.com.ok.example.org", "127.0.0.2");
  EXPECT_EQ(Result("v=spf1 exists:%{p}.ok.example.org -all", "192.0.2.9"), "pass");
  names_.Address("unknown.ok.example.org", "127.0.0.2");
  EXPECT_EQ(Result("v=spf1 exists:%{p}.ok.example.org -all", "192.0.2.8"), "pass");
}

TEST_F(SpfCheckTest, NamesThatAreTooLongLoseTheirFirstLabels) {
  const std::string label(63, 'a');
  names_.Address(label + "." + label + ".example.com", "127.0.0.2");
  const std::string spec = "exists:" + std::string(200, 'b') + "." + label + "." + label + ".%{d}";
  EXPECT_EQ(Result("v=spf1 " + spec + " -all", "192.0.2.1"), "pass");
}

TEST_F(SpfCheckTest, TenLookupsAndNoMore) {
  std::string record = "v=spf1";
  for (int i = 0; i < 10; ++i) {
    const std::string name = "a" + std::to_string(i) + ".example.com";
    names_.Address(name, "192.0.2.99");
    record += " a:" + name;
  }
  EXPECT_EQ(Result(record + " ip4:192.0.2.1 -all", "192.0.2.1"), "pass");
  EXPECT_EQ(verdict_.lookups, 10u);
  EXPECT_EQ(Result(record + " mx -all", "192.0.2.1"), "permerror");
  EXPECT_THAT(verdict_.reason, HasSubstr("more than 10 lookups"));
  // Whoever matches early does not get there; others do.
  EXPECT_EQ(Result("v=spf1 ip4:192.0.2.1" + record.substr(6) + " mx -all", "192.0.2.1"), "pass");
}

TEST_F(SpfCheckTest, ALoopEndsAtTheLimit) {
  EXPECT_EQ(Result("v=spf1 include:example.com -all", "192.0.2.1"), "permerror");
  EXPECT_EQ(Result("v=spf1 redirect=example.com", "192.0.2.1"), "permerror");
}

TEST_F(SpfCheckTest, TwoVoidLookupsAndNoMore) {
  EXPECT_EQ(Result("v=spf1 a:x.example.com exists:y.example.com ip4:192.0.2.1 -all", "192.0.2.1"),
            "pass");
  EXPECT_EQ(Result("v=spf1 a:x.example.com mx:y.example.com a:z.example.com +all", "192.0.2.1"),
            "permerror");
  EXPECT_THAT(verdict_.reason, HasSubstr("z.example.com (A)"));
}

TEST_F(SpfCheckTest, TooManyMailHosts) {
  for (int i = 0; i < 11; ++i) {
    const std::string host = "mx" + std::to_string(i) + ".example.com";
    names_.Address(host, "192.0.2.77");
    names_.Mx("many.example.com", host);
  }
  EXPECT_EQ(Result("v=spf1 mx:many.example.com -all", "192.0.2.1"), "permerror");
}

TEST_F(SpfCheckTest, OnlyTenNamesOfAnAddressAreLookedAt) {
  for (int i = 0; i < 11; ++i) {
    const std::string name = "n" + std::to_string(i) + (i < 10 ? ".example.net" : ".example.com");
    names_.Pointer("192.0.2.1", name);
    names_.Address(name, "192.0.2.1");
  }
  EXPECT_EQ(Result("v=spf1 ptr:example.net -all", "192.0.2.1"), "pass");
  EXPECT_TRUE(verdict_.uses_ptr);
  EXPECT_EQ(Result("v=spf1 ptr -all", "192.0.2.1"), "fail");
}

TEST_F(SpfCheckTest, ADnsThatIsSilentIsNoVerdict) {
  names_.Fail("slow.example.com", dns::RecordType::kA);
  EXPECT_EQ(Result("v=spf1 a:slow.example.com -all", "192.0.2.1"), "temperror");
  EXPECT_EQ(verdict_.reason,
            "the DNS does not answer for the A records of slow.example.com: "
            "192.0.2.53 did not answer");
  // In "ptr" it only means that it does not match.
  names_.Fail("1.2.0.192.in-addr.arpa", dns::RecordType::kPtr);
  EXPECT_EQ(Result("v=spf1 ptr -all", "192.0.2.1"), "fail");
}

TEST_F(SpfCheckTest, WhatStrangersGet) {
  names_.Text("_spf.example.net", "v=spf1 a -all");
  names_.Address("_spf.example.net", "192.0.2.1");
  names_.Text("example.com", "v=spf1 ip4:192.0.2.1 a:%{d} include:_spf.example.net ~all");
  names_.Address("example.com", "192.0.2.1");
  SpfQuestion question;
  question.address = Ip("192.0.2.1");
  question.domain = "example.com";
  question.match_nothing = true;
  const SpfVerdict verdict = CheckSpf(question, &names_);
  EXPECT_EQ(verdict.result, SpfResult::kSoftFail);
  EXPECT_EQ(verdict.lookups, 3u);
  EXPECT_THAT(names_.asked, ElementsAre("example.com TXT", "example.com A", "_spf.example.net TXT",
                                        "_spf.example.net A"));
}

}  // namespace
}  // namespace outbox::tools
