#include "smtp/line_masks.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "core/check.h"

namespace outbox::smtp {

#if defined(__x86_64__)

namespace {

struct Block {
  explicit Block(const char* bytes) {
    const __m128i* v = reinterpret_cast<const __m128i*>(bytes);
    a = _mm_loadu_si128(v);
    b = _mm_loadu_si128(v + 1);
    c = _mm_loadu_si128(v + 2);
    d = _mm_loadu_si128(v + 3);
  }
  __m128i a, b, c, d;
};

// The top bit of each octet.
inline uint64_t TopBits(__m128i a, __m128i b, __m128i c, __m128i d) {
  const uint64_t low = static_cast<uint32_t>(_mm_movemask_epi8(a)) |
                       static_cast<uint32_t>(_mm_movemask_epi8(b)) << 16;
  const uint64_t high = static_cast<uint32_t>(_mm_movemask_epi8(c)) |
                        static_cast<uint32_t>(_mm_movemask_epi8(d)) << 16;
  return low | high << 32;
}

inline uint64_t Equal(const Block& block, char octet) {
  const __m128i wanted = _mm_set1_epi8(octet);
  return TopBits(_mm_cmpeq_epi8(block.a, wanted), _mm_cmpeq_epi8(block.b, wanted),
                 _mm_cmpeq_epi8(block.c, wanted), _mm_cmpeq_epi8(block.d, wanted));
}

}  // namespace

void FindLinesPlain(const char* bytes, size_t blocks, LineMasks* masks) {
  __m128i any = _mm_setzero_si128();
  __m128i least = _mm_set1_epi8(-1);
  for (size_t i = 0; i < blocks; ++i) {
    const Block block(bytes + i * kMaskBlock);
    masks->cr[i] = Equal(block, '\r');
    masks->lf[i] = Equal(block, '\n');
    masks->dot[i] = Equal(block, '.');
    any = _mm_or_si128(
        any, _mm_or_si128(_mm_or_si128(block.a, block.b), _mm_or_si128(block.c, block.d)));
    least = _mm_min_epu8(
        least, _mm_min_epu8(_mm_min_epu8(block.a, block.b), _mm_min_epu8(block.c, block.d)));
  }
  masks->eight_bit = _mm_movemask_epi8(any) != 0;
  masks->nul = _mm_movemask_epi8(_mm_cmpeq_epi8(least, _mm_setzero_si128())) != 0;
}

bool HasAvx2() { return __builtin_cpu_supports("avx2") != 0; }

__attribute__((target("avx2"))) void FindLinesAvx2(const char* bytes, size_t blocks,
                                                   LineMasks* masks) {
  const __m256i cr = _mm256_set1_epi8('\r');
  const __m256i lf = _mm256_set1_epi8('\n');
  const __m256i dot = _mm256_set1_epi8('.');
  __m256i any = _mm256_setzero_si256();
  __m256i least = _mm256_set1_epi8(-1);
  for (size_t i = 0; i < blocks; ++i) {
    const __m256i* at = reinterpret_cast<const __m256i*>(bytes + i * kMaskBlock);
    const __m256i low = _mm256_loadu_si256(at);
    const __m256i high = _mm256_loadu_si256(at + 1);
    const auto bits = [](__m256i equal) __attribute__((target("avx2"))) {
      return uint64_t{static_cast<uint32_t>(_mm256_movemask_epi8(equal))};
    };
    masks->cr[i] = bits(_mm256_cmpeq_epi8(low, cr)) | bits(_mm256_cmpeq_epi8(high, cr)) << 32;
    masks->lf[i] = bits(_mm256_cmpeq_epi8(low, lf)) | bits(_mm256_cmpeq_epi8(high, lf)) << 32;
    masks->dot[i] = bits(_mm256_cmpeq_epi8(low, dot)) | bits(_mm256_cmpeq_epi8(high, dot)) << 32;
    any = _mm256_or_si256(any, _mm256_or_si256(low, high));
    least = _mm256_min_epu8(least, _mm256_min_epu8(low, high));
  }
  masks->eight_bit = _mm256_movemask_epi8(any) != 0;
  masks->nul = _mm256_movemask_epi8(_mm256_cmpeq_epi8(least, _mm256_setzero_si256())) != 0;
}

bool HasAvx512() { return __builtin_cpu_supports("avx512bw") != 0; }

// A block is one vector, and a comparison gives its word.
__attribute__((target("avx512f,avx512bw"))) void FindLinesAvx512(const char* bytes, size_t blocks,
                                                                 LineMasks* masks) {
  const __m512i cr = _mm512_set1_epi8('\r');
  const __m512i lf = _mm512_set1_epi8('\n');
  const __m512i dot = _mm512_set1_epi8('.');
  __m512i any = _mm512_setzero_si512();
  __m512i least = _mm512_set1_epi8(-1);
  for (size_t i = 0; i < blocks; ++i) {
    const __m512i block = _mm512_loadu_si512(bytes + i * kMaskBlock);
    masks->cr[i] = _mm512_cmpeq_epi8_mask(block, cr);
    masks->lf[i] = _mm512_cmpeq_epi8_mask(block, lf);
    masks->dot[i] = _mm512_cmpeq_epi8_mask(block, dot);
    any = _mm512_or_si512(any, block);
    least = _mm512_maskz_min_epu8(~__mmask64{0}, least, block);
  }
  masks->eight_bit = _mm512_movepi8_mask(any) != 0;
  masks->nul = _mm512_cmpeq_epi8_mask(least, _mm512_setzero_si512()) != 0;
}

void LookAtSome(const char* block, size_t size, bool* eight_bit, bool* nul) {
  const uint64_t mask = UINT64_MAX >> (kMaskBlock - size);
  const Block v(block);
  *eight_bit |= (TopBits(v.a, v.b, v.c, v.d) & mask) != 0;
  *nul |= (Equal(v, '\0') & mask) != 0;
}

#else

void FindLinesPlain(const char* bytes, size_t blocks, LineMasks* masks) {
  masks->eight_bit = masks->nul = false;
  for (size_t i = 0; i < blocks; ++i) {
    const char* block = bytes + i * kMaskBlock;
    masks->cr[i] = masks->lf[i] = masks->dot[i] = 0;
    for (size_t bit = 0; bit < kMaskBlock; ++bit) {
      masks->cr[i] |= uint64_t{block[bit] == '\r'} << bit;
      masks->lf[i] |= uint64_t{block[bit] == '\n'} << bit;
      masks->dot[i] |= uint64_t{block[bit] == '.'} << bit;
    }
    LookAtSome(block, kMaskBlock, &masks->eight_bit, &masks->nul);
  }
}

bool HasAvx512() { return false; }

void FindLinesAvx512(const char*, size_t, LineMasks*) { CHECK(HasAvx512()); }

bool HasAvx2() { return false; }

void FindLinesAvx2(const char*, size_t, LineMasks*) { CHECK(HasAvx2()); }

void LookAtSome(const char* block, size_t size, bool* eight_bit, bool* nul) {
  for (size_t i = 0; i < size; ++i) {
    *eight_bit |= static_cast<unsigned char>(block[i]) > 127;
    *nul |= block[i] == '\0';
  }
}

#endif

void FindLines(const char* bytes, size_t blocks, LineMasks* masks) {
  using Way = void (*)(const char*, size_t, LineMasks*);
  static const Way way = HasAvx512() ? FindLinesAvx512 : HasAvx2() ? FindLinesAvx2 : FindLinesPlain;
  way(bytes, blocks, masks);
}

}  // namespace outbox::smtp
