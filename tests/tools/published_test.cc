// What domains publish for DKIM and DMARC, as it should be and as it is found.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "tools/doctor/dkim_key.h"
#include "tools/doctor/dmarc_record.h"
#include "tools/doctor/tag_list.h"

namespace outbox::tools {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Public keys as OpenSSL writes them.
constexpr const char* kRsa512 =
    "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBANH3xB8i8Qg8SUm5oSDeS78fviAGVUPXQNkZ1Rqke/yA4y6S+r6UPikS"
    "vBJ+VVE+5EjRGn7+rcvEG0Lqt7dT5HkCAwEAAQ==";
constexpr const char* kRsa1024 =
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDeUIYB0jLgCs3pn8W6zhkiSy2evjdqbvCdrM1mKS3E0tYgrJmv"
    "KdiE95LVKTefT3+RoqG/6c9OjDntj75tUg87LbiWlBu6McSp6S1b9/thwPQEJSHGmcB6BwipaN0aSZeX2g7FTRV1"
    "LaCrUz8l+LqX4dIr9IFY2a3EG5rj+hIyowIDAQAB";
constexpr const char* kRsa2048 =
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAtlMzkuSk7cucvmqqsxW0Vwzu97AtRGsZLvki92gsKFbR"
    "t6RHZRGdO0tTe8drvL5tJiVcDu6ohC2DyAvLG/VqSAMwbShtvXrJ+G4K8uhl8mXsTNgKVW6BIa/JeliDTBAP7bHa"
    "Gfd7QWmXti0MMCXUCj2DGr72ehdUOeFxFWiA6APUTvOjOCWPrxY+5UgkVTKQYQelNJV6dtJnUQvEAdtMJHNvhNgx"
    "V4gLxk3Wc8qkNaRR9XT2MrysW2DKN5crczcJJ/wEMCV31IAi6EDBJuun2uj8UXkVtu3hOOeem3Cc72lrmmuo3gEt"
    "Z0sOKG5Xm9+02zrEDJjkO238wtlk9fo4PQIDAQAB";
// The one of 1024 bits as RSAPublicKey.
constexpr const char* kBareRsa1024 =
    "MIGJAoGBAN5QhgHSMuAKzemfxbrOGSJLLZ6+N2pu8J2szWYpLcTS1iCsma8p2IT3ktUpN59Pf5Giob/pz06MOe2P"
    "vm1SDzstuJaUG7oxxKnpLVv3+2HA9AQlIcaZwHoHCKlo3RpJl5faDsVNFXUtoKtTPyX4upfh0iv0gVjZrcQbmuP6"
    "EjKjAgMBAAE=";
constexpr const char* kEllipticCurve =
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEWdVpufHYTwAeoX7QJBMJh2bbjIjXm1hK2bDYeyJ18cuEDAS+DcNs"
    "Tn3NBy9jhpmsYj6S4a0y8NwbedIjLjjDIQ==";
constexpr const char* kEd25519 = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";  // RFC 8463 A.2

TEST(TagListTest, BlanksAndTheLastSemicolon) {
  const auto tags = TagList::Parse(" a = 1 ;b=x y;\tc= ; ");
  ASSERT_TRUE(tags.ok()) << tags.status().message();
  ASSERT_EQ(tags->tags().size(), 3u);
  EXPECT_EQ(*tags->Find("a"), "1");
  EXPECT_EQ(*tags->Find("b"), "x y");
  EXPECT_EQ(*tags->Find("c"), "");
  EXPECT_EQ(tags->Find("A"), nullptr);
  EXPECT_TRUE(TagList::Parse("").ok());
  for (const char* const wrong :
       {"a", "=1", "a=1;;b=2", "a=1;a=2", "1a=2", "a=\xc3\xa4", "a-b=1"}) {
    EXPECT_FALSE(TagList::Parse(wrong).ok()) << wrong;
  }
}

// --- DKIM ----------------------------------------------------------------------------------------

TEST(DkimKeyTest, KeysOfEverySize) {
  for (const auto& [key, bits] : {std::pair(kRsa512, 512u), std::pair(kRsa1024, 1024u),
                                  std::pair(kRsa2048, 2048u), std::pair(kBareRsa1024, 1024u)}) {
    const auto read = ParseDkimKey(std::string("v=DKIM1; k=rsa; p=") + key);
    ASSERT_TRUE(read.ok()) << read.status().message();
    EXPECT_EQ(read->bits, bits);
    EXPECT_EQ(read->bare, key == kBareRsa1024);
    EXPECT_FALSE(read->revoked);
    EXPECT_FALSE(read->testing);
  }
}

TEST(DkimKeyTest, WhatMayBeLeftOutAndWhatIsIgnored) {
  for (const std::string before :
       {"", "k=rsa;", "v=DKIM1;h=sha1:sha256;s=email : tlsrpt;t=s;n=ours;"}) {
    EXPECT_TRUE(ParseDkimKey(before + "p=" + kRsa1024).ok()) << before;
  }
  // Long keys are often folded.
  std::string folded = kRsa2048;
  folded.insert(100, " \r\n\t");
  EXPECT_EQ(ParseDkimKey("p=" + folded)->bits, 2048u);
  EXPECT_TRUE(ParseDkimKey(std::string("t=s:y; p=") + kRsa1024)->testing);
}

TEST(DkimKeyTest, Ed25519) {
  const auto key = ParseDkimKey(std::string("v=DKIM1; k=ed25519; p=") + kEd25519);
  ASSERT_TRUE(key.ok());
  EXPECT_EQ(key->type, "ed25519");
  EXPECT_EQ(key->bits, 256u);
  const auto wrapped = ParseDkimKey(std::string("k=ed25519; p=") + kRsa512);
  ASSERT_FALSE(wrapped.ok());
  EXPECT_THAT(wrapped.status().message(), HasSubstr("32"));
}

TEST(DkimKeyTest, AnEmptyKeyIsRevoked) {
  const auto key = ParseDkimKey("v=DKIM1; p=");
  ASSERT_TRUE(key.ok());
  EXPECT_TRUE(key->revoked);
}

TEST(DkimKeyTest, WhatIsWrongIsNamed) {
  const std::string p = std::string("p=") + kRsa1024;
  const struct {
    std::string record;
    const char* what;
  } rows[] = {
      {"v=DKIM2; " + p, "DKIM1"},
      {p + "; v=DKIM1", "must come first"},
      {"k=dsa; " + p, "\"k=dsa\" is unknown"},
      {"h=sha1; " + p, "does not allow sha256"},
      {"s=tlsrpt; " + p, "does not allow mail"},
      {"v=DKIM1; k=rsa", "is missing"},
      {"p=***", "no base64"},
      {"p=aGVsbG8=", "no RSA key"},
      {p.substr(0, 150), "no RSA key"},
      {std::string("p=") + kEllipticCurve, "no RSA key"},
      {"v=spf1 -all", "must come first"},
      {p + "; " + p, "twice"},
  };
  for (const auto& row : rows) {
    const auto key = ParseDkimKey(row.record);
    ASSERT_FALSE(key.ok()) << row.record;
    EXPECT_THAT(key.status().message(), HasSubstr(row.what)) << row.record;
  }
}

// Whatever is cut off or changed, no key is read beyond its end.
TEST(DkimKeyTest, EveryCutOfAKey) {
  std::string der;
  ASSERT_TRUE(absl::Base64Unescape(kRsa1024, &der));
  bool bare = false;
  for (size_t size = 0; size < der.size(); ++size) {
    const std::string cut = der.substr(0, size);
    EXPECT_EQ(RsaKeyBits(cut, &bare), 0u) << size;
  }
  EXPECT_EQ(RsaKeyBits(der + "x", &bare), 0u);
  for (size_t at = 0; at < der.size(); ++at) {
    std::string changed = der;
    changed[at] = static_cast<char>(0xff);
    RsaKeyBits(changed, &bare);
  }
}

// --- DMARC ---------------------------------------------------------------------------------------

TEST(DmarcRecordTest, TheVersionComesFirst) {
  EXPECT_TRUE(IsDmarcRecord("v=DMARC1"));
  EXPECT_TRUE(IsDmarcRecord("v = DMARC1 ; p=none"));
  EXPECT_FALSE(IsDmarcRecord("p=none; v=DMARC1"));
  EXPECT_FALSE(IsDmarcRecord("v=DMARC2; p=none"));
  EXPECT_FALSE(IsDmarcRecord("v=spf1 -all"));
  EXPECT_FALSE(IsDmarcRecord(""));
}

TEST(DmarcRecordTest, PolicyAndReports) {
  const auto record = ParseDmarc(
      "v=DMARC1; p=Quarantine; sp=reject; pct=50; adkim=s; aspf=r; fo=1; x=y; "
      "rua=mailto:a@example.com!10m, MAILTO:b@Reports.Example.net; ruf=mailto:c@example.org");
  ASSERT_TRUE(record.ok()) << record.status().message();
  EXPECT_EQ(record->policy, "quarantine");
  EXPECT_EQ(record->subdomain_policy, "reject");
  EXPECT_EQ(record->percent, 50);
  EXPECT_THAT(record->report_domains, ElementsAre("example.com", "reports.example.net"));
  EXPECT_EQ(ParseDmarc("v=DMARC1;p=none;")->subdomain_policy, "none");
}

TEST(DmarcRecordTest, WhatIsWrongIsNamed) {
  const struct {
    const char* record;
    const char* what;
  } rows[] = {
      {"v=DMARC1", "\"p=\" is missing"},
      {"v=DMARC1; p=block", "p=block"},
      {"v=DMARC1; p=none; sp=", "sp="},
      {"v=DMARC1; p=none; pct=101", "0 to 100"},
      {"v=DMARC1; p=none; pct=-1", "0 to 100"},
      {"v=DMARC1; p=none; pct=x", "0 to 100"},
      {"v=DMARC1; p=none; adkim=strict", "r or s"},
      {"v=DMARC1; p=none; rua=a@example.com", "mailto:"},
      {"v=DMARC1; p=none; rua=mailto:@example.com", "mailto:"},
      {"v=DMARC1; p=none; rua=mailto:a@example.com,", "mailto:"},
      {"v=DMARC1; p=none; rua=https://example.com/", "mailto:"},
      {"v=DMARC1; p=none; p=reject", "twice"},
      {"v=DMARC1, p=none", "p=\" is missing"},
  };
  for (const auto& row : rows) {
    const auto record = ParseDmarc(row.record);
    ASSERT_FALSE(record.ok()) << row.record;
    EXPECT_THAT(record.status().message(), HasSubstr(row.what)) << row.record;
  }
}

}  // namespace
}  // namespace outbox::tools
