// The event log on the disk: whole lines, whatever an earlier run has left.
#include "tools/log_file.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace outbox::tools {
namespace {

class LogFileTest : public testing::Test {
 protected:
  LogFileTest() {
    char name[] = "/tmp/outbox-log-XXXXXX";
    directory_ = mkdtemp(name);
    path_ = directory_ + "/log";
  }
  ~LogFileTest() override { std::filesystem::remove_all(directory_); }

  void Put(const std::string& text) { std::ofstream(path_, std::ios::app) << text; }
  static std::string Get(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::string directory_;
  std::string path_;
};

TEST_F(LogFileTest, ALineThatWasTornByAPowerFailureStaysAlone) {
  Put("whole\n{\"event\":\"deliv");
  LogFile log(path_);
  ASSERT_TRUE(log.Open().ok());
  ASSERT_TRUE(log.Write("next\n"));
  ASSERT_TRUE(log.Open().ok());
  ASSERT_TRUE(log.Write("last\n"));
  EXPECT_EQ(Get(path_), "whole\n{\"event\":\"deliv\nnext\nlast\n");
}

TEST_F(LogFileTest, ARotationLosesNothing) {
  LogFile log(path_);
  ASSERT_TRUE(log.Open().ok());
  ASSERT_TRUE(log.Write("one\n"));
  std::filesystem::rename(path_, path_ + ".1");
  ASSERT_TRUE(log.Write("two\n"));
  ASSERT_TRUE(log.Open().ok());
  ASSERT_TRUE(log.Write("three\n"));
  EXPECT_EQ(Get(path_ + ".1"), "one\ntwo\n");
  EXPECT_EQ(Get(path_), "three\n");
}

// The directory is gone: what was open goes on.
TEST_F(LogFileTest, AFileThatCannotBeOpenedAnewChangesNothing) {
  LogFile log(path_);
  ASSERT_TRUE(log.Open().ok());
  EXPECT_FALSE(log.Switch(directory_ + "/no/log").ok());
  ASSERT_TRUE(log.Write("one\n"));
  EXPECT_EQ(Get(path_), "one\n");
}

}  // namespace
}  // namespace outbox::tools
