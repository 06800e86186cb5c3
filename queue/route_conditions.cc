#include "queue/route_conditions.h"

#include <algorithm>

#include "queue/address_match.h"
#include "queue/header_fields.h"

namespace outbox::queue {
namespace {

bool AnyMatches(const std::vector<std::string>& patterns, std::string_view text) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [text](const std::string& pattern) { return MatchesPattern(pattern, text); });
}

}  // namespace

RouteCondition UnmetCondition(const core::RouteConfig& route, std::string_view recipient,
                              const RouteFacts& facts) {
  if (!route.recipients.empty() && !AnyMatches(route.recipients, recipient)) {
    return RouteCondition::kRecipient;
  }
  // "*" stands for characters of an address: the null return path has none.
  if (!route.senders.empty() &&
      !AnyMatches(route.senders, facts.sender.empty() ? "<>" : facts.sender)) {
    return RouteCondition::kSender;
  }
  if (!route.sources.empty() &&
      (facts.client == nullptr ||
       std::none_of(route.sources.begin(), route.sources.end(), [&](const core::Network& network) {
         return network.Contains(*facts.client);
       }))) {
    return RouteCondition::kSource;
  }
  if (!route.headers.empty() &&
      (facts.header == nullptr || std::none_of(route.headers.begin(), route.headers.end(),
                                               [&](const core::HeaderCondition& field) {
                                                 return facts.header->Has(field);
                                               }))) {
    return RouteCondition::kHeader;
  }
  if (!route.size.text.empty() &&
      (facts.size == 0 || facts.size < route.size.min || facts.size > route.size.max)) {
    return RouteCondition::kSize;
  }
  return RouteCondition::kNone;
}

}  // namespace outbox::queue
