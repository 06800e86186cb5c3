#include "queue/router.h"

#include <algorithm>

#include "core/time.h"

namespace outbox::queue {
namespace {

uint32_t Seconds(int64_t ns) {
  // A period below a second would be none at all on disk.
  return static_cast<uint32_t>(std::clamp<int64_t>(ns / core::kNsPerSecond, 1, UINT32_MAX - 1));
}

void Lowest(core::StringMap<uint32_t>* map, const std::string& key, uint32_t index) {
  const auto [place, made] = map->try_emplace(key, index);
  if (!made) place->second = std::min(place->second, index);
}

}  // namespace

Router::Entry Router::MakeEntry(std::string name, const core::RetryPeriods& periods) {
  Entry entry;
  entry.name = std::move(name);
  for (const int64_t retry_ns : periods.retry_ns) entry.retry_s.push_back(Seconds(retry_ns));
  entry.periods.notify_after_s = periods.notify_after_ns == core::kNever
                                     ? Periods::kNotifyNever
                                     : Seconds(periods.notify_after_ns);
  entry.periods.retry_until_s = Seconds(periods.retry_until_ns);
  return entry;
}

Router::Router(const core::Config& config)
    : hostname_(config.hostname), default_connections_(config.delivery.max_connections) {
  for (const core::RouteConfig& route : config.routes) {
    Entry entry = MakeEntry(route.name, route.periods);
    if (!route.via_mx) {
      entry.destination = KeyOf(route.via);
      connections_.try_emplace(entry.destination, route.max_connections);
    }
    entries_.push_back(std::move(entry));
  }
  any_ = static_cast<uint32_t>(entries_.size());  // the implicit one matches everything
  entries_.push_back(MakeEntry(std::string(kImplicitRoute), config.delivery.periods));
  for (uint32_t index = 0; index < config.routes.size(); ++index) {
    for (const std::string& pattern : config.routes[index].match) AddPattern(pattern, index);
  }
}

void Router::AddPattern(const std::string& pattern, uint32_t index) {
  if (pattern == "*") {
    any_ = std::min(any_, index);
  } else if (pattern.starts_with("*.")) {
    Lowest(&suffix_, pattern.substr(2), index);
  } else {
    Lowest(&exact_, pattern, index);
  }
}

uint32_t Router::Match(std::string_view domain) const {
  uint32_t best = any_;
  if (const auto found = exact_.find(domain); found != exact_.end()) {
    best = std::min(best, found->second);
  }
  if (suffix_.empty()) return best;
  for (size_t dot = domain.find('.'); dot != std::string_view::npos;
       dot = domain.find('.', dot + 1)) {
    const auto found = suffix_.find(domain.substr(dot + 1));
    if (found != suffix_.end()) best = std::min(best, found->second);
  }
  return best;
}

RouteChoice Router::Route(std::string_view recipient) const {
  const size_t at = recipient.rfind('@');
  domain_.assign(at == std::string_view::npos ? std::string_view(hostname_)
                                              : recipient.substr(at + 1));
  for (char& c : domain_) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  RouteChoice choice;
  choice.index = Match(domain_);
  const Entry& entry = entries_[choice.index];
  if (entry.destination.empty()) {
    destination_.assign("mx:").append(domain_);
    choice.destination = destination_;
  } else {
    choice.destination = entry.destination;
  }
  choice.route = entry.name;
  choice.retry_s = entry.retry_s;
  choice.periods = entry.periods;
  return choice;
}

uint32_t Router::ConnectionsFor(std::string_view destination) const {
  const auto found = connections_.find(destination);
  return found == connections_.end() ? default_connections_ : found->second;
}

std::string Router::KeyOf(std::span<const core::ViaHost> hosts) {
  std::string key = "via:";
  for (const core::ViaHost& host : hosts) {
    if (key.size() > 4) key.push_back(',');
    key.append(host.address.ToString());
  }
  return key;
}

}  // namespace outbox::queue
