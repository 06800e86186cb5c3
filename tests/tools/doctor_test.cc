// What the doctor says about names and policies, over a DNS that the test makes; and the small
// judgements about the machine.
#include "tools/doctor/doctor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/dkim/rfc_keys.h"
#include "tests/tools/fake_names.h"
#include "tools/doctor/daemon_view.h"
#include "tools/doctor/file_checks.h"
#include "tools/doctor/local_addresses.h"
#include "tools/doctor/policy_checks.h"
#include "tools/doctor/report.h"
#include "tools/doctor/sending_checks.h"
#include "tools/doctor/system_checks.h"

namespace outbox::tools {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr const char* kHost = "relay.example.com";

core::IpAddress Address(const std::string& text) { return core::IpAddress::Parse(text).value(); }

// A DNS, and what is found in it: "warn: no DMARC record".
class DoctorTest : public testing::Test {
 protected:
  std::vector<std::string> Found() const {
    std::vector<std::string> lines;
    for (const Finding& finding : report_.findings()) {
      lines.push_back(std::string(LevelName(finding.level)) + ": " + finding.finding);
      const bool advised = finding.level == Level::kWarn || finding.level == Level::kFail;
      if (advised) {
        EXPECT_THAT(finding.fix, testing::EndsWith(".")) << finding.finding;
      }
    }
    return lines;
  }
  // The advice of the last finding.
  std::string Fix() const {
    return report_.findings().empty() ? "" : report_.findings().back().fix;
  }
  std::vector<std::string> Pointer(const std::string& address) {
    report_ = Report();
    CheckPointer(Address(address), kHost, &names_, &report_);
    return Found();
  }
  std::vector<std::string> Helo(const std::string& hostname) {
    report_ = Report();
    CheckHelo(hostname, "hostname in the configuration",
              {Address("192.0.2.1"), Address("2001:db8::1")}, &names_, &report_);
    return Found();
  }
  std::vector<std::string> Domain() {
    report_ = Report();
    CheckDomain("example.com", &names_, &report_);
    return Found();
  }
  std::vector<std::string> Policy(const std::vector<core::IpAddress>& addresses) {
    report_ = Report();
    CheckSenderPolicy("example.com", kHost, addresses, &names_, &report_);
    return Found();
  }
  std::vector<std::string> Dkim(const OurKey* ours = nullptr) {
    report_ = Report();
    CheckDkim("example.com", "s1", ours, &names_, &report_);
    return Found();
  }
  std::vector<std::string> Dmarc(const std::string& domain = "example.com") {
    report_ = Report();
    CheckDmarc(domain, &names_, &report_);
    return Found();
  }

