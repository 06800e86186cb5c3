// Any text as a configuration: it is read or refused with bounded, single-line errors that name a
// place in the file; what is read keeps the promises of core/config.h. As a file of sites or of
// users, likewise.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/check.h"
#include "core/config.h"
#include "core/config_rules.h"
#include "core/config_sources.h"
#include "core/domain_name.h"
#include "core/user_list.h"

namespace {

using outbox::core::Config;
using outbox::core::ConfigResult;

void CheckPeriods(const outbox::core::RetryPeriods& periods) {
  CHECK(!periods.retry_ns.empty());
  for (const int64_t retry_ns : periods.retry_ns) CHECK(retry_ns >= outbox::core::kNsPerSecond);
  CHECK(periods.notify_after_ns > 0 && periods.retry_until_ns > 0);
}

void CheckSites(const std::vector<outbox::core::SiteConfig>& sites) {
  for (const outbox::core::SiteConfig& site : sites) {
    CHECK(!site.name.empty() && site.hosts.size() + site.domains.size() > 0);
    CHECK(site.max_connections > 0 && (site.max_rate.events == 0) == (site.max_rate.per_ns == 0));
    for (const outbox::core::ReplyRuleConfig& rule : site.on_reply) {
      const bool lowers = rule.rate.limited() || rule.part > 0 || rule.connections > 0;
      CHECK(!rule.patterns.empty() && rule.phases != 0);
      CHECK(lowers == (rule.for_ns > 0) && (lowers || rule.suspend_ns > 0));
      CHECK(rule.part == 0 || site.max_rate.limited());
    }
  }
}

// A source, a pool, or the system's choice.
void CheckSendFrom(const Config& config, const std::string& name) {
  CHECK(name.empty() || !outbox::core::SourcesOf(config, name).empty());
}

void CheckSources(const Config& config) {
  for (const outbox::core::SourceConfig& source : config.sources) {
    CHECK(outbox::core::IsSourceName(source.name) && source.weight > 0);
    CHECK(source.addresses.size() == 1 ||
          (source.addresses.size() == 2 &&
           source.addresses[0].is_v4() != source.addresses[1].is_v4()));
    CHECK(outbox::core::IsHostname(source.helo));
    for (const std::string& pool : source.pools) {
      CHECK(!outbox::core::SourcesOf(config, pool).empty());
    }
  }
  CheckSendFrom(config, config.delivery.send_from);
  for (const outbox::core::SenderConfig& sender : config.senders) {
    CHECK(!sender.domains.empty());
    CheckSendFrom(config, sender.send_from);
  }
}

void CheckConfig(const Config& config) {
  CHECK(outbox::core::IsHostname(config.hostname));
  CHECK(!config.spool.empty() && !config.control.empty());
  CHECK(config.shards <= outbox::core::kMaxShards);
  CHECK(!config.listeners.empty());
  for (const outbox::core::ListenerConfig& listener : config.listeners) {
    CHECK(listener.is_unix() == (listener.address.port == 0));
    const bool has_auth = listener.auth.mode != outbox::core::AuthMode::kNone;
    CHECK(listener.is_unix() || !listener.relay_from.empty() || has_auth);
    CHECK(!has_auth || (!listener.is_unix() && !listener.auth.file.path.empty()));
    CHECK(!has_auth || listener.auth.without_tls || listener.tls != outbox::core::TlsMode::kNone);
    for (const outbox::core::Network& network : listener.relay_from) {
      CHECK(!outbox::core::IsTooWideToRelay(network));
    }
  }
  CheckPeriods(config.delivery.periods);
  for (const outbox::core::RouteConfig& route : config.routes) {
    const bool sends = route.action == outbox::core::RouteAction::kSend;
    CHECK(!route.name.empty() && route.via.empty() == (route.via_mx || !sends));
    for (const std::string& pattern : route.match) CHECK(outbox::core::IsRoutePattern(pattern));
    for (const outbox::core::ViaHost& host : route.via) {
      CHECK(!host.path.empty() || host.port != 0);
      CHECK(!host.path.empty() || host.is_address || outbox::core::IsDomainName(host.host));
    }
    CHECK(route.port != 0);
    CHECK(route.bind.empty() || !route.send_from.has_value());
    CheckSendFrom(config, route.send_from.value_or(""));
    CheckPeriods(route.periods);
  }
  CheckSites(config.sites);
  CheckSources(config);
}

void CheckUsers(std::string_view text) {
  const outbox::core::UserListResult result = outbox::core::ParseUsers(text, "u");
  CHECK(result.errors.size() <= outbox::core::kConfigErrors);
  CHECK((result.list == nullptr) == !result.errors.empty());
  for (const std::string& error : result.errors) CHECK(error.starts_with("u:"));
  if (result.list == nullptr) return;
  for (const outbox::core::User& user : result.list->users()) {
    CHECK(!user.name.empty() && user.name.size() <= outbox::core::kAuthUserBytes);
    CHECK(result.list->Find(user.name) == &user && user.use != nullptr);
    for (const std::string& sender : user.senders) {
      CHECK(sender.find('*') == std::string::npos || sender[0] == '*' || sender[0] == '"');
      if (sender[0] != '*') CHECK(user.MaySendAs(sender == "<>" ? "" : sender));
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const ConfigResult result = outbox::core::ParseConfig(text, "f");
  CHECK(result.errors.size() <= outbox::core::kConfigErrors);
  for (const std::string& error : result.errors) CHECK(error.starts_with("f:"));
  if (result.ok()) CheckConfig(result.config);
  // As a file of sites.
  outbox::core::Config config;
  if (outbox::core::ParseSites(text, "s", &config).empty()) CheckSites(config.sites);
  CheckUsers(text);
  return 0;
}
