#include "dkim/signing_table.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "core/config_dkim.h"

namespace outbox::dkim {
namespace {

using Found = std::array<std::pair<uint32_t, std::string_view>, core::kDkimSignaturesMax>;

}  // namespace

std::shared_ptr<const SigningTable> SigningTable::Make(
    std::shared_ptr<const core::Config> config) {
  if (config->dkim.empty()) return nullptr;
  return std::shared_ptr<const SigningTable>(new SigningTable(std::move(config)));
}

SigningTable::SigningTable(std::shared_ptr<const core::Config> config)
    : config_(std::move(config)) {
  for (uint32_t i = 0; i < config_->dkim.size(); ++i) {
    CHECK(config_->dkim[i].key != nullptr);
    for (const std::string& pattern : config_->dkim[i].domains) {
      Matches* matches = &all_;
      if (pattern.starts_with("*.")) {
        matches = &below_[pattern.substr(2)];
      } else if (pattern != "*") {
        matches = &names_[pattern];
      }
      matches->push_back({i, pattern});
    }
  }
}

// Each list is in the order of the file, and so are the first few of all of them together: an entry
// that does not fit, or was there by another of its patterns, changes nothing.
Selection SigningTable::Select(std::string_view domain) const {
  Found found;
  size_t count = 0;
  const auto add = [&](const Matches& matches) {
    for (size_t i = 0; i < std::min(matches.size(), found.size()); ++i) {
      const Match& match = matches[i];
      auto* const end = found.begin() + count;
      auto* at = std::lower_bound(found.begin(), end, match.rule,
                                  [](const auto& one, uint32_t rule) { return one.first < rule; });
      if (at == found.end() || (at != end && at->first == match.rule)) continue;
      if (count < found.size()) ++count;
      std::move_backward(at, found.begin() + count - 1, found.begin() + count);
      *at = {match.rule, match.pattern};
    }
  };
  if (domain.empty()) return {};
  if (const auto at = names_.find(domain); at != names_.end()) add(at->second);
  for (size_t dot = domain.find('.'); dot != std::string_view::npos && !below_.empty();
       dot = domain.find('.', dot + 1)) {
    if (const auto at = below_.find(domain.substr(dot + 1)); at != below_.end()) add(at->second);
  }
  add(all_);
  Selection selection;
  for (size_t i = 0; i < count; ++i) {
    const core::DkimConfig& rule = config_->dkim[found[i].first];
    const std::string_view signs = core::SigningDomainOf(rule, found[i].second);
    selection.rules[selection.count++] = {&rule, signs.empty() ? domain : signs};
  }
  return selection;
}

}  // namespace outbox::dkim
