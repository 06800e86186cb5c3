// PatternIndex: which is the first of many patterns that a domain name matches.
//
// Exact names and "*.suffix" patterns are looked up by hash, one lookup a label of the name, so
// thousands of patterns cost no more than a few; the lowest number among the matches wins, as if
// the list had been walked. Built once, then only asked.
#ifndef OUTBOX_QUEUE_PATTERN_INDEX_H_
#define OUTBOX_QUEUE_PATTERN_INDEX_H_

#include <cstdint>
#include <string_view>

#include "core/string_map.h"

namespace outbox::queue {

class PatternIndex {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  // "example.net", "*.example.net" (not itself), "*"; in lower case.
  void Add(std::string_view pattern, uint32_t number);
  // The lowest number whose pattern takes `name` (in lower case), or kNone.
  uint32_t Find(std::string_view name) const;
  bool empty() const { return exact_.empty() && suffix_.empty() && any_ == kNone; }

 private:
  core::StringMap<uint32_t> exact_;   // name -> lowest number
  core::StringMap<uint32_t> suffix_;  // "example.net" of "*.example.net", likewise
  uint32_t any_ = kNone;              // of "*"
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_PATTERN_INDEX_H_
