// Whole resolutions, from the question of an owner to the plan.
#include "dns/resolver.h"

#include <gtest/gtest.h>

namespace outbox::dns {
namespace {

TEST(QueryTest, IsNotInFlightBeforeItIsAsked) {
  Query query;
  EXPECT_FALSE(query.in_flight());
}

}  // namespace
}  // namespace outbox::dns
