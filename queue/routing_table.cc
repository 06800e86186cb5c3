#include "queue/routing_table.h"

#include "queue/spool/coding.h"

namespace outbox::queue {

const Routing* RoutingTable::Intern(std::string_view route, std::span<const uint32_t> retry_s,
                                    const Periods& periods, bool pinned) {
  PartRouting part;
  part.route = route;
  part.periods = periods;
  part.retry = {reinterpret_cast<const char*>(retry_s.data()), retry_s.size_bytes()};
  return Intern(part, pinned);
}

const Routing* RoutingTable::Intern(const PartRouting& part, bool pinned) {
  key_.clear();
  Add<uint8_t>(&key_, pinned);
  Add<uint32_t>(&key_, part.periods.notify_after_s);
  Add<uint32_t>(&key_, part.periods.retry_until_s);
  Add<uint32_t>(&key_, part.retry_count());
  key_.append(part.retry).append(part.route);
  std::unique_ptr<Routing>& routing = all_[key_];
  if (routing == nullptr) {
    routing = std::make_unique<Routing>();
    routing->route = part.route;
    routing->periods = part.periods;
    routing->retry = part.retry;
    routing->pinned = pinned;
    routing->set = periods_->Intern(part.periods, part.retry_count(),
                                    [&part](uint32_t i) { return part.retry_s(i); });
  }
  return routing.get();
}

}  // namespace outbox::queue
