#include "queue/pattern_index.h"

#include <algorithm>

namespace outbox::queue {
namespace {

void Lowest(core::StringMap<uint32_t>* map, std::string_view key, uint32_t number) {
  const auto [place, made] = map->try_emplace(std::string(key), number);
  if (!made) place->second = std::min(place->second, number);
}

}  // namespace

void PatternIndex::Add(std::string_view pattern, uint32_t number) {
  if (pattern == "*") {
    any_ = std::min(any_, number);
  } else if (pattern.starts_with("*.")) {
    Lowest(&suffix_, pattern.substr(2), number);
  } else {
    Lowest(&exact_, pattern, number);
  }
}

uint32_t PatternIndex::Find(std::string_view name) const {
  uint32_t best = any_;
  if (const auto found = exact_.find(name); found != exact_.end()) {
    best = std::min(best, found->second);
  }
  if (suffix_.empty()) return best;
  for (size_t dot = name.find('.'); dot != std::string_view::npos; dot = name.find('.', dot + 1)) {
    const auto found = suffix_.find(name.substr(dot + 1));
    if (found != suffix_.end()) best = std::min(best, found->second);
  }
  return best;
}

}  // namespace outbox::queue
