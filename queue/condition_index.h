// ConditionIndex: which of the routes with conditions could take a message.
//
// A route is filed under the most selective of its conditions (core/config_rules.h KeyOf), so that
// thousands of them, one a sender or one a recipient, cost a lookup each; only those that fit are
// then looked at. Built once, then only asked.
#ifndef OUTBOX_QUEUE_CONDITION_INDEX_H_
#define OUTBOX_QUEUE_CONDITION_INDEX_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/config.h"
#include "core/string_map.h"

namespace outbox::queue {

class ConditionIndex {
 public:
  void Add(const core::RouteConfig& route, uint32_t number);
  bool empty() const { return empty_; }
  // Appends the numbers below `before` of the routes that could be meant, each once, in order. All
  // names are in lower case; `sender` may be "".
  void Find(std::string_view recipient, std::string_view domain, std::string_view sender,
            uint32_t before, std::vector<uint32_t>* numbers) const;

 private:
  using Numbers = std::vector<uint32_t>;

  bool empty_ = true;
  core::StringMap<Numbers> recipients_;
  core::StringMap<Numbers> domains_;
  core::StringMap<Numbers> suffixes_;        // "example.net" of "*.example.net"
  core::StringMap<Numbers> senders_;         // "<>" among them
  core::StringMap<Numbers> sender_domains_;  // "example.com" of "*@example.com"
  Numbers any_;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_CONDITION_INDEX_H_
