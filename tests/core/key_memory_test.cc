// KeyMemory: what BoringSSL is given, and that core files leave it out.
#include "core/key_memory.h"

#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "core/limits.h"
#include "gtest/gtest.h"

namespace outbox::core {
namespace {

// Whether a core file would have the page of `address`: VmFlags "dd" of /proc/self/smaps.
bool IsLeftOutOfCoreFiles(const void* address) {
  std::ifstream smaps("/proc/self/smaps");
  const auto at = reinterpret_cast<uintptr_t>(address);
  bool here = false;
  for (std::string line; std::getline(smaps, line);) {
    uintptr_t from = 0;
    uintptr_t to = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx ", &from, &to) == 2 && line.find('-') < 20) {
      here = at >= from && at < to;
    } else if (here && line.starts_with("VmFlags:")) {
      return line.find(" dd") != std::string::npos;
    }
  }
  return false;
}

TEST(KeyMemoryTest, WhatAKeyAllocatesIsLeftOutOfCoreFiles) {
  void* secret = nullptr;
  {
    const KeyScope scope;
    secret = OPENSSL_memory_alloc(100);
  }
  void* const other = OPENSSL_memory_alloc(100);
  ASSERT_TRUE(secret != nullptr && other != nullptr);
  EXPECT_TRUE(IsKeyMemory(secret));
  EXPECT_FALSE(IsKeyMemory(other));
  EXPECT_TRUE(IsLeftOutOfCoreFiles(secret));
  EXPECT_FALSE(IsLeftOutOfCoreFiles(other));
  EXPECT_EQ(OPENSSL_memory_get_size(secret), 100u);
  EXPECT_EQ(OPENSSL_memory_get_size(other), 100u);
  // What is given back is overwritten, and the next one of its size.
  std::memset(secret, 'x', 100);
  OPENSSL_memory_free(secret);
  OPENSSL_memory_free(other);
  const KeyScope scope;
  void* const next = OPENSSL_memory_alloc(99);
  EXPECT_EQ(next, secret);
  EXPECT_EQ(static_cast<char*>(next)[50], '\0');
  OPENSSL_memory_free(next);
}

TEST(KeyMemoryTest, TheBoundIsAnAllocationThatFails) {
  const KeyScope scope;
  EXPECT_EQ(OPENSSL_memory_alloc(kKeyMemoryBytes), nullptr);
  std::vector<void*> pieces;
  for (void* piece = OPENSSL_memory_alloc(900'000); piece != nullptr;
       piece = OPENSSL_memory_alloc(900'000)) {
    pieces.push_back(piece);
    ASSERT_LE(pieces.size(), kKeyMemoryBytes / 900'000);
  }
  EXPECT_GT(pieces.size(), 100u);
  for (void* const piece : pieces) OPENSSL_memory_free(piece);
  void* const again = OPENSSL_memory_alloc(900'000);
  EXPECT_NE(again, nullptr);
  OPENSSL_memory_free(again);
}

}  // namespace
}  // namespace outbox::core
