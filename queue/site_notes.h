// SiteNotes: the replies that have lowered the limits of sites, in their words.
//
// What a reply has done is a few numbers in the site table; who asks why wants to read it, on
// whatever shard it came. So the words are kept here, by site, the last ones of each; at most
// core::kSiteNotes of them, the oldest goes. Behind a lock, which nobody takes who sends mail: a
// note is written when a limit has changed, and read for an operator.
#ifndef OUTBOX_QUEUE_SITE_NOTES_H_
#define OUTBOX_QUEUE_SITE_NOTES_H_

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "core/limits.h"

namespace outbox::queue {

struct SiteNote {
  std::string reply;     // "421 4.7.0 too many messages"
  std::string mailhost;  // that gave it
  int64_t wall_ns = 0;
};

class SiteNotes {
 public:
  void Put(uint64_t site, SiteNote note) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (notes_.size() == core::kSiteNotes && !notes_.contains(site)) {
      auto oldest = notes_.begin();
      for (auto it = notes_.begin(); it != notes_.end(); ++it) {
        if (it->second.wall_ns < oldest->second.wall_ns) oldest = it;
      }
      notes_.erase(oldest);
    }
    notes_[site] = std::move(note);
  }
  std::optional<SiteNote> Get(uint64_t site) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = notes_.find(site);
    return found == notes_.end() ? std::nullopt : std::optional<SiteNote>(found->second);
  }

 private:
  mutable std::mutex mutex_;
  std::map<uint64_t, SiteNote> notes_;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_SITE_NOTES_H_
