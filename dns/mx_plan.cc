#include "dns/mx_plan.h"

#include <algorithm>
#include <utility>

namespace outbox::dns {
namespace {

template <typename T>
void Shuffle(std::vector<T>* items, size_t begin, size_t end, core::Random* random) {
  for (size_t left = end - begin; left > 1; --left) {
    std::swap((*items)[begin + left - 1], (*items)[begin + random->Below(left)]);
  }
}

// Host indexes in the order in which to try them.
std::vector<uint32_t> OrderHosts(const MxPlan& plan, core::Random* random) {
  std::vector<uint32_t> order;
  for (uint32_t i = 0; i < plan.hosts.size(); ++i) order.push_back(i);
  for (size_t begin = 0; begin < order.size();) {
    size_t end = begin + 1;
    while (end < order.size() &&
           plan.hosts[order[end]].preference == plan.hosts[order[begin]].preference) {
      ++end;
    }
    Shuffle(&order, begin, end, random);
    begin = end;
  }
  return order;
}

// The host's addresses: IPv6 and IPv4 in turn, either family shuffled.
std::vector<core::IpAddress> OrderAddresses(const MxHost& host, core::Random* random) {
  std::vector<core::IpAddress> families[2];
  for (const core::IpAddress& address : host.addresses) {
    families[address.is_v4() ? 1 : 0].push_back(address);
  }
  std::vector<core::IpAddress> order;
  for (std::vector<core::IpAddress>& family : families) {
    Shuffle(&family, 0, family.size(), random);
  }
  for (size_t i = 0; i < std::max(families[0].size(), families[1].size()); ++i) {
    for (const std::vector<core::IpAddress>& family : families) {
      if (i < family.size()) order.push_back(family[i]);
    }
  }
  return order;
}

}  // namespace

const char* MxPlanKindName(MxPlanKind kind) {
  switch (kind) {
    case MxPlanKind::kHosts:
      return "hosts";
    case MxPlanKind::kNullMx:
      return "null mx";
    case MxPlanKind::kNoSuchDomain:
      return "no such domain";
    case MxPlanKind::kNoAddress:
      return "no address";
    case MxPlanKind::kSelf:
      return "self";
    case MxPlanKind::kInvalid:
      return "invalid";
    case MxPlanKind::kTemporary:
      return "temporary";
  }
  return "unknown";
}

std::string MxPlan::SiteKey() const {
  std::vector<std::string> names;
  for (const MxHost& host : hosts) names.push_back(host.name);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  std::string key;
  for (const std::string& name : names) {
    if (!key.empty()) key += ',';
    key += name;
  }
  return key;
}

std::vector<MxCandidate> ChooseCandidates(const MxPlan& plan, size_t max, core::Random* random) {
  const std::vector<uint32_t> order = OrderHosts(plan, random);
  std::vector<std::vector<core::IpAddress>> addresses;
  for (const uint32_t host : order) {
    addresses.push_back(OrderAddresses(plan.hosts[host], random));
  }
  // How many of each host: one more for everybody, in order, until there are enough.
  std::vector<size_t> taken(order.size(), 0);
  size_t count = 0;
  for (bool more = true; more && count < max;) {
    more = false;
    for (size_t i = 0; i < order.size() && count < max; ++i) {
      if (taken[i] == addresses[i].size()) continue;
      ++taken[i];
      ++count;
      more = true;
    }
  }
  std::vector<MxCandidate> chosen;
  for (size_t i = 0; i < order.size(); ++i) {
    for (size_t k = 0; k < taken[i]; ++k) chosen.push_back({order[i], addresses[i][k]});
  }
  return chosen;
}

}  // namespace outbox::dns
