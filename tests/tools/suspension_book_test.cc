// What is suspended lies in the spool, whole or not at all.
#include "tools/suspension_book.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/crc32c.h"
#include "core/limits.h"

namespace outbox::tools {
namespace {

using queue::Suspension;

class SuspensionBookTest : public testing::Test {
 protected:
  SuspensionBookTest() {
    std::string pattern = std::filesystem::temp_directory_path() / "outbox-book-XXXXXX";
    spool_ = ::mkdtemp(pattern.data());
  }
  ~SuspensionBookTest() override { std::filesystem::remove_all(spool_); }

  static Suspension Of(const std::string& name, int64_t until_wall_ns = 0) {
    return {.name = name,
            .site = false,
            .since_wall_ns = 5,
            .until_wall_ns = until_wall_ns,
            .by = "alice",
            .reason = "a \"reason\" with \xff"};
  }
  std::string Text() const {
    std::ifstream file(spool_ / "suspended.json");
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void Write(const std::string& text) { std::ofstream(spool_ / "suspended.json") << text; }

  std::filesystem::path spool_;
};

TEST_F(SuspensionBookTest, ItIsThereAfterARestart) {
  SuspensionBook book(spool_);
  ASSERT_TRUE(book.Load(1).ok());
  EXPECT_TRUE(book.list()->empty());
  bool replaced = true;
  Suspension site = Of("large", 100);
  site.site = true;
  ASSERT_TRUE(book.Put(Of("example.net"), &replaced).ok());
  EXPECT_FALSE(replaced);
  ASSERT_TRUE(book.Put(site, &replaced).ok());
  ASSERT_TRUE(book.Put(Of("example.net", 50), &replaced).ok());
  EXPECT_TRUE(replaced);
  EXPECT_EQ(book.next_wall_ns(), 50);
  SuspensionBook again(spool_);
  ASSERT_TRUE(again.Load(1).ok());
  ASSERT_EQ(again.list()->all().size(), 2u);
  EXPECT_EQ(again.list()->all()[0].until_wall_ns, 50);
  EXPECT_EQ(again.list()->all()[1], [&] {
    Suspension read = site;
    read.reason = "a \"reason\" with \xef\xbf\xbd";
    return read;
  }());
  // What was over while it was down is left out.
  ASSERT_TRUE(again.Load(50).ok());
  EXPECT_EQ(again.list()->all().size(), 1u);
}

TEST_F(SuspensionBookTest, WhatIsOverOrResumedIsGone) {
  SuspensionBook book(spool_);
  bool replaced = false;
  ASSERT_TRUE(book.Put(Of("a.example", 10), &replaced).ok());
  ASSERT_TRUE(book.Put(Of("b.example", 20), &replaced).ok());
  ASSERT_TRUE(book.Put(Of("c.example"), &replaced).ok());
  EXPECT_TRUE(book.Expire(9).empty());
  EXPECT_EQ(book.Expire(10).size(), 1u);
  EXPECT_EQ(book.next_wall_ns(), 20);
  std::vector<Suspension> removed;
  ASSERT_TRUE(book.Remove(false, "c.example", /*site=*/true, &removed).ok());
  EXPECT_TRUE(removed.empty());
  ASSERT_TRUE(book.Remove(false, "c.example", /*site=*/false, &removed).ok());
  EXPECT_EQ(removed.size(), 1u);
  SuspensionBook again(spool_);
  ASSERT_TRUE(again.Load(1).ok());
  ASSERT_EQ(again.list()->all().size(), 1u);
  removed.clear();
  ASSERT_TRUE(again.Remove(true, "", false, &removed).ok());
  EXPECT_TRUE(again.list()->empty());
  EXPECT_EQ(again.next_wall_ns(), 0);
}

TEST_F(SuspensionBookTest, NothingChangesWhenItCannotBeWritten) {
  SuspensionBook book(spool_);
  bool replaced = false;
  ASSERT_TRUE(book.Put(Of("a.example"), &replaced).ok());
  const std::string before = Text();
  std::filesystem::create_directory(spool_ / "suspended.json.new");  // it is in the way
  const core::Status status = book.Put(Of("b.example"), &replaced);
  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.message().find("suspended.json.new"), std::string::npos);
  EXPECT_EQ(book.list()->all().size(), 1u);
  EXPECT_EQ(Text(), before);
}

TEST_F(SuspensionBookTest, OneMoreThanThereMayBeIsRefused) {
  nlohmann::json entries = nlohmann::json::array();
  for (size_t i = 0; i < core::kSuspensions; ++i) {
    entries.push_back({{"domain", std::to_string(i) + ".example"},
                       {"since_ns", 5},
                       {"until_ns", 0},
                       {"by", "alice"},
                       {"reason", ""}});
  }
  Write(nlohmann::json({{"version", 1},
                        {"crc32c", core::Crc32c(entries.dump())},
                        {"suspended", entries}})
            .dump());
  SuspensionBook book(spool_);
  bool replaced = false;
  ASSERT_TRUE(book.Load(1).ok());
  EXPECT_EQ(book.Put(Of("more.example"), &replaced).code(), core::StatusCode::kResourceExhausted);
  EXPECT_TRUE(book.Put(Of("7.example", 9), &replaced).ok());
  EXPECT_TRUE(replaced);
}

TEST_F(SuspensionBookTest, ADamagedOneIsAnError) {
  SuspensionBook book(spool_);
  bool replaced = false;
  ASSERT_TRUE(book.Put(Of("example.net"), &replaced).ok());
  const std::string good = Text();
  for (size_t i = 0; i < good.size(); i += 3) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    Write(bad);
    SuspensionBook again(spool_);
    const core::Status status = again.Load(1);
    if (status.ok()) {  // a blank that does not matter
      EXPECT_EQ(again.list()->all(), book.list()->all()) << i;
      continue;
    }
    EXPECT_EQ(status.code(), core::StatusCode::kDataLoss) << i;
    EXPECT_NE(status.message().find("suspended.json: is damaged"), std::string::npos);
  }
  for (const std::string& bad : {std::string(), good.substr(0, good.size() / 2), good + good}) {
    Write(bad);
    EXPECT_EQ(SuspensionBook(spool_).Load(1).code(), core::StatusCode::kDataLoss);
  }
}

}  // namespace
}  // namespace outbox::tools
