// What nearly every file of ours includes, parsed once for each preset instead of once a file: two
// cores build everything in every preset from nothing. Files include what they use regardless; the
// house rules compile every header alone.
#ifndef OUTBOX_CMAKE_PRECOMPILED_H_
#define OUTBOX_CMAKE_PRECOMPILED_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/hash/hash.h"

#endif  // OUTBOX_CMAKE_PRECOMPILED_H_
