// The event log on the disk: whole lines, whatever an earlier run has left.
#include "tools/log_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

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

// `outboxd 2>&1 | a program that has stopped reading`.
TEST_F(LogFileTest, AReaderThatHangsLosesLinesAndGetsWholeOnesAfterwards) {
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  const int reader = open(path_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  ASSERT_GE(reader, 0);
  const auto drain = [reader] {
    std::string all;
    char bytes[4096];
    for (ssize_t size = 0; (size = read(reader, bytes, sizeof bytes)) > 0;) {
      all.append(bytes, static_cast<size_t>(size));
    }
    return all;
  };
  LogFile log(path_, /*patience_ms=*/10);
  ASSERT_TRUE(log.Open().ok());
  const std::string line = std::string(99, 'x') + "\n";
  std::string lines;
  for (int i = 0; i < 97; ++i) lines += line;
  int taken = 0;
  while (log.Write(lines)) ASSERT_LT(++taken, 1000);
  EXPECT_FALSE(log.Write(lines));
  std::string all = drain();
  EXPECT_TRUE(log.Write("after\n"));
  EXPECT_TRUE(log.Write("that\n"));
  all += drain();
  EXPECT_TRUE(all.ends_with("\nafter\nthat\n")) << all.substr(all.size() - 200);
  EXPECT_EQ(all.find("xafter"), std::string::npos);
  close(reader);
}

}  // namespace
}  // namespace outbox::tools
