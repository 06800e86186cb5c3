// StringMap: a hash map keyed by strings that can be asked by string_view.
//
// abseil's own hash (seeded anew in every process, so that nobody can choose colliding keys) behind
// std::string_view, which Debian's abseil does not take as its own. Never iterated to decide
// anything.
#ifndef OUTBOX_CORE_STRING_MAP_H_
#define OUTBOX_CORE_STRING_MAP_H_

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/hash/hash.h"
#include "absl/strings/string_view.h"

namespace outbox::core {

struct StringHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const {
    return absl::Hash<absl::string_view>()(absl::string_view(text.data(), text.size()));
  }
};

template <typename Value>
using StringMap = absl::flat_hash_map<std::string, Value, StringHash, std::equal_to<>>;
// The keys live elsewhere, in place for as long as their entries.
template <typename Value>
using StringViewMap = absl::flat_hash_map<std::string_view, Value, StringHash, std::equal_to<>>;

}  // namespace outbox::core

#endif  // OUTBOX_CORE_STRING_MAP_H_
