#include "queue/site_lister.h"

#include <utility>

#include "queue/destination.h"

namespace outbox::queue {
namespace {

// Well under a millisecond.
constexpr int kSiteLooksPerTurn = 500;

}  // namespace

SiteLister::~SiteLister() {
  if (cursor_.link.linked()) cursor_.link.Unlink();
}

void SiteLister::Tick() {
  if (done_) return;
  const bool more = destinations_->Walk(
      &cursor_, kSiteLooksPerTurn, [this](const Destination& destination) { Look(destination); });
  if (!more) End();
}

void SiteLister::Stop() {
  if (!done_) End();
}

void SiteLister::End() {
  done_ = true;
  sink_->OnSites(std::move(sites_));
}

void SiteLister::Look(const Destination& destination) {
  const HostPlan* const plan = destination.plan();
  if (plan == nullptr) return;
  const auto [found, is_new] = by_hash_.try_emplace(plan->policy.hash, sites_.size());
  if (is_new) {
    SitePart part;
    part.name = plan->policy.name;
    part.source = plan->policy.source;
    part.hash = plan->policy.hash;
    part.rate = plan->policy.rate;
    part.limit = plan->policy.max_connections;
    sites_.push_back(std::move(part));
  }
  SitePart& site = sites_[found->second];
  ++site.destinations;
  site.suspended += destination.suspended();
  site.ready += destination.ready();
  site.sending += destination.sending();
}

}  // namespace outbox::queue
