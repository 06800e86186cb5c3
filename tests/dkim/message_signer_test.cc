// A message from its octets to its DKIM-Signature fields. That others verify them is for tests/e2e;
// here: what they say, what they cover, and that pieces make no difference.
#include "dkim/message_signer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "core/limits.h"
#include "core/time.h"
#include "tests/dkim/rfc_keys.h"

namespace outbox::dkim {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr int64_t kNow = int64_t{1'528'637'909} * core::kNsPerSecond;
constexpr char kHeader[] =
    "From: Joe <joe@example.com>\r\nTo: a@example.net\r\nSubject: Is dinner ready?\r\n"
    "to: b@example.net\r\n";
constexpr char kBody[] = "Hi.\r\n\r\n..\r\nJoe.\r\n\r\n.\r\n";

core::DkimConfig SigningEntry() {
  core::DkimConfig entry;
  entry.domains = {"example.com"};
  entry.selector = "s1";
  entry.headers = {"from", "to", "subject", "date"};
  entry.oversign = {"from", "date"};
  entry.key = RfcEd25519Key();
  return entry;
}

struct Signed {
  std::string fields;
  core::Status status;
};

Signed Sign(const std::vector<core::DkimConfig>& entries, const std::string& header = kHeader,
            const std::string& body = kBody, size_t piece = 1000, const std::string& added = "") {
  auto config = std::make_shared<core::Config>();
  config->dkim = entries;
  MessageSigner signer(SigningTable::Make(config), "example.com", header);
  for (size_t at = 0; at < body.size(); at += piece) signer.AppendBody(body.substr(at, piece));
  Signed made;
  made.status = signer.Sign(added, kNow, &made.fields);
  return made;
}

// The value of a tag, without the folding.
std::string Tag(const std::string& fields, const std::string& name) {
  std::string text;
  for (const char c : fields) {
    if (c != '\r' && c != '\n' && c != '\t' && c != ' ') text.push_back(c);
  }
  size_t at = text.find(";" + name + "=");
  if (at == std::string::npos) return "(none)";
  at += name.size() + 2;
  return text.substr(at, text.find(';', at) - at);
}

TEST(MessageSignerTest, WhatAFieldSays) {
  core::DkimConfig entry = SigningEntry();
  entry.expire_ns = 7 * core::kNsPerDay;
  entry.identity = "@news.example.com";
  const Signed made = Sign({entry});
  EXPECT_TRUE(made.status.ok());
  EXPECT_THAT(made.fields, StartsWith("DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/"));
  EXPECT_THAT(made.fields, testing::EndsWith("==\r\n"));
  EXPECT_EQ(Tag(made.fields, "q"), "dns/txt");
  EXPECT_EQ(Tag(made.fields, "d"), "example.com");
  EXPECT_EQ(Tag(made.fields, "s"), "s1");
  EXPECT_EQ(Tag(made.fields, "i"), "@news.example.com");
  EXPECT_EQ(Tag(made.fields, "t"), "1528637909");
  EXPECT_EQ(Tag(made.fields, "x"), "1529242709");
  EXPECT_EQ(Tag(made.fields, "l"), "(none)");
  // As often as they are there, and of two one more.
  EXPECT_EQ(Tag(made.fields, "h"), "from:to:to:subject:from:date");
  BodyHash hash(/*relaxed=*/true);
  hash.Update("Hi.\r\n\r\n.\r\nJoe.\r\n");
  EXPECT_EQ(Tag(made.fields, "bh"), Base64(AsBytes(hash.Result())));
}

TEST(MessageSignerTest, WhatIsSigned) {
  std::string canonical =
      "from:Joe <joe@example.com>\r\nto:b@example.net\r\nto:a@example.net\r\n"
      "subject:Is dinner ready?\r\ndate:today\r\n";
  const Signed made =
      Sign({SigningEntry()}, kHeader, kBody, 1000, "Received: x\r\nDate: today\r\n");
  // The field itself comes last, without its signature and its CRLF.
  const size_t b = made.fields.find("\tb=") + 3;
  AppendCanonicalField(made.fields.substr(0, b), /*relaxed=*/true, &canonical);
  Sha256 sha;
  sha.Update(canonical);
  std::string signature;
  ASSERT_TRUE(RfcEd25519Key()->Sign(sha.Finish(), &signature));
  EXPECT_EQ(Tag(made.fields, "b"), Base64(signature));
}

TEST(MessageSignerTest, PiecesMakeNoDifference) {
  core::DkimConfig simple = SigningEntry();
  simple.relaxed_header = simple.relaxed_body = false;
  const Signed whole = Sign({SigningEntry(), simple});
  for (size_t piece = 1; piece < sizeof(kBody); ++piece) {
    EXPECT_EQ(Sign({SigningEntry(), simple}, kHeader, kBody, piece).fields, whole.fields) << piece;
  }
}

TEST(MessageSignerTest, TwoKeysMakeTwoFields) {
  core::DkimConfig rsa = SigningEntry();
  rsa.selector = "s2";
  rsa.key = RfcRsaKey();
  const Signed made = Sign({SigningEntry(), rsa});
  const size_t second = made.fields.find("DKIM-Signature:", 1);
  ASSERT_NE(second, std::string::npos);
  EXPECT_THAT(made.fields.substr(0, second), HasSubstr("a=ed25519-sha256"));
  EXPECT_THAT(made.fields.substr(second), HasSubstr("a=rsa-sha256"));
  // Neither covers the other: in another order they are the same.
  EXPECT_EQ(Sign({rsa, SigningEntry()}).fields,
            made.fields.substr(second) + made.fields.substr(0, second));
}

TEST(MessageSignerTest, LinesAreFolded) {
  core::DkimConfig entry = SigningEntry();
  entry.key = RfcRsaKey();
  entry.selector = std::string(60, 's');
  entry.identity = "@" + std::string(60, 'a') + "." + std::string(60, 'b') + ".example.com";
  for (int i = 0; i < 40; ++i) entry.headers.push_back("x-field-" + std::to_string(i));
  entry.oversign = entry.headers;
  const std::string fields = Sign({entry}).fields;
  size_t lines = 0;
  for (size_t at = 0; at < fields.size(); ++lines) {
    const size_t end = fields.find("\r\n", at);
    ASSERT_NE(end, std::string::npos);
    const std::string line = fields.substr(at, end - at);
    EXPECT_TRUE(line.size() <= 78 || line.find("i=@") != std::string::npos) << line;
    EXPECT_GT(line.size(), 1u);
    EXPECT_EQ(line[0], at > 0 ? '\t' : 'D');
    at = end + 2;
  }
  EXPECT_GT(lines, 10u);
}

TEST(MessageSignerTest, TooManyFields) {
  std::string header = kHeader;
  for (size_t i = 0; i < core::kDkimFieldsMax; ++i) header += "To: x@example.net\r\n";
  core::DkimConfig few = SigningEntry();
  few.headers = {"from"};
  const Signed made = Sign({SigningEntry(), few}, header);
  EXPECT_THAT(made.status.message(), HasSubstr("more than 256 header fields"));
  // The one that can be made is.
  EXPECT_EQ(Tag(made.fields, "h"), "from:from:date");
}

}  // namespace
}  // namespace outbox::dkim
