// CRC-32C (Castagnoli, RFC 3720 12.1), the checksum of the spool.
//
// Uses what the processor has, decided once, at the first call: for long stretches the carry-less
// multiplication of 64 octets at a time, else the instruction for this checksum, else tables. All
// give the same value.
#ifndef OUTBOX_CORE_CRC32C_H_
#define OUTBOX_CORE_CRC32C_H_

#include <cstddef>
#include <cstdint>
#include <span>

namespace outbox::core {

// The checksum of the bytes that gave `crc` followed by `bytes`. The checksum of nothing is 0, so
// Crc32cExtend(0, bytes) is the checksum of `bytes`.
uint32_t Crc32cExtend(uint32_t crc, std::span<const char> bytes);

inline uint32_t Crc32c(std::span<const char> bytes) { return Crc32cExtend(0, bytes); }

// The ways to compute it, for tests and benchmarks. Crc32cExtendHardware REQUIRES
// Crc32cHasHardware(), Crc32cExtendWide Crc32cHasWide().
bool Crc32cHasWide();
uint32_t Crc32cExtendWide(uint32_t crc, std::span<const char> bytes);
bool Crc32cHasHardware();
uint32_t Crc32cExtendHardware(uint32_t crc, std::span<const char> bytes);
uint32_t Crc32cExtendTables(uint32_t crc, std::span<const char> bytes);

}  // namespace outbox::core

#endif  // OUTBOX_CORE_CRC32C_H_
