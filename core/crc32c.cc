#include "core/crc32c.h"

#include <array>
#include <bit>
#include <cstring>

#include "core/check.h"

namespace outbox::core {
namespace {

static_assert(std::endian::native == std::endian::little, "word-wise CRC assumes little endian");

constexpr uint32_t kPolynomial = 0x82f63b78;  // reflected
constexpr size_t kWord = 8;

using Tables = std::array<std::array<uint32_t, 256>, kWord>;

// tables[k][b]: the effect of octet b that is followed by k octets of zero.
constexpr Tables MakeTables() {
  Tables tables = {};
  for (uint32_t octet = 0; octet < 256; ++octet) {
    uint32_t crc = octet;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kPolynomial : 0);
    tables[0][octet] = crc;
  }
  for (size_t k = 1; k < kWord; ++k) {
    for (size_t octet = 0; octet < 256; ++octet) {
      const uint32_t before = tables[k - 1][octet];
      tables[k][octet] = (before >> 8) ^ tables[0][before & 0xff];
    }
  }
  return tables;
}

constexpr Tables kTables = MakeTables();

uint64_t LoadWord(const char* at) {
  uint64_t word;
  std::memcpy(&word, at, sizeof(word));
  return word;
}

}  // namespace

uint32_t Crc32cExtendTables(uint32_t crc, std::span<const char> bytes) {
  crc = ~crc;
  const char* at = bytes.data();
  size_t left = bytes.size();
  for (; left >= kWord; at += kWord, left -= kWord) {
    const uint64_t word = LoadWord(at) ^ crc;
    crc = 0;
    for (size_t i = 0; i < kWord; ++i) crc ^= kTables[kWord - 1 - i][(word >> (8 * i)) & 0xff];
  }
  for (; left > 0; ++at, --left) {
    crc = (crc >> 8) ^ kTables[0][(crc ^ static_cast<uint8_t>(*at)) & 0xff];
  }
  return ~crc;
}

#if defined(__x86_64__)

bool Crc32cHasHardware() { return __builtin_cpu_supports("sse4.2") != 0; }

__attribute__((target("sse4.2"))) uint32_t Crc32cExtendHardware(uint32_t crc,
                                                                std::span<const char> bytes) {
  const char* at = bytes.data();
  size_t left = bytes.size();
  uint64_t wide = ~crc;
  for (; left >= kWord; at += kWord, left -= kWord) {
    wide = __builtin_ia32_crc32di(wide, LoadWord(at));
  }
  uint32_t narrow = static_cast<uint32_t>(wide);
  for (; left > 0; ++at, --left) {
    narrow = __builtin_ia32_crc32qi(narrow, static_cast<uint8_t>(*at));
  }
  return ~narrow;
}

#else

bool Crc32cHasHardware() { return false; }

uint32_t Crc32cExtendHardware(uint32_t, std::span<const char>) {
  CHECK(Crc32cHasHardware());
  return 0;
}

#endif

uint32_t Crc32cExtend(uint32_t crc, std::span<const char> bytes) {
  static const bool hardware = Crc32cHasHardware();
  return hardware ? Crc32cExtendHardware(crc, bytes) : Crc32cExtendTables(crc, bytes);
}

}  // namespace outbox::core
