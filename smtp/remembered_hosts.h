// RememberedHosts: hosts with which something has failed lately, which is not tried again for a
// while.
//
// At the bound the host that failed first is forgotten, and tried again.
#ifndef OUTBOX_SMTP_REMEMBERED_HOSTS_H_
#define OUTBOX_SMTP_REMEMBERED_HOSTS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>

#include "core/ip_address.h"

namespace outbox::smtp {

class RememberedHosts {
 public:
  // `for_ns`: how long a host is remembered behind its last failure.
  RememberedHosts(size_t hosts_max, int64_t for_ns) : hosts_max_(hosts_max), for_ns_(for_ns) {}

  // It has failed with the host now. Times are steady.
  void Add(const core::SocketAddress& host, int64_t now_ns) {
    Expire(now_ns);
    const int64_t until_ns = now_ns + for_ns_;
    until_.insert_or_assign(host, until_ns);
    order_.push_back({host, until_ns});
    // A host that failed again stands in line twice.
    while (until_.size() > hosts_max_ || order_.size() > 2 * hosts_max_) Drop();
  }
  bool Has(const core::SocketAddress& host, int64_t now_ns) {
    Expire(now_ns);
    return !until_.empty() && until_.contains(host);
  }
  size_t size() const { return until_.size(); }

 private:
  struct Place {
    core::SocketAddress host;
    int64_t until_ns;
  };

  void Expire(int64_t now_ns) {
    while (!order_.empty() && order_.front().until_ns <= now_ns) Drop();
  }
  void Drop() {
    const Place& first = order_.front();
    const auto found = until_.find(first.host);
    if (found != until_.end() && found->second == first.until_ns) until_.erase(found);
    order_.pop_front();
  }

  const size_t hosts_max_;
  const int64_t for_ns_;
  std::map<core::SocketAddress, int64_t> until_;
  std::deque<Place> order_;  // the first to be forgotten first
};

}  // namespace outbox::smtp

#endif  // OUTBOX_SMTP_REMEMBERED_HOSTS_H_
