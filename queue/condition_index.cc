#include "queue/condition_index.h"

#include <algorithm>
#include <string>

#include "core/config_rules.h"
#include "queue/address_match.h"

namespace outbox::queue {

void ConditionIndex::Add(const core::RouteConfig& route, uint32_t number) {
  empty_ = false;
  switch (core::KeyOf(route)) {
    case core::RouteKey::kRecipient:
      for (const std::string& address : route.recipients) recipients_[address].push_back(number);
      return;
    case core::RouteKey::kDomain:
      for (const std::string& pattern : route.match) {
        if (pattern == "*") {
          any_.push_back(number);
        } else if (pattern.starts_with("*.")) {
          suffixes_[pattern.substr(2)].push_back(number);
        } else {
          domains_[pattern].push_back(number);
        }
      }
      return;
    case core::RouteKey::kSender:
      for (const std::string& pattern : route.senders) {
        if (pattern.starts_with("*@")) {
          sender_domains_[pattern.substr(2)].push_back(number);
        } else {
          senders_[pattern].push_back(number);
        }
      }
      return;
    case core::RouteKey::kNone:
      any_.push_back(number);
      return;
  }
}

void ConditionIndex::Find(std::string_view recipient, std::string_view domain,
                          std::string_view sender, uint32_t before, Numbers* numbers) const {
  const auto take = [&](const Numbers& found) {
    for (const uint32_t number : found) {
      if (number < before) numbers->push_back(number);
    }
  };
  const auto look = [&](const core::StringMap<Numbers>& map, std::string_view name) {
    if (map.empty()) return;
    if (const auto found = map.find(name); found != map.end()) take(found->second);
  };
  take(any_);
  look(recipients_, recipient);
  look(domains_, domain);
  if (!suffixes_.empty()) {
    for (size_t dot = domain.find('.'); dot != std::string_view::npos;
         dot = domain.find('.', dot + 1)) {
      look(suffixes_, domain.substr(dot + 1));
    }
  }
  look(senders_, sender.empty() ? "<>" : sender);
  look(sender_domains_, DomainOf(sender));
  std::sort(numbers->begin(), numbers->end());
  numbers->erase(std::unique(numbers->begin(), numbers->end()), numbers->end());
}

}  // namespace outbox::queue
