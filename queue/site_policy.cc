#include "queue/site_policy.h"

#include <algorithm>

#include "core/hash.h"

namespace outbox::queue {
namespace {

// Names of sites that are sets of hosts end here, for people; their hashes are of all hosts.
constexpr size_t kSiteNameBytes = 200;

}  // namespace

bool SitePolicy::operator==(const SitePolicy& other) const {
  const bool same_rules = on_reply == other.on_reply ||
                          (on_reply && other.on_reply && *on_reply == *other.on_reply);
  return name == other.name && source == other.source && hash == other.hash &&
         max_connections == other.max_connections &&
         messages_per_connection == other.messages_per_connection && rate == other.rate &&
         same_rules;
}

uint64_t HashOfSite(std::string_view name) {
  const uint64_t hash = core::Hash64(name, core::Hash64("[[site]]"));
  return hash == 0 ? 1 : hash;
}

uint64_t HashFromSource(uint64_t site, std::string_view source) {
  if (source.empty()) return site;
  const uint64_t hash = core::Hash64(source, site);
  return hash == 0 ? 1 : hash;
}

std::string SiteText(std::string_view name, std::string_view source) {
  std::string text(name);
  if (!source.empty()) text.append("@").append(source);
  return text;
}

void SitePolicy::SetSource(std::string_view name_of_source) {
  source = name_of_source;
  hash = HashFromSource(hash, source);
}

SitePolicy SiteOfHosts(const SiteHosts& hosts) {
  std::vector<std::string> places = hosts.places;
  std::sort(places.begin(), places.end());
  places.erase(std::unique(places.begin(), places.end()), places.end());
  SitePolicy policy;
  uint64_t hash = 0;
  for (const std::string& place : places) {
    hash = core::Hash64(place, hash);
    if (policy.name.size() >= kSiteNameBytes) continue;
    if (!policy.name.empty()) policy.name.push_back(',');
    policy.name.append(place);
  }
  policy.hash = hash == 0 ? 1 : hash;
  return policy;
}

}  // namespace outbox::queue
