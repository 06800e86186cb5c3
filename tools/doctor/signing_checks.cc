#include "tools/doctor/signing_checks.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "core/config_dkim.h"
#include "dkim/signer_key.h"
#include "tools/dkim_keys.h"
#include "tools/doctor/doctor.h"
#include "tools/doctor/policy_checks.h"

namespace outbox::tools {
namespace {

// Where a key is published: the domain, and the selector.
using Place = std::pair<std::string, std::string>;

}  // namespace

size_t CheckSigningKeys(const core::Config& config, const std::vector<std::string>& domains,
                        Names* names, Report* report) {
  std::map<Place, const dkim::SignerKey*> keys;
  std::vector<Place> places;  // in the order of the file
  std::set<std::string> with_rsa;
  const auto add = [&](const core::DkimConfig& rule, const std::string& domain) {
    if (rule.key->type() == dkim::KeyType::kRsa) with_rsa.insert(domain);
    Place place(domain, rule.selector);
    const auto [found, is_new] = keys.emplace(place, rule.key.get());
    if (is_new) {
      places.push_back(std::move(place));
    } else if (found->second->public_key() != rule.key->public_key()) {
      report->Fail(rule.selector + "._domainkey." + domain,
                   "two different keys of the configuration sign with this name",
                   "Give each key in [[dkim]] a selector of its own.");
    }
  };
  for (const core::DkimConfig& rule : config.dkim) {
    for (const std::string& pattern : rule.domains) {
      const std::string_view signs = core::SigningDomainOf(rule, pattern);
      if (!signs.empty()) {
        add(rule, std::string(signs));
      } else {
        for (const std::string& domain : domains) add(rule, domain);
      }
    }
  }
  for (size_t i = 0; i < std::min(places.size(), kDoctorListMax); ++i) {
    const auto& [domain, selector] = places[i];
    const dkim::SignerKey& key = *keys[places[i]];
    const OurKey ours = {key.public_key(), DkimZoneLine(selector, domain, key),
                         with_rsa.contains(domain)};
    CheckDkim(domain, selector, &ours, names, report);
  }
  if (places.size() > kDoctorListMax) {
    report->Note("dkim",
                 "the first " + std::to_string(kDoctorListMax) + " of " +
                     std::to_string(places.size()) + " names of keys were looked at");
  }
  return places.size();
}

}  // namespace outbox::tools