  FakeNames names_;
  Report report_;
};

// --- Names of addresses --------------------------------------------------------------------------

TEST_F(DoctorTest, ANameThatLeadsBack) {
  names_.Pointer("192.0.2.1", kHost);
  names_.Address(kHost, "192.0.2.1");
  EXPECT_THAT(Pointer("192.0.2.1"),
              ElementsAre("ok: PTR relay.example.com",
                          "ok: the name relay.example.com leads back to the address"));
}

TEST_F(DoctorTest, NoNameIsTheProvidersToGive) {
  EXPECT_THAT(Pointer("192.0.2.1"), ElementsAre(HasSubstr("fail: no PTR record")));
  EXPECT_THAT(Fix(), AllOf(HasSubstr("Ask the provider of the address"),
                           HasSubstr("192.0.2.1 to relay.example.com"), HasSubstr("in-addr.arpa")));
  EXPECT_THAT(Pointer("2001:db8::1"), ElementsAre(HasSubstr("fail: no PTR record")));
  EXPECT_THAT(Fix(), HasSubstr("ip6.arpa"));
}

TEST_F(DoctorTest, ANameThatLeadsElsewhere) {
  names_.Pointer("192.0.2.1", "mail.example.net");
  names_.Address("mail.example.net", "192.0.2.7");
  EXPECT_THAT(Pointer("192.0.2.1"),
              ElementsAre("ok: PTR mail.example.net",
                          "fail: the PTR name does not lead back to the address: mail.example.net "
                          "has 192.0.2.7",
                          HasSubstr("note: its PTR name is not the HELO name")));
  EXPECT_THAT(report_.findings()[1].fix,
              AllOf(HasSubstr("mail.example.net. A 192.0.2.1"), HasSubstr("Ask the provider")));
}

TEST_F(DoctorTest, ACustomersLine) {
  names_.Pointer("192.0.2.1", "host-192-0-2-1.example.net");
  names_.Address("host-192-0-2-1.example.net", "192.0.2.1");
  EXPECT_THAT(Pointer("192.0.2.1"),
              testing::Contains(HasSubstr("warn: the PTR name host-192-0-2-1.example.net looks "
                                          "like a customer's line")));
}

TEST_F(DoctorTest, MoreThanOneName) {
  names_.Pointer("192.0.2.1", "www.example.com");
  names_.Pointer("192.0.2.1", kHost);
  names_.Address(kHost, "192.0.2.1");
  EXPECT_THAT(Pointer("192.0.2.1"),
              ElementsAre(HasSubstr("warn: 2 PTR records"), HasSubstr("ok: the name relay")));
}

TEST_F(DoctorTest, NamesThatCannotBeLookedUp) {
  names_.Fail("1.2.0.192.in-addr.arpa", dns::RecordType::kPtr);
  EXPECT_THAT(Pointer("192.0.2.1"),
              ElementsAre("fail: its PTR record cannot be looked up: 192.0.2.53 did not answer"));
}

// --- HELO ----------------------------------------------------------------------------------------

TEST_F(DoctorTest, TheHeloName) {
  EXPECT_THAT(Helo("[192.0.2.1]"), ElementsAre(HasSubstr("warn: an address literal")));
  EXPECT_THAT(Helo("relay"), ElementsAre(HasSubstr("fail: not a full name")));
  EXPECT_THAT(Helo(kHost), ElementsAre("fail: the name does not exist"));
  EXPECT_THAT(Fix(), HasSubstr("relay.example.com. A 192.0.2.1"));
  names_.Text(kHost, "x");
  EXPECT_THAT(Helo(kHost), ElementsAre("fail: the name has no address"));
  names_.Address(kHost, "192.0.2.1");
  EXPECT_THAT(Helo(kHost), ElementsAre("warn: is not the name of 2001:db8::1: it has no address of "
                                       "that family"));
  EXPECT_THAT(Fix(), HasSubstr("relay.example.com. AAAA 2001:db8::1"));
  names_.Fail(kHost, dns::RecordType::kAaaa);
  EXPECT_THAT(Helo(kHost), ElementsAre(HasSubstr("fail: whether it has 2001:db8::1 cannot be")));
  names_.Address(kHost, "2001:db8::1");
  EXPECT_THAT(Helo(kHost), ElementsAre("ok: resolves to 192.0.2.1, 2001:db8::1"));
}

// --- Domains -------------------------------------------------------------------------------------

TEST_F(DoctorTest, ASenderDomainTakesMail) {
  EXPECT_THAT(Domain(), ElementsAre(HasSubstr("fail: the domain does not exist")));
  names_.Text("example.com", "x");
  EXPECT_THAT(Domain(), ElementsAre(HasSubstr("fail: neither an MX record nor an address")));
  names_.Address("example.com", "192.0.2.9");
  EXPECT_THAT(Domain(), ElementsAre(HasSubstr("note: no MX record")));
  names_.Mx("example.com", "mx.example.com");
  EXPECT_THAT(Domain(), ElementsAre("ok: takes mail: MX mx.example.com"));
}

TEST_F(DoctorTest, ASenderDomainWithTheNullMx) {
  names_.Mx("example.com", ".");
  EXPECT_THAT(Domain(), ElementsAre(HasSubstr("fail: the null MX")));
}

// --- SPF -----------------------------------------------------------------------------------------

TEST_F(DoctorTest, APolicyWithoutUs) {
  names_.Text("example.com", "v=spf1 ip4:192.0.2.1 -all");
  EXPECT_THAT(Policy({Address("192.0.2.1"), Address("192.0.2.2")}),
              ElementsAre("ok: pass for 192.0.2.1: \"ip4:192.0.2.1\" of example.com matches",
                          "fail: fail for 192.0.2.2: \"-all\" of example.com matches",
                          "ok: strangers get fail, after 0 of 10 lookups"));
  EXPECT_THAT(report_.findings()[1].fix, HasSubstr("\"v=spf1 ip4:192.0.2.1 ip4:192.0.2.2 -all\""));
}

TEST_F(DoctorTest, NoPolicy) {
  names_.Text("example.com", "hello");
  EXPECT_THAT(Policy({Address("192.0.2.1"), Address("2001:db8::1")}),
              ElementsAre(HasSubstr("fail: example.com has no SPF record")));
  EXPECT_THAT(Fix(), HasSubstr("\"v=spf1 ip4:192.0.2.1 ip6:2001:db8::1 ~all\""));
  EXPECT_THAT(Policy({}),
              ElementsAre(HasSubstr("fail: strangers get none: example.com has no SPF record")));
}

TEST_F(DoctorTest, APolicyThatLetsEverybodySend) {
  names_.Text("example.com", "v=spf1 ptr include:_spf.example.net -all");
  names_.Text("_spf.example.net", "v=spf1 +all");
  EXPECT_THAT(Policy({Address("192.0.2.1")}),
              ElementsAre(HasSubstr("ok: pass"), HasSubstr("fail: everybody passes"),
                          HasSubstr("note: it uses \"ptr\"")));
}

TEST_F(DoctorTest, APolicyThatIsTooLongForStrangers) {
  std::string record = "v=spf1 ip4:192.0.2.1";
  for (int i = 0; i < 11; ++i) {
    const std::string name = "a" + std::to_string(i) + ".example.com";
    names_.Address(name, "192.0.2.99");
    record += " a:" + name;
  }
  names_.Text("example.com", record + " -all");
  EXPECT_THAT(
      Policy({Address("192.0.2.1")}),
      ElementsAre(HasSubstr("ok: pass"), HasSubstr("warn: takes more than the 10 lookups")));
}

TEST_F(DoctorTest, APolicyWithoutAnEnd) {
  names_.Text("example.com", "v=spf1 mx");
  names_.Mx("example.com", "mx.example.com");
  names_.Address("mx.example.com", "192.0.2.5");
  EXPECT_THAT(Policy({Address("192.0.2.1")}),
              ElementsAre(HasSubstr("warn: neutral for 192.0.2.1"),
                          HasSubstr("warn: it says nothing about strangers")));
}

TEST_F(DoctorTest, TwoPolicies) {
  names_.Text("example.com", "v=spf1 mx -all");
  names_.Text("example.com", "v=spf1 a -all");
  EXPECT_THAT(Policy({Address("192.0.2.1")}), ElementsAre(HasSubstr("fail: permerror")));
  EXPECT_THAT(Fix(), HasSubstr("leave only one"));
}

TEST_F(DoctorTest, ThePolicyOfTheHeloName) {
  CheckHeloPolicy(kHost, {Address("192.0.2.1")}, &names_, &report_);
  EXPECT_THAT(Found(), ElementsAre(HasSubstr("note: of the HELO name, for bounces")));
  names_.Text(kHost, "v=spf1 -all");
  report_ = Report();
  CheckHeloPolicy(kHost, {Address("192.0.2.1")}, &names_, &report_);
  EXPECT_THAT(Found(), ElementsAre(HasSubstr("warn: of the HELO name, for bounces: fail")));
}

// --- DKIM ----------------------------------------------------------------------------------------

TEST_F(DoctorTest, AKeyThatIsNotThere) {
  EXPECT_THAT(Dkim(), ElementsAre(HasSubstr("fail: no TXT record")));
  EXPECT_THAT(Fix(), HasSubstr("s1._domainkey.example.com."));
  names_.Text("s1._domainkey.example.com", "v=DKIM1; p=");
  EXPECT_THAT(Dkim(), ElementsAre(HasSubstr("fail: the key is revoked")));
  names_.Text("s1._domainkey.example.com", "x");
  EXPECT_THAT(Dkim(), ElementsAre(HasSubstr("fail: 2 TXT records")));
}

TEST_F(DoctorTest, AKeyThatIsNone) {
  names_.Text("s1._domainkey.example.com", "v=DKIM1; p=aGVsbG8=");
  EXPECT_THAT(Dkim(), ElementsAre(HasSubstr("fail: no usable key: \"p=\" is no RSA key")));
}

TEST_F(DoctorTest, KeysThatAreGood) {
  names_.Text("s1._domainkey.example.com",
              "k=ed25519; t=y; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
  EXPECT_THAT(Dkim(), ElementsAre("ok: an ed25519 key", HasSubstr("note: many receivers"),
                                  HasSubstr("note: t=y")));
}

TEST_F(DoctorTest, TheKeyThatSignsIsTheOneThatIsPublished) {
  const auto key = dkim::RfcRsaKey();
  OurKey ours = {key->public_key(), "s1._domainkey.example.com. IN TXT \"v=DKIM1; ...\"", true};
  EXPECT_THAT(Dkim(&ours), ElementsAre(HasSubstr("fail: no TXT record")));
  EXPECT_THAT(Fix(), HasSubstr("add (or change) s1._domainkey.example.com. IN TXT"));
  names_.Text("s1._domainkey.example.com", key->Record());
  EXPECT_THAT(Dkim(&ours), ElementsAre(HasSubstr("warn: an RSA key of 1024 bits")));
  // The same key in the form of the RFC; and one of ed25519 beside it.
  ours.public_key = "..." + key->public_key();
  EXPECT_THAT(Dkim(&ours), ElementsAre(HasSubstr("fail: another key than the one that signs")));
  EXPECT_THAT(Fix(), HasSubstr("add (or change) s1._domainkey.example.com. IN TXT"));
}

// --- DMARC ---------------------------------------------------------------------------------------

TEST_F(DoctorTest, DmarcOfTheDomainOrOfOneAbove) {
  EXPECT_THAT(Dmarc(), ElementsAre(HasSubstr("warn: no DMARC record")));
  EXPECT_THAT(Fix(), HasSubstr("_dmarc.example.com. \"v=DMARC1; p=none"));
  names_.Text("_dmarc.example.com",
              "v=DMARC1; p=reject; sp=quarantine; pct=20; "
              "rua=mailto:d@example.com");
  EXPECT_THAT(Dmarc(), ElementsAre("ok: policy reject for 20 of 100 messages"));
  EXPECT_THAT(
      Dmarc("mail.example.com"),
      ElementsAre("ok: the policy of example.com holds: quarantine for 20 of 100 messages"));
}

TEST_F(DoctorTest, DmarcThatIsOfLittleUse) {
  names_.Text("_dmarc.example.com", "v=DMARC1; p=none");
  EXPECT_THAT(Dmarc(), ElementsAre(HasSubstr("note: policy none"), HasSubstr("note: no reports")));
  names_.Text("_dmarc.example.com", "v=DMARC1; p=reject");
  EXPECT_THAT(Dmarc(), ElementsAre(HasSubstr("fail: 2 DMARC records")));
}

TEST_F(DoctorTest, DmarcThatIsInvalid) {
  names_.Text("_dmarc.example.com", "v=DMARC1; p=block");
  EXPECT_THAT(Dmarc(), ElementsAre(HasSubstr("fail: the DMARC record of example.com is invalid")));
}

TEST_F(DoctorTest, ReportsToAnotherDomain) {
  names_.Text("_dmarc.example.com", "v=DMARC1; p=reject; rua=mailto:d@reports.example.net");
  EXPECT_THAT(Dmarc(), ElementsAre("ok: policy reject", HasSubstr("warn: reports.example.net has "
                                                                  "not said")));
  names_.Text("example.com._report._dmarc.reports.example.net", "v=DMARC1");
  EXPECT_THAT(Dmarc(), ElementsAre("ok: policy reject"));
}

// --- The report ----------------------------------------------------------------------------------

TEST(ReportTest, ForAPerson) {
  Report report;
  report.BeginGroup("spf");
  report.Ok("example.com", "pass");
  report.Fail("example.net", "the record is \x1b[31mred\n",
              std::string(60, 'x') + " " + std::string(60, 'y') + ".");
  report.BeginGroup("dkim");
  report.Note("s", "nothing");
  EXPECT_EQ(FormatReport(report),
            "spf\n"
            "  ok    example.com  pass\n"
            "  fail  example.net  the record is ?[31mred?\n"
            "        -> " +
                std::string(60, 'x') +
                "\n"
                "           " +
                std::string(60, 'y') +
                ".\n"
                "dkim\n"
                "  note  s  nothing\n"
                "\n"
                "1 ok, 1 note, 0 warnings, 1 failed\n");
  EXPECT_EQ(FormatReport(Report()), "0 ok, 0 notes, 0 warnings, 0 failed\n");
}

TEST(ReportTest, ForMachines) {
  Report report;
  report.BeginGroup("spf");
  report.Warn("example.com", "not \xff UTF-8", "Do it.");
  EXPECT_EQ(FormatReportJson(report),
            "{\"group\":\"spf\",\"level\":\"warn\",\"what\":\"example.com\","
            "\"finding\":\"not \xef\xbf\xbd UTF-8\",\"fix\":\"Do it.\"}\n");
}

// --- The machine ---------------------------------------------------------------------------------

TEST(SystemTest, KernelVersions) {
  EXPECT_TRUE(IsKernelAtLeast("6.1.0-18-amd64", 6, 1));
  EXPECT_TRUE(IsKernelAtLeast("6.12", 6, 1));
  EXPECT_TRUE(IsKernelAtLeast("10.0-rc1", 6, 1));
  EXPECT_FALSE(IsKernelAtLeast("5.19.0", 6, 1));
  EXPECT_FALSE(IsKernelAtLeast("6.0.9", 6, 1));
  EXPECT_FALSE(IsKernelAtLeast("6", 6, 1));
  EXPECT_FALSE(IsKernelAtLeast("unknown", 6, 1));
}

TEST(SystemTest, LimitsOfAProcess) {
  const std::string text =
      "Limit                     Soft Limit           Hard Limit           Units     \n"
      "Max open files            1024                 524288               files     \n"
      "Max locked memory         unlimited            unlimited            bytes     \n"
      "Max nice priority         zero                 0                    \n";
  ASSERT_TRUE(LimitOf(text, "Max open files").has_value());
  EXPECT_EQ(LimitOf(text, "Max open files")->soft, 1024u);
  EXPECT_EQ(LimitOf(text, "Max open files")->hard, 524288u);
  EXPECT_EQ(LimitOf(text, "Max locked memory")->hard, UINT64_MAX);
  EXPECT_FALSE(LimitOf(text, "Max nice priority").has_value());
  EXPECT_FALSE(LimitOf(text, "Max open").has_value());
}

TEST(SystemTest, WhoMayWrite) {
  struct stat file = {};
  file.st_uid = 10;
  file.st_gid = 20;
  file.st_mode = S_IFREG | 0640;
  EXPECT_TRUE(MayWrite(file, {.user = 10, .group = 99}));
  EXPECT_FALSE(MayWrite(file, {.user = 11, .group = 20}));
  EXPECT_TRUE(MayWrite(file, {.user = 0, .group = 0}));
  file.st_mode = S_IFDIR | 0720;  // to make a file takes the right to go there
  EXPECT_FALSE(MayWrite(file, {.user = 11, .group = 20}));
  file.st_mode = S_IFDIR | 0730;
  EXPECT_TRUE(MayWrite(file, {.user = 11, .group = 20}));
  // The owner is judged as the owner, whatever others may.
  file.st_mode = S_IFDIR | 0577;
  EXPECT_FALSE(MayWrite(file, {.user = 10, .group = 20}));
  EXPECT_TRUE(MayWrite(file, {.user = 11, .group = 11}));
}

TEST(SystemTest, TemporaryAddresses) {
  const std::string text =
      "20010db8000000000000000000000001 02 40 00 80     eth0\n"
      "20010db800000000123456789abcdef0 02 40 00 01     eth0\n";
  EXPECT_FALSE(IsTemporary(Address("2001:db8::1"), text));
  EXPECT_TRUE(IsTemporary(Address("2001:db8::1234:5678:9abc:def0"), text));
  EXPECT_FALSE(IsTemporary(Address("2001:db8::2"), text));
}

TEST(SystemTest, TheDomainOfAHost) {
  EXPECT_EQ(DomainOfHost("Relay.Example.com"), "example.com");
  EXPECT_EQ(DomainOfHost("example.com"), "example.com");
  EXPECT_EQ(DomainOfHost("relay"), "");
  EXPECT_EQ(DomainOfHost("[192.0.2.1]"), "");
}

}  // namespace
}  // namespace outbox::tools
