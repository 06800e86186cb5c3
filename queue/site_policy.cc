#include "queue/site_policy.h"

#include <algorithm>

#include "core/hash.h"

namespace outbox::queue {
namespace {

// Names of sites that are sets of hosts end here, for people; their hashes are of all hosts.
constexpr size_t kSiteNameBytes = 200;

}  // namespace

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
