// The table of states: names, and what may follow what.
#include "queue/recipient_state.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace outbox::queue {
namespace {

using enum RecipientState;

TEST(RecipientState, TheTableIsInTheOrderOfTheEnumAndNamesAreUnique) {
  std::set<std::string> names;
  int index = 0;
  for (const RecipientStateInfo& info : RecipientStateTable()) {
    EXPECT_EQ(static_cast<int>(info.state), index++);
    EXPECT_EQ(RecipientStateName(info.state), info.name);
    EXPECT_EQ(ParseRecipientState(info.name), info.state);
    EXPECT_NE(info.next, 0) << info.name << " would be for ever";
    names.insert(info.name);
  }
  EXPECT_EQ(index, kRecipientStates);
  EXPECT_EQ(names, (std::set<std::string>{"unrouted", "resolving", "ready", "sending", "deferred",
                                          "delayed", "held", "purged"}));
  EXPECT_EQ(ParseRecipientState("gone"), std::nullopt);
}

TEST(RecipientState, OnlyWhatIsReadyIsSent) {
  for (const RecipientStateInfo& info : RecipientStateTable()) {
    EXPECT_EQ(MayFollow(info.state, kSending), info.state == kReady || info.state == kSending);
  }
}

TEST(RecipientState, WhoWasToldIsNotForgotten) {
  EXPECT_FALSE(MayFollow(kDelayed, kDeferred));
  EXPECT_TRUE(MayFollow(kDelayed, kReady));
  EXPECT_TRUE(MayFollow(kDeferred, kDelayed));
}

TEST(RecipientState, NobodyIsHeldOrPurgedInTheMiddleOfADelivery) {
  EXPECT_FALSE(MayFollow(kSending, kHeld));
  EXPECT_FALSE(MayFollow(kSending, kPurged));
  EXPECT_FALSE(MayFollow(kSending, kResolving));
}

TEST(RecipientState, WhatIsPurgedIsTakenBackBeforeItIsSent) {
  for (const RecipientStateInfo& info : RecipientStateTable()) {
    EXPECT_EQ(MayFollow(info.state, kPurged), info.state != kSending) << info.name;
  }
  EXPECT_FALSE(MayFollow(kPurged, kSending));
  EXPECT_TRUE(MayFollow(kPurged, kDeferred));
  EXPECT_TRUE(MayFollow(kPurged, kHeld));
  EXPECT_EQ(kUsualStates | StateBit(kPurged), kAllStates);
  EXPECT_EQ(kUsualStates & StateBit(kPurged), 0);
}

}  // namespace
}  // namespace outbox::queue
