// Whose mail is signed, with which entries, and for which domain.
#include "dkim/signing_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/dkim/rfc_keys.h"

namespace outbox::dkim {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

core::DkimConfig Entry(const std::string& selector, const std::vector<std::string>& domains) {
  core::DkimConfig entry;
  entry.selector = selector;
  entry.domains = domains;
  entry.headers = {"from"};
  entry.key = RfcEd25519Key();
  return entry;
}

std::shared_ptr<const SigningTable> Table(const std::vector<core::DkimConfig>& entries) {
  auto config = std::make_shared<core::Config>();
  config->dkim = entries;
  return SigningTable::Make(config);
}

// "selector d=domain" of each.
std::vector<std::string> Select(const SigningTable& table, std::string_view domain) {
  std::vector<std::string> found;
  const Selection selection = table.Select(domain);
  for (const Selection::One& one : selection.all()) {
    found.push_back(one.rule->selector + " d=" + std::string(one.domain));
  }
  return found;
}

TEST(SigningTableTest, NamesAndPatterns) {
  core::DkimConfig provider = Entry("p", {"*"});
  provider.signing_domain = "provider.example";
  const auto table = Table({Entry("a", {"example.com", "example.net"}),
                            Entry("b", {"*.example.com"}), Entry("c", {"news.example.com"}),
                            Entry("d", {"*.example.com", "example.com"}), provider});
  EXPECT_THAT(Select(*table, "example.com"),
              ElementsAre("a d=example.com", "d d=example.com", "p d=provider.example"));
  EXPECT_THAT(Select(*table, "example.net"),
              ElementsAre("a d=example.net", "p d=provider.example"));
  EXPECT_THAT(Select(*table, "news.example.com"),
              ElementsAre("b d=example.com", "c d=news.example.com", "d d=example.com",
                          "p d=provider.example"));
  EXPECT_THAT(Select(*table, "a.b.example.com"),
              ElementsAre("b d=example.com", "d d=example.com", "p d=provider.example"));
  EXPECT_THAT(Select(*table, "badexample.com"), ElementsAre("p d=provider.example"));
  EXPECT_THAT(Select(*table, ""), IsEmpty());
}

TEST(SigningTableTest, OneKeyForWhoeverPublishesIt) {
  const auto table = Table({Entry("k", {"*"})});
  EXPECT_THAT(Select(*table, "customer.example"), ElementsAre("k d=customer.example"));
}

TEST(SigningTableTest, NothingToSign) {
  EXPECT_EQ(Table({}), nullptr);
  EXPECT_THAT(Select(*Table({Entry("a", {"example.com"})}), "example.net"), IsEmpty());
}

TEST(SigningTableTest, TheFirstOnesOfMoreThanTheBound) {
  std::vector<core::DkimConfig> entries;
  for (int i = 0; i < 30; ++i) {
    // The names are looked up before the patterns; the order of the file counts all the same.
    entries.push_back(Entry("s" + std::to_string(i), {i % 2 == 0 ? "*" : "a.example"}));
  }
  EXPECT_THAT(Select(*Table(entries), "a.example"),
              ElementsAre("s0 d=a.example", "s1 d=a.example", "s2 d=a.example", "s3 d=a.example",
                          "s4 d=a.example", "s5 d=a.example", "s6 d=a.example", "s7 d=a.example"));
}

}  // namespace
}  // namespace outbox::dkim
