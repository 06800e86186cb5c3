#include "queue/route_credentials.h"

namespace outbox::queue {
namespace {

// A user of one host is nobody at another one. Hosts that MX records name are all alike: the
// configuration has seen to it that a user there has one secret.
std::string PlaceOf(std::span<const core::ViaHost> hosts, std::string_view user) {
  return (hosts.empty() ? "mx:" : ViaKey(hosts)) + UserSuffix(user);
}

}  // namespace

std::shared_ptr<const RouteCredentials> RouteCredentials::Make(const core::Config& config) {
  auto made = std::make_shared<RouteCredentials>();
  for (const core::RouteConfig& route : config.routes) {
    if (route.auth.user.empty()) continue;
    smtp::ClientCredentials credentials;
    credentials.user = route.auth.user;
    credentials.secret = route.auth.secret;
    credentials.plain_in_clear = route.auth.plain_in_clear;
    credentials.allowed = route.auth.mechanisms;
    made->known_.try_emplace(PlaceOf(route.via, route.auth.user), std::move(credentials));
  }
  return made;
}

std::shared_ptr<const RouteCredentials> RouteCredentials::Both(
    const std::shared_ptr<const RouteCredentials>& now,
    const std::shared_ptr<const RouteCredentials>& next) {
  if (now == nullptr || next == nullptr) return now == nullptr ? next : now;
  auto both = std::make_shared<RouteCredentials>(*now);
  both->known_.insert(next->known_.begin(), next->known_.end());
  return both;
}

smtp::ClientCredentials RouteCredentials::For(const DestinationKey& key) const {
  if (key.user.empty()) return {};
  const auto found = known_.find(PlaceOf(key.hosts, key.user));
  if (found != known_.end()) return found->second;
  smtp::ClientCredentials gone;
  gone.user = key.user;
  return gone;
}

}  // namespace outbox::queue
