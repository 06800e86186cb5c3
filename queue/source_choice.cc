#include "queue/source_choice.h"

#include <algorithm>

#include "core/config_sources.h"
#include "core/domain_name.h"
#include "core/idna.h"

namespace outbox::queue {

const char* SourceRuleName(SourceRule rule) {
  switch (rule) {
    case SourceRule::kNobody:
      return "system";
    case SourceRule::kBind:
      return "bind";
    case SourceRule::kRoute:
      return "route";
    case SourceRule::kSender:
      return "sender";
    case SourceRule::kDefault:
      return "default";
  }
  return "";
}

SourceChoice::SourceChoice(const core::Config& config)
    : groups_(1), senders_(config.senders), default_name_(config.delivery.send_from) {
  for (const core::SourceConfig& source : config.sources) {
    std::vector<std::string> names = source.pools;
    names.push_back(source.name);
    for (const std::string& name : names) {
      const auto [found, is_new] = by_name_.try_emplace(name, static_cast<Group>(groups_.size()));
      if (is_new) groups_.push_back({name, {}});
      std::vector<Member>& members = groups_[found->second].members;
      const uint64_t below = members.empty() ? 0 : members.back().up_to;
      members.push_back({source.name, below + source.weight});
    }
  }
  for (uint32_t i = 0; i < senders_.size(); ++i) {
    for (const std::string& domain : senders_[i].domains) domains_.Add(domain, i);
    sender_groups_.push_back(Find(senders_[i].send_from));
  }
  default_ = Find(default_name_);
}

SourceChoice::Group SourceChoice::Find(const std::optional<std::string>& send_from) const {
  if (!send_from.has_value()) return kUnsaid;
  const auto found = by_name_.find(*send_from);
  return found == by_name_.end() ? kSystem : found->second;
}

uint32_t SourceChoice::SenderOf(std::string_view sender) const {
  const size_t at = sender.rfind('@');
  if (domains_.empty() || at == std::string_view::npos) return PatternIndex::kNone;
  core::ToALabels(sender.substr(at + 1), &domain_);
  return domains_.Find(domain_);
}

SourceChoice::Group SourceChoice::For(Group by_route, std::string_view sender,
                                      SourceRule* rule) const {
  SourceRule unused;
  SourceRule& by = rule == nullptr ? unused : *rule;
  by = SourceRule::kRoute;
  if (by_route != kUnsaid) return by_route;
  by = SourceRule::kSender;
  const uint32_t entry = SenderOf(sender);
  if (entry != PatternIndex::kNone) return sender_groups_[entry];
  by = default_ == kSystem ? SourceRule::kNobody : SourceRule::kDefault;
  return default_;
}

bool SourceChoice::Contains(Group group, std::string_view source) const {
  const std::vector<Member>& members = groups_[group].members;
  if (source.empty()) return members.empty();
  return std::any_of(members.begin(), members.end(),
                     [source](const Member& member) { return member.name == source; });
}

std::string_view SourceChoice::Choose(Group group, uint64_t draw, std::string_view now) const {
  const std::vector<Member>& members = groups_[group].members;
  if (members.empty()) return {};
  if (members.size() > 1 && !now.empty() && Contains(group, now)) {
    return std::find_if(members.begin(), members.end(),
                        [now](const Member& member) { return member.name == now; })
        ->name;
  }
  __extension__ typedef unsigned __int128 Wide;
  const auto at = static_cast<uint64_t>((static_cast<Wide>(draw) * members.back().up_to) >> 64);
  return std::upper_bound(members.begin(), members.end(), at,
                          [](uint64_t value, const Member& member) { return value < member.up_to; })
      ->name;
}

std::vector<std::string> SourceChoice::SourcesOf(Group group, size_t most) const {
  std::vector<std::string> names;
  for (const Member& member : groups_[group].members) {
    if (names.size() < most) names.push_back(member.name);
  }
  return names;
}

std::vector<std::string> SourceChoice::AllSources(size_t most) const {
  std::vector<std::string> names;
  for (const GroupFacts& group : groups_) {
    const bool source = group.members.size() == 1 && group.members[0].name == group.name;
    if (source && names.size() < most) names.push_back(group.name);
  }
  return names;
}

bool SourceChoice::DiffersFrom(const SourceChoice& other) const {
  const auto same_group = [](const GroupFacts& a, const GroupFacts& b) {
    return a.name == b.name && a.members == b.members;
  };
  const auto same_sender = [](const core::SenderConfig& a, const core::SenderConfig& b) {
    return a.domains == b.domains && a.send_from == b.send_from;
  };
  return default_name_ != other.default_name_ ||
         !std::equal(groups_.begin(), groups_.end(), other.groups_.begin(), other.groups_.end(),
                     same_group) ||
         !std::equal(senders_.begin(), senders_.end(), other.senders_.begin(), other.senders_.end(),
                     same_sender);
}

}  // namespace outbox::queue
