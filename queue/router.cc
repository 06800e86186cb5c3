#include "queue/router.h"

#include <algorithm>

#include "core/idna.h"
#include "core/time.h"
#include "queue/destination_key.h"

namespace outbox::queue {
namespace {

uint32_t Seconds(int64_t ns) {
  // A period below a second would be none at all on disk.
  return static_cast<uint32_t>(std::clamp<int64_t>(ns / core::kNsPerSecond, 1, UINT32_MAX - 1));
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
    : hostname_(config.hostname),
      sources_(config),
      default_connections_(config.delivery.max_connections) {
  for (uint32_t index = 0; index < config.routes.size(); ++index) {
    AddRoute(config.routes[index], index);
  }
  const core::DeliveryConfig& delivery = config.delivery;
  entries_.push_back(MakeEntry(std::string(kImplicitRoute), delivery.periods, delivery.port,
                               delivery.max_connections));
  entries_.back().archive = config.archive.to;
  entries_.back().suffix = entries_.back().session = TlsSuffix(delivery.tls);
  entries_.back().sourced = true;
  if (const core::LocalConfig& local = config.local; !local.domains.empty()) {
    local_ = std::make_unique<LocalDomains>(local);
    local_entry_ = MakeEntry(std::string(kLocalRoute), local.periods, 0, local.max_connections);
    core::RetryPeriods periods = local.periods;
    periods.notify_after_ns = core::kNever;
    archive_entry_ = MakeEntry(std::string(core::kArchiveRoute), periods, 0, local.max_connections);
    archives_ = std::any_of(entries_.begin(), entries_.end(),
                            [](const Entry& entry) { return !entry.archive.empty(); });
    archives_notices_ = archives_ && config.archive.notices;
  }
  for (uint32_t index = 0; index < entries_.size(); ++index) {
    by_name_[entries_[index].name].push_back(index);
  }
}

void Router::AddRoute(const core::RouteConfig& route, uint32_t index) {
  Entry entry = MakeEntry(route.name, route.periods, route.port, route.max_connections);
  entry.action = route.action;
  entry.archive = route.archive;
  switch (route.action) {
    case core::RouteAction::kSend:
      entry.suffix = BindSuffix(route.bind);
      entry.sourced = route.bind.empty() && (route.via.empty() || !route.via[0].lmtp);
      entry.send_from = sources_.Find(route.send_from);
      entry.send_from_name = route.send_from;
      if (route.via.empty() || !route.via[0].lmtp) {
        entry.session =
            TlsSuffix(route.tls) + VerpSuffix(route.verp) + UserSuffix(route.auth.user);
      }
      entry.suffix += entry.session;
      if (!route.via_mx) {
        entry.hosts = ViaKey(route.via);
        entry.destination = entry.hosts + entry.suffix;
        uint32_t& most =
            connections_.try_emplace(entry.destination, route.max_connections).first->second;
        most = std::min(most, route.max_connections);
      }
      break;
    case core::RouteAction::kHold:
      entry.destination = kHoldKey;
      break;
    case core::RouteAction::kReject:
      entry.destination = RejectKey(route.reject_text);
      break;
    case core::RouteAction::kDiscard:
      entry.destination = kDiscardKey;
      break;
  }
  entries_.push_back(std::move(entry));
  if (route.by_domain_alone() && route.action != core::RouteAction::kHold) {
    for (const std::string& pattern : route.match) patterns_.Add(pattern, index);
    return;
  }
  conditions_.Add(route, index);
  Conditional& conditional = conditional_[index];
  conditional.route = route;
  conditional.route.match.clear();
  for (const std::string& pattern : route.match) conditional.domains.Add(pattern, index);
  if (route.via_mx && route.max_connections != default_connections_) limited_mx_.push_back(index);
  needs_content_ = needs_content_ || route.needs_content();
  needs_header_ = needs_header_ || !route.headers.empty();
}

uint32_t Router::Match(std::string_view domain) const {
  return std::min(patterns_.Find(domain), static_cast<uint32_t>(entries_.size() - 1));
}

uint32_t Router::MatchConditions(std::string_view recipient, const RouteFacts& facts,
                                 uint32_t before, bool* decided) const {
  core::SetAddressKey(recipient, &recipient_);
  core::SetAddressKey(facts.sender, &sender_);
  RouteFacts keys = facts;
  keys.sender = sender_;
  candidates_.clear();
  conditions_.Find(recipient_, domain_, sender_, before, &candidates_);
  for (const uint32_t number : candidates_) {
    const Conditional& conditional = conditional_.find(number)->second;
    const core::RouteConfig& route = conditional.route;
    if (facts.released && route.action == core::RouteAction::kHold) continue;
    if (!conditional.Takes(domain_)) continue;
    const RouteCondition unmet = UnmetCondition(route, recipient_, keys);
    if (unmet == RouteCondition::kNone) return number;
    // Not met for now: what comes behind it is no more than a guess.
    const bool unknown = (unmet == RouteCondition::kHeader && facts.header == nullptr) ||
                         (unmet == RouteCondition::kSize && facts.size == 0);
    *decided = *decided && !unknown;
  }
  return before;
}

void Router::SetDomain(std::string_view recipient) const {
  const size_t at = recipient.rfind('@');
  core::ToALabels(
      at == std::string_view::npos ? std::string_view(hostname_) : recipient.substr(at + 1),
      &domain_);
}

RouteChoice Router::Route(std::string_view recipient, const RouteFacts& facts) const {
  SetDomain(recipient);
  if (local_ != nullptr && local_->OwnsDomainOf(recipient)) return RouteLocal(recipient, facts);
  return RouteOut(recipient, facts);
}

// `domain_` is the recipient's.
RouteChoice Router::RouteOut(std::string_view recipient, const RouteFacts& facts) const {
  uint32_t index = Match(domain_);
  bool decided = true;
  if (!conditions_.empty()) index = MatchConditions(recipient, facts, index, &decided);
  RouteChoice choice = ChoiceOf(index, recipient, facts);
  choice.decided = decided;
  return choice;
}

std::optional<RouteChoice> Router::RouteThrough(std::string_view name, std::string_view recipient,
                                                const RouteFacts& facts) const {
  const auto named = by_name_.find(name);
  if (named == by_name_.end()) return std::nullopt;
  SetDomain(recipient);
  return ChoiceOf(named->second.front(), recipient, facts);
}

RouteChoice Router::ChoiceOf(uint32_t index, std::string_view recipient,
                             const RouteFacts& facts) const {
  RouteChoice choice;
  choice.index = index;
  const Entry& entry = entries_[index];
  const bool has_bind = entry.action == core::RouteAction::kSend && !entry.sourced;
  if (has_bind && entry.suffix != entry.session) choice.source_rule = SourceRule::kBind;
  if (entry.sourced && !sources_.empty()) {
    const auto group = sources_.For(entry.send_from, facts.sender, &choice.source_rule);
    choice.source = sources_.Choose(group, facts.draw, facts.source);
    choice.send_from = sources_.NameOf(group);
  }
  if (entry.destination.empty()) {
    WriteMxKey(domain_, entry.port, &destination_);
  } else if (!choice.source.empty()) {
    destination_.assign(entry.hosts);
  }
  if (!choice.source.empty()) {
    destination_.append("@").append(choice.source).append(entry.session);
  } else if (entry.destination.empty()) {
    destination_.append(entry.suffix);
  }
  const bool whole = !entry.destination.empty() && choice.source.empty();
  choice.destination = whole ? entry.destination : destination_;
  choice.action = entry.action;
  choice.route = entry.name;
  choice.retry_s = entry.retry_s;
  choice.periods = entry.periods;
  choice.recipient = recipient;
  return choice;
}

RouteChoice Router::LocalChoice(const Entry& entry, std::string_view destination,
                                std::string_view recipient) const {
  RouteChoice choice;
  choice.index = static_cast<uint32_t>(entries_.size());
  choice.destination = destination;
  choice.route = entry.name;
  choice.retry_s = entry.retry_s;
  choice.periods = entry.periods;
  choice.recipient = recipient;
  choice.local = true;
  return choice;
}

RouteChoice Router::RouteLocal(std::string_view recipient, const RouteFacts& facts) const {
  const LocalAnswer answer = local_->Find(recipient);
  if (answer.standing == LocalStanding::kNoMailbox) return RouteNoMailbox(recipient, facts);
  return LocalChoice(local_entry_, local_->key(), answer.address);
}

RouteChoice Router::RouteNoMailbox(std::string_view recipient, const RouteFacts& facts) const {
  std::string_view to = local_->Find(recipient).address;
  if (local_->undelivered() == core::Undelivered::kForward) {
    to = local_->forward_to();
    SetDomain(to);
    if (!local_->OwnsDomainOf(to)) return RouteOut(to, facts);
    // Once only: what is forwarded to a mailbox that there is not comes to an end.
    if (local_->Find(to).standing != LocalStanding::kNoMailbox) return RouteLocal(to, facts);
  }
  RouteChoice choice = LocalChoice(local_entry_, local_->no_mailbox_key(), to);
  choice.action = ActionOf(choice.destination);
  return choice;
}

std::string_view Router::ArchiveOf(uint32_t index) const {
  return archives_ && index < entries_.size() ? std::string_view(entries_[index].archive)
                                              : std::string_view();
}

std::string_view Router::ArchiveOfNotice(uint32_t index) const {
  return archives_notices_ ? ArchiveOf(index) : std::string_view();
}

RouteChoice Router::RouteArchive(std::string_view mailbox) const {
  return LocalChoice(archive_entry_, local_->key(), mailbox);
}

bool Router::LeadsTo(const Entry& entry, const DestinationKey& key) {
  return key.via_mx() && key.port == entry.port &&
         BindSuffix(key.bind) + TlsSuffix(key.tls) + VerpSuffix(key.verp) + UserSuffix(key.user) ==
             entry.suffix;
}

bool Router::StillRoutes(std::string_view route, std::string_view key,
                         std::string_view sender) const {
  // Without [local] there is no better place for a copy than the one that it had.
  if (route == core::kArchiveRoute) return local_ == nullptr || key == local_->key();
  if (local_ != nullptr && route == kLocalRoute && local_->LeadsTo(key)) return true;
  const auto named = by_name_.find(route);
  if (named == by_name_.end()) return false;
  const DestinationKey parsed = ParseDestinationKey(key);
  const std::string hosts = WithoutSource(key);
  return std::any_of(named->second.begin(), named->second.end(), [&](uint32_t index) {
    const Entry& entry = entries_[index];
    const bool leads =
        entry.destination.empty() ? LeadsTo(entry, parsed) : entry.destination == hosts;
    const auto group =
        entry.sourced ? sources_.For(entry.send_from, sender) : SourceChoice::kSystem;
    return leads && sources_.Contains(group, parsed.source);
  });
}

bool Router::StillSends(std::string_view key, std::string_view sender) const {
  const DestinationKey parsed = ParseDestinationKey(key);
  if (parsed.link != LinkKind::kSmtp || !parsed.valid() || !parsed.bind.empty()) return true;
  return sources_.Contains(sources_.For(SourceChoice::kUnsaid, sender), parsed.source);
}

void Router::ChooseSource(const RouteFacts& facts, RouteChoice* choice) const {
  choice->source = choice->send_from = {};
  choice->source_rule = SourceRule::kNobody;
  const DestinationKey parsed = ParseDestinationKey(choice->destination);
  if (parsed.link != LinkKind::kSmtp || !parsed.valid() || !parsed.bind.empty()) return;
  const auto group = sources_.For(SourceChoice::kUnsaid, facts.sender, &choice->source_rule);
  choice->source = sources_.Choose(group, facts.draw, facts.source);
  choice->send_from = sources_.NameOf(group);
  destination_ = WithSource(choice->destination, choice->source);
  choice->destination = destination_;
}

bool RouteChanges::Touches(std::string_view key) const {
  if (keys.contains(key) || (mx && key.starts_with("mx:"))) return true;
  if (sources && (key.starts_with("mx:") || key.starts_with("via:"))) return true;
  return !SourceOf(key).empty() && keys.contains(WithoutSource(key));
}

RouteChanges Router::Since(const Router& old) const {
  RouteChanges changes;
  changes.sources = sources_.DiffersFrom(old.sources_);
  for (const Entry& entry : old.entries_) {
    const auto named = by_name_.find(entry.name);
    if (named != by_name_.end() &&
        std::any_of(named->second.begin(), named->second.end(), [&](uint32_t index) {
          return entries_[index].send_from_name != entry.send_from_name;
        })) {
      changes.sources = true;
    }
    const bool stays = named != by_name_.end() &&
                       std::any_of(named->second.begin(), named->second.end(), [&](uint32_t index) {
                         return entries_[index].destination == entry.destination &&
                                entries_[index].port == entry.port &&
                                entries_[index].suffix == entry.suffix;
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
  const auto found = SourceOf(destination).empty() ? connections_.find(destination)
                                                   : connections_.find(WithoutSource(destination));
  if (found != connections_.end()) return found->second;
  if (local_ != nullptr && destination == local_->key()) return local_entry_.connections;
  const DestinationKey key = ParseDestinationKey(destination);
  if (!key.via_mx()) return default_connections_;
  const Entry& entry = entries_[Match(key.domain)];
  const bool leads = entry.destination.empty() && LeadsTo(entry, key);
  uint32_t most = leads ? entry.connections : default_connections_;
  bool any = leads;
  for (const uint32_t index : limited_mx_) {
    if (!LeadsTo(entries_[index], key) || !conditional_.find(index)->second.Takes(key.domain)) {
      continue;
    }
    most = any ? std::min(most, entries_[index].connections) : entries_[index].connections;
    any = true;
  }
  return most;
}

}  // namespace outbox::queue
