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
#include <type_traits>

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

// For a flat_hash_set of pointers to things that know their own key, asked by that. A slot takes 8
// bytes, and no key lies there twice.
template <typename T>
std::string_view KeyOf(const T& thing) {
  if constexpr (std::is_convertible_v<const T&, std::string_view>) {
    return thing;
  } else if constexpr (requires { thing->key(); }) {
    return thing->key();
  } else {
    return thing->key;
  }
}
struct KeyHash {
  using is_transparent = void;
  template <typename Key>
  size_t operator()(const Key& key) const {
    return StringHash()(KeyOf(key));
  }
};
struct KeyEqual {
  using is_transparent = void;
  template <typename A, typename B>
  bool operator()(const A& a, const B& b) const {
    return KeyOf(a) == KeyOf(b);
  }
};

}  // namespace outbox::core

#endif  // OUTBOX_CORE_STRING_MAP_H_
