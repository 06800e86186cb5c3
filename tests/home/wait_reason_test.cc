// Every reason that can hold mail has its words: none is without.
#include "queue/wait_reason.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace outbox::queue {
namespace {

TEST(WaitReason, EachHasItsOwnNameAndSentences) {
  std::set<std::string> names;
  std::set<std::string> sentences;
  int index = 0;
  for (const WaitReasonInfo& info : WaitReasonTable()) {
    EXPECT_EQ(static_cast<int>(info.reason), index++) << info.name;
    EXPECT_EQ(&InfoOf(info.reason), &info);
    EXPECT_TRUE(names.insert(info.name).second) << info.name;
    EXPECT_TRUE(sentences.insert(info.what).second) << info.what;
    for (const std::string sentence : {info.what, info.lifts}) {
      EXPECT_GE(sentence.size(), 8u) << info.name;
      EXPECT_NE(sentence.back(), '.') << info.name;
    }
  }
  // The last of the enum is in the table as well.
  EXPECT_EQ(index, static_cast<int>(WaitReason::kPurged) + 1);
}

}  // namespace
}  // namespace outbox::queue
