#include "queue/suspension_list.h"

namespace outbox::queue {

SuspensionList::SuspensionList(std::vector<Suspension> all) : all_(std::move(all)) {
  for (uint32_t i = 0; i < all_.size(); ++i) {
    if (all_[i].site) {
      sites_.try_emplace(all_[i].name, i);
    } else {
      domains_.Add(all_[i].name, i);
    }
  }
}

const Suspension* SuspensionList::Find(std::string_view domain, std::string_view site) const {
  if (all_.empty()) return nullptr;
  const uint32_t by_domain = domains_.Find(domain);
  if (by_domain != PatternIndex::kNone) return &all_[by_domain];
  return FindSite(site);
}

const Suspension* SuspensionList::FindSite(std::string_view site) const {
  const auto found = sites_.find(site);
  return found == sites_.end() ? nullptr : &all_[found->second];
}

}  // namespace outbox::queue
