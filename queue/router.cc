#include "queue/router.h"

#include <algorithm>

#include "core/time.h"
#include "queue/destination_key.h"

namespace outbox::queue {
namespace {

uint32_t Seconds(int64_t ns) {
  // A period below a second would be none at all on disk.
  return static_cast<uint32_t>(std::clamp<int64_t>(ns / core::kNsPerSecond, 1, UINT32_MAX - 1));
}

// Whether a key that goes by MX goes to this port ("mx:domain", "mx:domain:port").
bool GoesToPort(std::string_view key, uint16_t port) {
  if (!key.starts_with("mx:")) return false;
  const size_t colon = key.rfind(':');
  const size_t bracket = key.rfind(']');
  const bool has_port = colon > 2 && (bracket == std::string_view::npos || bracket < colon);
  return has_port ? key.substr(colon + 1) == std::to_string(port) : port == core::kSmtpPort;
}

}  // namespace

Router::Entry Router::MakeEntry(std::string name, const core::RetryPeriods& periods, uint16_t port,
                                uint32_t connections) {
  Entry entry;
  entry.name = std::move(name);
  entry.port = port;
  entry.connections = connections;
  for (const int64_t retry_ns : periods.retry_ns) entry.retry_s.push_back(Seconds(retry_ns));
  entry.periods.notify_after_s = periods.notify_after_ns == core::kNever
                                     ? Periods::kNotifyNever
                                     : Seconds(periods.notify_after_ns);
  entry.periods.retry_until_s = Seconds(periods.retry_until_ns);
  return entry;
}

Router::Router(const core::Config& config)
    : hostname_(config.hostname), default_connections_(config.delivery.max_connections) {
  for (uint32_t index = 0; index < config.routes.size(); ++index) {
    const core::RouteConfig& route = config.routes[index];
    Entry entry = MakeEntry(route.name, route.periods, route.port, route.max_connections);
    if (!route.via_mx) {
      entry.destination = ViaKey(route.via);
      uint32_t& most =
          connections_.try_emplace(entry.destination, route.max_connections).first->second;
      most = std::min(most, route.max_connections);
    }
    entries_.push_back(std::move(entry));
    for (const std::string& pattern : route.match) patterns_.Add(pattern, index);
  }
  const core::DeliveryConfig& delivery = config.delivery;
  entries_.push_back(MakeEntry(std::string(kImplicitRoute), delivery.periods, delivery.port,
                               delivery.max_connections));
  if (const core::LocalConfig& local = config.local; !local.domains.empty()) {
    local_ = std::make_unique<LocalDomains>(local);
    local_entry_ =
        MakeEntry(std::string(kLocalRoute), local.periods, 0, local.max_connections);
  }
  for (uint32_t index = 0; index < entries_.size(); ++index) {
    by_name_[entries_[index].name].push_back(index);
  }
}

uint32_t Router::Match(std::string_view domain) const {
  return std::min(patterns_.Find(domain), static_cast<uint32_t>(entries_.size() - 1));
}

void Router::SetDomain(std::string_view recipient) const {
  const size_t at = recipient.rfind('@');
  domain_.assign(at == std::string_view::npos ? std::string_view(hostname_)
                                              : recipient.substr(at + 1));
  for (char& c : domain_) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
}

RouteChoice Router::Route(std::string_view recipient) const {
  SetDomain(recipient);
  if (local_ != nullptr && local_->OwnsDomainOf(recipient)) return RouteLocal(recipient);
  return RouteOut(recipient);
}

// `domain_` is the recipient's.
RouteChoice Router::RouteOut(std::string_view recipient) const {
  RouteChoice choice;
  choice.index = Match(domain_);
  const Entry& entry = entries_[choice.index];
  if (entry.destination.empty()) {
    WriteMxKey(domain_, entry.port, &destination_);
    choice.destination = destination_;
  } else {
    choice.destination = entry.destination;
  }
  choice.route = entry.name;
  choice.retry_s = entry.retry_s;
  choice.periods = entry.periods;
  choice.recipient = recipient;
  return choice;
}

RouteChoice Router::RouteLocal(std::string_view recipient) const {
  const LocalAnswer answer = local_->Find(recipient);
  if (answer.standing == LocalStanding::kNoMailbox) return RouteNoMailbox(recipient);
  RouteChoice choice;
  choice.index = static_cast<uint32_t>(entries_.size());
  choice.destination = local_->key();
  choice.route = local_entry_.name;
  choice.retry_s = local_entry_.retry_s;
  choice.periods = local_entry_.periods;
  choice.recipient = answer.address;
  choice.local = true;
  return choice;
}

RouteChoice Router::RouteNoMailbox(std::string_view recipient) const {
  std::string_view to = local_->Find(recipient).address;
  if (local_->undelivered() == core::Undelivered::kForward) {
    to = local_->forward_to();
    SetDomain(to);
    if (!local_->OwnsDomainOf(to)) return RouteOut(to);
    // Once only: what is forwarded to a mailbox that there is not comes to an end.
    if (local_->Find(to).standing != LocalStanding::kNoMailbox) return RouteLocal(to);
  }
  RouteChoice choice;
  choice.index = static_cast<uint32_t>(entries_.size());
  choice.destination = local_->no_mailbox_key();
  choice.route = local_entry_.name;
  choice.retry_s = local_entry_.retry_s;
  choice.periods = local_entry_.periods;
  choice.recipient = to;
  choice.local = true;
  return choice;
}

bool Router::StillRoutes(std::string_view route, std::string_view key) const {
  if (local_ != nullptr && route == kLocalRoute && local_->LeadsTo(key)) return true;
  const auto named = by_name_.find(route);
  if (named == by_name_.end()) return false;
  return std::any_of(named->second.begin(), named->second.end(), [&](uint32_t index) {
    const Entry& entry = entries_[index];
    return entry.destination.empty() ? GoesToPort(key, entry.port) : entry.destination == key;
  });
}

RouteChanges Router::Since(const Router& old) const {
  RouteChanges changes;
  for (const Entry& entry : old.entries_) {
    const auto named = by_name_.find(entry.name);
    const bool stays = named != by_name_.end() &&
                       std::any_of(named->second.begin(), named->second.end(), [&](uint32_t index) {
                         return entries_[index].destination == entry.destination &&
                                entries_[index].port == entry.port;
                       });
    if (stays) continue;
    if (entry.destination.empty()) {
      changes.mx = true;
    } else {
      changes.keys.insert(entry.destination);
    }
  }
  if (old.local_ != nullptr) {
    for (const std::string& key : {old.local_->key(), old.local_->no_mailbox_key()}) {
      if (local_ == nullptr || !local_->LeadsTo(key)) changes.keys.insert(key);
    }
  }
  return changes;
}

uint32_t Router::ConnectionsFor(std::string_view destination) const {
  const auto found = connections_.find(destination);
  if (found != connections_.end()) return found->second;
  if (local_ != nullptr && destination == local_->key()) return local_entry_.connections;
  const DestinationKey key = ParseDestinationKey(destination);
  if (!key.via_mx()) return default_connections_;
  const Entry& entry = entries_[Match(key.domain)];
  return entry.destination.empty() ? entry.connections : default_connections_;
}

}  // namespace outbox::queue
