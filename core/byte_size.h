// Sizes as an operator writes them: "50MiB", "64KiB", "10MB", "4096".
#ifndef OUTBOX_CORE_BYTE_SIZE_H_
#define OUTBOX_CORE_BYTE_SIZE_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "core/status.h"

namespace outbox::core {

// Returns bytes. Takes a whole number, alone or with a unit directly behind it: B; KiB, MiB, GiB,
// TiB (powers of 1024); KB, MB, GB, TB (powers of 1000). At most INT64_MAX.
Result<uint64_t> ParseByteSize(std::string_view text);

// The largest unit of powers of 1024 that gives a whole number: "50MiB", "1025B". Reads back.
std::string FormatByteSize(uint64_t bytes);

}  // namespace outbox::core

#endif  // OUTBOX_CORE_BYTE_SIZE_H_
