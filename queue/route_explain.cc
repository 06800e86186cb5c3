#include "queue/route_explain.h"

#include <algorithm>

#include "core/byte_size.h"
#include "core/domain_name.h"
#include "core/idna.h"
#include "queue/pattern_index.h"

namespace outbox::queue {
namespace {

// A list of many patterns is cut.
constexpr size_t kShownPatterns = 4;

template <typename Items, typename Text>
std::string Listed(const Items& items, Text text) {
  std::string list;
  for (size_t i = 0; i < items.size() && i < kShownPatterns; ++i) {
    if (i > 0) list += i + 1 == items.size() ? " or " : ", ";
    list += text(items[i]);
  }
  if (items.size() > kShownPatterns) {
    list += " or one of " + std::to_string(items.size() - kShownPatterns) + " more";
  }
  return list;
}

std::string Listed(const std::vector<std::string>& patterns) {
  return Listed(patterns, [](const std::string& pattern) { return pattern; });
}

bool TakesDomain(const core::RouteConfig& route, const std::string& domain) {
  PatternIndex patterns;
  for (const std::string& pattern : route.match) patterns.Add(pattern, 0);
  return patterns.Find(domain) != PatternIndex::kNone;
}

std::string Why(const core::RouteConfig& route, RouteCondition unmet, const RouteFacts& facts) {
  switch (unmet) {
    case RouteCondition::kNone:
      return "it holds mail, and this was released";
    case RouteCondition::kRecipient:
      return "the recipient is not " + Listed(route.recipients);
    case RouteCondition::kSender:
      return "the sender is not " + Listed(route.senders);
    case RouteCondition::kSource: {
      const std::string networks =
          Listed(route.sources, [](const core::Network& one) { return one.ToString(); });
      if (facts.client == nullptr) return "it is for clients in " + networks + "; none was named";
      return "the client " + facts.client->ToString() + " is not in " + networks;
    }
    case RouteCondition::kHeader: {
      const std::string fields =
          Listed(route.headers, [](const core::HeaderCondition& one) { return one.text; });
      if (facts.header == nullptr) {
        return "it is for mail with the header field " + fields + "; none was given";
      }
      return "there is no header field " + fields;
    }
    case RouteCondition::kSize:
      if (facts.size == 0) return "it is for a size " + route.size.text + "; none was given";
      return "the size " + core::FormatByteSize(facts.size) + " is not " + route.size.text;
  }
  return "";
}

}  // namespace

PassedRoutes ExplainRoutes(const core::Config& config, std::string_view recipient,
                           const RouteFacts& facts, uint32_t before, size_t max) {
  const std::string key = core::AddressKey(recipient);
  const std::string sender = core::AddressKey(facts.sender);
  RouteFacts keys = facts;
  keys.sender = sender;
  const size_t at = key.rfind('@');
  const std::string domain =
      at == std::string::npos ? core::ToLower(config.hostname) : key.substr(at + 1);
  before = std::min(before, static_cast<uint32_t>(config.routes.size()));
  PassedRoutes passed;
  std::vector<PassedRoute> others;
  for (uint32_t i = 0; i < before; ++i) {
    const core::RouteConfig& route = config.routes[i];
    if (TakesDomain(route, domain)) {
      if (passed.routes.size() < max) {
        const RouteCondition unmet = UnmetCondition(route, key, keys);
        passed.routes.push_back({i, route.name, Why(route, unmet, facts)});
      } else {
        ++passed.left_out;
      }
    } else if (others.size() < max) {
      others.push_back({i, route.name, "the recipient's domain is not " + Listed(route.match)});
    } else {
      ++passed.left_out;
    }
  }
  const size_t room = std::min(others.size(), max - passed.routes.size());
  passed.left_out += static_cast<uint32_t>(others.size() - room);
  others.resize(room);
  passed.routes.insert(passed.routes.end(), others.begin(), others.end());
  std::sort(passed.routes.begin(), passed.routes.end(),
            [](const PassedRoute& a, const PassedRoute& b) { return a.index < b.index; });
  return passed;
}

}  // namespace outbox::queue
