#include "core/crc32c.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

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

bool Crc32cHasWide() {
  return Crc32cHasHardware() && __builtin_cpu_supports("avx512f") != 0 &&
         __builtin_cpu_supports("vpclmulqdq") != 0;
}

namespace {

// Octets to a round of the wide way: four vectors.
constexpr size_t kRound = 256;
// For fewer octets the wide way does not pay.
constexpr size_t kWideFrom = 4096;
static_assert(kWideFrom >= 2 * kRound);

// x to the power of `bits` modulo the polynomial, reflected and doubled: what a carry-less
// multiplication of reflected halves wants as its other factor.
constexpr uint64_t Power(size_t bits) {
  uint32_t power = uint32_t{1} << 31;
  for (; bits > 0; --bits) power = (power >> 1) ^ ((power & 1) != 0 ? kPolynomial : 0);
  return uint64_t{power} << 1;
}

// A piece of 16 octets is moved over a round to the right: its halves are multiplied by these.
constexpr uint64_t kFoldLow = Power(8 * kRound + 32);
constexpr uint64_t kFoldHigh = Power(8 * kRound - 32);

}  // namespace

// Adds each round's octets to what those before amount to, until one round is left, which has the
// checksum of all.
__attribute__((target("avx512f,vpclmulqdq,sse4.2"))) uint32_t Crc32cExtendWide(
    uint32_t crc, std::span<const char> bytes) {
  if (bytes.size() < kWideFrom) return Crc32cExtendHardware(crc, bytes);
  const char* at = bytes.data();
  const __m512i fold = _mm512_set_epi64(kFoldHigh, kFoldLow, kFoldHigh, kFoldLow, kFoldHigh,
                                        kFoldLow, kFoldHigh, kFoldLow);
  __m512i sum[4];
  for (int i = 0; i < 4; ++i) sum[i] = _mm512_loadu_si512(at + 64 * i);
  sum[0] =
      _mm512_xor_si512(sum[0], _mm512_zextsi128_si512(_mm_cvtsi32_si128(static_cast<int>(~crc))));
  size_t left = bytes.size() - kRound;
  at += kRound;
  for (; left >= kRound; at += kRound, left -= kRound) {
    for (int i = 0; i < 4; ++i) {
      const __m512i low = _mm512_clmulepi64_epi128(sum[i], fold, 0x00);
      const __m512i high = _mm512_clmulepi64_epi128(sum[i], fold, 0x11);
      sum[i] = _mm512_xor_si512(_mm512_xor_si512(low, high), _mm512_loadu_si512(at + 64 * i));
    }
  }
  char last[kRound];
  for (int i = 0; i < 4; ++i) _mm512_storeu_si512(last + 64 * i, sum[i]);
  uint64_t joined = 0;
  for (size_t i = 0; i < kRound; i += kWord) {
    joined = __builtin_ia32_crc32di(joined, LoadWord(last + i));
  }
  return Crc32cExtendHardware(~static_cast<uint32_t>(joined), {at, left});
}

#else

bool Crc32cHasWide() { return false; }

uint32_t Crc32cExtendWide(uint32_t, std::span<const char>) {
  CHECK(Crc32cHasWide());
  return 0;
}

bool Crc32cHasHardware() { return false; }

uint32_t Crc32cExtendHardware(uint32_t, std::span<const char>) {
  CHECK(Crc32cHasHardware());
  return 0;
}

#endif

uint32_t Crc32cExtend(uint32_t crc, std::span<const char> bytes) {
  using Way = uint32_t (*)(uint32_t, std::span<const char>);
  static const Way way = Crc32cHasWide()       ? Crc32cExtendWide
                         : Crc32cHasHardware() ? Crc32cExtendHardware
                                               : Crc32cExtendTables;
  return way(crc, bytes);
}

}  // namespace outbox::core
