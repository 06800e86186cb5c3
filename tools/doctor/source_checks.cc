#include "tools/doctor/source_checks.h"

#include <algorithm>

#include "core/config_sources.h"
#include "core/domain_name.h"
#include "tools/doctor/reverse_name.h"
#include "tools/source_addresses.h"

namespace outbox::tools {
namespace {

constexpr const char* kOwnNameKey = "hostname in the configuration";

void AddSeen(const std::vector<core::IpAddress>& some, std::vector<core::IpAddress>* all) {
  for (const core::IpAddress& one : some) {
    if (IsPrivateAddress(one)) continue;
    if (std::find(all->begin(), all->end(), one) == all->end()) all->push_back(one);
  }
}

bool TakesDomain(const std::string& pattern, const std::string& domain) {
  if (pattern == "*") return true;
  return pattern.starts_with("*.") ? domain.ends_with(pattern.substr(1)) : pattern == domain;
}

}  // namespace

std::vector<SendingName> SendingNames(const core::Config& config,
                                      const std::vector<core::IpAddress>& system) {
  std::vector<SendingName> names;
  if (config.delivery.send_from.empty() || !system.empty()) {
    names.push_back({config.hostname, kOwnNameKey, system});
  }
  for (const core::SourceConfig& source : config.sources) {
    auto name = std::find_if(names.begin(), names.end(), [&](const SendingName& one) {
      return core::ToLower(one.helo) == core::ToLower(source.helo);
    });
    if (name == names.end()) {
      const bool own = source.helo == config.hostname;
      names.push_back(
          {source.helo, own ? kOwnNameKey : "helo of the source \"" + source.name + "\"", {}});
      name = names.end() - 1;
    }
    AddSeen(source.addresses, &name->addresses);
  }
  return names;
}

SendingName SendingNameOf(const core::Config& config, const std::string& domain,
                          const std::vector<core::IpAddress>& system) {
  const auto sender = std::find_if(
      config.senders.begin(), config.senders.end(), [&domain](const core::SenderConfig& one) {
        return std::any_of(
            one.domains.begin(), one.domains.end(),
            [&domain](const std::string& pattern) { return TakesDomain(pattern, domain); });
      });
  const std::string& from =
      sender == config.senders.end() ? config.delivery.send_from : sender->send_from;
  const auto sources = core::SourcesOf(config, from);
  if (sources.empty()) return {config.hostname, kOwnNameKey, system};
  SendingName name{sources[0]->helo, "helo of the source \"" + sources[0]->name + "\"", {}};
  for (const core::SourceConfig* source : sources) AddSeen(source->addresses, &name.addresses);
  return name;
}

std::vector<std::string> SenderDomains(const core::Config& config, size_t most) {
  std::vector<std::string> domains;
  for (const core::SenderConfig& sender : config.senders) {
    for (const std::string& domain : sender.domains) {
      const bool named = core::IsQualifiedDomainName(domain);
      if (named && domains.size() < most) domains.push_back(domain);
    }
  }
  return domains;
}

void CheckSourceAddresses(const core::Config& config, Report* report) {
  for (const core::SourceConfig& source : config.sources) {
    const std::string what = "source " + source.name;
    bool fine = true;
    for (const core::IpAddress& address : source.addresses) {
      std::string why;
      if (!HasAddress(address, &why)) {
        fine = false;
        report->Fail(
            what,
            "nothing can be sent from " + address.ToString() + " here, " + why + ": its mail waits",
            "Give the address to an interface of this machine (ip address add " +
                address.ToString() + (address.is_v4() ? "/32" : "/128") +
                " dev ...), or correct [[source]].");
      } else if (IsPrivateAddress(address)) {
        fine = false;
        report->Warn(what,
                     address.ToString() +
                         " is an address that the Internet cannot see: another one takes its "
                         "place on the way",
                     "Find out which one receivers see (ask whoever runs the router), and have it "
                     "looked at: outbox doctor --address ADDRESS.");
      }
    }
    if (fine) report->Ok(what, "its addresses are here");
  }
}

}  // namespace outbox::tools
