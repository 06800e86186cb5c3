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

// The processor's instruction takes three cycles and one can begin in each: three lanes, each with
// its own checksum, go side by side. They are joined by the effect of a lane's length in octets of
// zero, which is linear, so a table for each of the four octets of the checksum has it.
constexpr size_t kLongLane = 1024;
constexpr size_t kShortLane = 128;

struct ZerosTable {
  std::array<std::array<uint32_t, 256>, 4> by_octet = {};
  constexpr uint32_t Apply(uint32_t crc) const {
    return by_octet[0][crc & 0xff] ^ by_octet[1][(crc >> 8) & 0xff] ^
           by_octet[2][(crc >> 16) & 0xff] ^ by_octet[3][crc >> 24];
  }
};

// One octet of zero, doubled until it is `octets`, a power of two.
constexpr ZerosTable MakeZerosTable(size_t octets) {
  std::array<uint32_t, 32> effect = {};  // of each bit of the checksum
  for (uint32_t bit = 0; bit < 32; ++bit) {
    const uint32_t crc = uint32_t{1} << bit;
    effect[bit] = (crc >> 8) ^ kTables[0][crc & 0xff];
  }
  const auto apply = [](const std::array<uint32_t, 32>& by_bit, uint32_t crc) {
    uint32_t sum = 0;
    for (uint32_t bit = 0; bit < 32; ++bit) sum ^= ((crc >> bit) & 1) != 0 ? by_bit[bit] : 0;
    return sum;
  };
  for (; octets > 1; octets /= 2) {
    std::array<uint32_t, 32> twice = {};
    for (uint32_t bit = 0; bit < 32; ++bit) twice[bit] = apply(effect, effect[bit]);
    effect = twice;
  }
  ZerosTable table;
  for (uint32_t octet = 0; octet < 4; ++octet) {
    for (uint32_t value = 0; value < 256; ++value) {
      table.by_octet[octet][value] = apply(effect, value << (8 * octet));
    }
  }
  return table;
}

constexpr ZerosTable kLongZeros = MakeZerosTable(kLongLane);
constexpr ZerosTable kShortZeros = MakeZerosTable(kShortLane);

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

namespace {

// Three lanes from `at` on.
template <size_t kLane>
__attribute__((target("sse4.2"))) uint32_t ThreeLanes(uint32_t crc, const char* at,
                                                      const ZerosTable& zeros) {
  uint64_t first = crc;
  uint64_t second = 0;
  uint64_t third = 0;
  for (size_t i = 0; i < kLane; i += kWord) {
    first = __builtin_ia32_crc32di(first, LoadWord(at + i));
    second = __builtin_ia32_crc32di(second, LoadWord(at + kLane + i));
    third = __builtin_ia32_crc32di(third, LoadWord(at + 2 * kLane + i));
  }
  crc = zeros.Apply(static_cast<uint32_t>(first)) ^ static_cast<uint32_t>(second);
  return zeros.Apply(crc) ^ static_cast<uint32_t>(third);
}

}  // namespace

__attribute__((target("sse4.2"))) uint32_t Crc32cExtendHardware(uint32_t crc,
                                                                std::span<const char> bytes) {
  const char* at = bytes.data();
  size_t left = bytes.size();
  uint32_t joined = ~crc;
  for (; left >= 3 * kLongLane; at += 3 * kLongLane, left -= 3 * kLongLane) {
    joined = ThreeLanes<kLongLane>(joined, at, kLongZeros);
  }
  for (; left >= 3 * kShortLane; at += 3 * kShortLane, left -= 3 * kShortLane) {
    joined = ThreeLanes<kShortLane>(joined, at, kShortZeros);
  }
  uint64_t wide = joined;
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
