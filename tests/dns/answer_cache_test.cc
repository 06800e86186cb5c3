// What is kept, until when, and what makes room; the servers' turns; the system's servers.
#include "dns/answer_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "core/limits.h"
#include "dns/name_servers.h"
#include "dns/system_servers.h"

namespace outbox::dns {
namespace {

using testing::ElementsAre;

AnswerPtr Until(int64_t expires_ns) {
  auto answer = std::make_shared<Answer>();
  answer->expires_ns = expires_ns;
  return answer;
}

TEST(AnswerCacheTest, UntilItExpires) {
  AnswerCache cache(10);
  const AnswerPtr answer = Until(100);
  cache.Put("a", answer, 50);
  EXPECT_EQ(cache.Find("a", 99), answer);
  EXPECT_EQ(cache.Find("b", 99), nullptr);
  EXPECT_EQ(cache.Find("a", 100), nullptr);
  EXPECT_EQ(cache.size(), 0u);
}

TEST(AnswerCacheTest, WhatHasExpiredIsNotKeptAndReplacesWhatWasThere) {
  AnswerCache cache(10);
  cache.Put("a", Until(100), 50);
  cache.Put("a", Until(60), 60);
  EXPECT_EQ(cache.Find("a", 61), nullptr);
}

TEST(AnswerCacheTest, TheLeastUsedMakesRoom) {
  AnswerCache cache(3);
  for (const char* key : {"a", "b", "c"}) cache.Put(key, Until(100), 0);
  EXPECT_NE(cache.Find("a", 1), nullptr);
  cache.Put("d", Until(100), 1);
  EXPECT_EQ(cache.size(), 3u);
  EXPECT_EQ(cache.Find("b", 1), nullptr);
  for (const char* key : {"a", "c", "d"}) EXPECT_NE(cache.Find(key, 1), nullptr) << key;
  cache.Clear();
  EXPECT_EQ(cache.size(), 0u);
}

TEST(AnswerCacheTest, TypesDoNotMix) {
  EXPECT_NE(AnswerCache::KeyOf("a", RecordType::kA), AnswerCache::KeyOf("a", RecordType::kAaaa));
}

core::SocketAddress At(const char* text) { return core::SocketAddress::Parse(text, 53).value(); }

TEST(NameServersTest, OneThatMissesComesLastForAWhile) {
  NameServers servers({At("192.0.2.1"), At("192.0.2.2:5300"), At("2001:db8::1")});
  EXPECT_EQ(servers.name(0), "192.0.2.1");
  EXPECT_EQ(servers.name(1), "192.0.2.2:5300");
  EXPECT_EQ(servers.name(2), "2001:db8::1");
  for (uint32_t i = 0; i + 1 < core::kDnsServerMisses; ++i) servers.OnMiss(0, 1000);
  EXPECT_THAT(servers.Order(1000), ElementsAre(0, 1, 2));
  servers.OnMiss(0, 1000);
  EXPECT_THAT(servers.Order(1000), ElementsAre(1, 2, 0));
  EXPECT_THAT(servers.Order(1000 + core::kDnsServerRestNs), ElementsAre(0, 1, 2));
  servers.OnAnswer(0);
  EXPECT_THAT(servers.Order(1000), ElementsAre(0, 1, 2));
  for (size_t server = 0; server < 3; ++server) {
    for (uint32_t i = 0; i < core::kDnsServerMisses; ++i) servers.OnMiss(server, 2000);
  }
  EXPECT_THAT(servers.Order(2000), ElementsAre(0, 1, 2));
}

TEST(SystemServersTest, OfResolvConf) {
  EXPECT_THAT(ServersOf("# by hand\nsearch example.com\nnameserver 192.0.2.1\n"
                        "  nameserver\t2001:db8::1  # the other\r\noptions edns0\n"
                        "nameserver fe80::1%eth0\nnameserver nonsense\nnameserver\n"
                        "nameservers 192.0.2.7\nnameserver 192.0.2.3"),
              ElementsAre(At("192.0.2.1"), At("2001:db8::1"), At("192.0.2.3")));
}

TEST(SystemServersTest, NoneMeansThisMachine) {
  for (const char* text : {"", "\n", "search example.com\n"}) {
    EXPECT_THAT(ServersOf(text), ElementsAre(At("127.0.0.1"))) << text;
  }
}

TEST(SystemServersTest, NoMoreThanTheBound) {
  std::string text;
  for (int i = 1; i < 40; ++i) text += "nameserver 192.0.2." + std::to_string(i) + "\n";
  EXPECT_EQ(ServersOf(text).size(), core::kConfigResolvers);
}

}  // namespace
}  // namespace outbox::dns
