#include "queue/destination_hosts.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "core/limits.h"
#include "io/io.h"
#include "queue/destination.h"
#include "queue/site_gate.h"

namespace outbox::queue {
namespace {

// While the DNS does not know it is asked again after a part of the time that this has lasted, and
// up to a part of that later, so that domains that died together do not come back together.
constexpr int64_t kAskAgainShare = 20;
constexpr int64_t kAskAgainSpread = 16;

// What a sender reads. RFC 3463 3.5, 3.6; RFC 7505 3.
struct Meaning {
  bool permanent;
  const char* enhanced;
};

Meaning MeaningOf(dns::MxPlanKind kind, bool via_mx) {
  switch (kind) {
    case dns::MxPlanKind::kNoSuchDomain:
      return via_mx ? Meaning{true, "5.1.2"} : Meaning{false, "4.4.4"};
    case dns::MxPlanKind::kNullMx:
      return {true, "5.1.10"};
    case dns::MxPlanKind::kNoAddress:
      return via_mx ? Meaning{true, "5.4.4"} : Meaning{false, "4.4.4"};
    case dns::MxPlanKind::kSelf:
      return {true, "5.4.6"};
    case dns::MxPlanKind::kInvalid:
      return {false, "4.4.4"};
    case dns::MxPlanKind::kHosts:
    case dns::MxPlanKind::kTemporary:
      break;
  }
  return {false, "4.4.3"};
}

}  // namespace

DestinationHosts::DestinationHosts(OwnerShard* shard, const std::string& key,
                                   Destination* destination)
    : shard_(shard), destination_(destination), key_(key), parsed_(ParseDestinationKey(key)) {
  query_.Bind<&DestinationHosts::OnAnswer>(this);
  since_ns_ = now_ns();
  source_ = FindSource();
  if (source_ != nullptr) parsed_.bind = source_->addresses;
  Begin();
}

void DestinationHosts::Begin() {
  standing_ = HostsStanding::kUnknown;
  good_until_ns_ = ask_again_ns_ = 0;
  if (parsed_.valid() && !parsed_.source.empty() && source_ == nullptr) {
    standing_ = HostsStanding::kUnrouted;
    good_until_ns_ = ask_again_ns_ = core::kNever;
    words_.enhanced = "4.4.4";
    words_.text = "the configuration has no source \"" + parsed_.source + "\" to send from";
  } else if (!parsed_.valid()) {
    standing_ = HostsStanding::kUnrouted;
    good_until_ns_ = ask_again_ns_ = core::kNever;
    words_.enhanced = "4.4.4";
    words_.text = "no route is known for \"" + key_ + "\"";
  } else if (parsed_.no_mailbox) {
    standing_ = HostsStanding::kUndeliverable;
    good_until_ns_ = ask_again_ns_ = core::kNever;
    words_.verdict = Verdict::kBounced;
    words_.enhanced = "5.1.1";
    words_.text = "there is no mailbox of this name here";
  } else if (parsed_.all_addresses()) {
    good_until_ns_ = ask_again_ns_ = core::kNever;
    TakeHosts(PlanOfAddresses(parsed_));
  } else if (shard_->context.finder == nullptr) {
    standing_ = HostsStanding::kPutOff;
    good_until_ns_ = ask_again_ns_ = core::kNever;
    words_.enhanced = "4.4.3";
    words_.text = "there is nobody to ask for the hosts of \"" + key_ + "\"";
  }
}

DestinationHosts::~DestinationHosts() {
  Stop();
  CHECK(old_.empty());
  if (plan_ == nullptr) return;
  CHECK(plan_->users == 0);
  shard_->gate->Leave(plan_->site);
}

int64_t DestinationHosts::now_ns() const { return shard_->context.io->now_ns(); }

void DestinationHosts::Stop() {
  if (query_.in_flight) shard_->context.finder->Cancel(&query_);
}

bool DestinationHosts::Current() const { return good_until_ns_ > now_ns(); }

int64_t DestinationHosts::refresh_ns() const {
  if (good_until_ns_ == core::kNever) return core::kNever;
  return std::max(good_until_ns_, answered_ns_ + core::kHostsRefreshNs);
}

void DestinationHosts::Ask() {
  if (!Current() && !asking()) AskNow();
}

void DestinationHosts::AskNow() {
  if (asking() || shard_->closing || shard_->context.finder == nullptr) return;
  if (!parsed_.valid() || parsed_.all_addresses()) return;
  query_.dns.patient = standing_ == HostsStanding::kPutOff;
  if (const dns::MxPlanPtr answer = shard_->context.finder->Find(parsed_, &query_)) {
    OnAnswer(answer);
  }
}

void DestinationHosts::OnAnswer(const dns::MxPlanPtr& answer) {
  TakeAnswer(*answer);
  ask_again_ns_ = AskAgainNs();
  destination_->OnAnswer();
}

// Domains that are dead for days would otherwise ask as often as on their first day, and there can
// be thousands.
int64_t DestinationHosts::AskAgainNs() const {
  if (standing_ != HostsStanding::kPutOff) return good_until_ns_;
  const int64_t lasted_ns = (now_ns() - since_ns_) / kAskAgainShare;
  const int64_t wait_ns =
      std::max(good_until_ns_ - now_ns(), std::min(lasted_ns, core::kDnsRetryMaxNs));
  const uint64_t spread_ns = static_cast<uint64_t>(wait_ns / kAskAgainSpread) + 1;
  return now_ns() + wait_ns + static_cast<int64_t>(shard_->context.random->Below(spread_ns));
}

void DestinationHosts::TakeAnswer(const dns::MxPlan& answer) {
  answered_ns_ = now_ns();
  // An answer that is too old already serves at least what waits for it.
  good_until_ns_ = std::max(answer.valid_until_ns, now_ns() + core::kNsPerMs);
  if (answer.kind == dns::MxPlanKind::kHosts) {
    stale_until_ns_ = good_until_ns_ + core::kStaleHostsNs;
    TakeHosts(PlanOfAnswer(parsed_, answer, shard_->context.random));
    return;
  }
  no_family_ = false;
  const Meaning meaning = MeaningOf(answer.kind, parsed_.via_mx());
  words_ = RecipientResult{};
  words_.verdict = meaning.permanent ? Verdict::kBounced : Verdict::kDeferred;
  words_.enhanced = meaning.enhanced;
  words_.text = answer.reason;
  if (meaning.permanent) {
    Enter(HostsStanding::kUndeliverable);
  } else if (standing_ != HostsStanding::kKnown || now_ns() >= stale_until_ns_) {
    Enter(HostsStanding::kPutOff);
  }
}

void DestinationHosts::Enter(HostsStanding standing) {
  if (standing_ == standing) return;
  standing_ = standing;
  since_ns_ = now_ns();
}

SitePolicy DestinationHosts::PolicyFor(const SiteHosts& hosts) const {
  const auto& policy_for = shard_->context.policy_for;
  SitePolicy policy = policy_for ? policy_for(key_, hosts) : SiteOfHosts(hosts);
  if (!parsed_.source.empty()) policy.SetSource(parsed_.source);
  return policy;
}

void DestinationHosts::TakeHosts(HostPlan plan) {
  no_family_ = plan.hosts.empty();
  if (no_family_) {
    words_ = RecipientResult{};
    words_.enhanced = "4.4.4";
    words_.text =
        "no host has an address of a family that it could be sent from by " + SourceText();
    return Enter(HostsStanding::kPutOff);
  }
  Enter(HostsStanding::kKnown);
  if (plan_ != nullptr && plan_->SameHosts(plan)) return;
  plan.policy = PolicyFor(plan.site_hosts);
  Replace(std::make_unique<HostPlan>(std::move(plan)));
}

void DestinationHosts::Reconsider() {
  TakeSource();
  if (plan_ == nullptr) return;
  SitePolicy policy = PolicyFor(plan_->site_hosts);
  if (policy == plan_->policy) return shard_->gate->Offer(plan_->site, policy);
  auto plan = std::make_unique<HostPlan>();
  plan->hosts = plan_->hosts;
  for (PlannedHost& host : plan->hosts) host.connections = 0;
  plan->site_hosts = plan_->site_hosts;
  plan->link = plan_->link;
  plan->place = plan_->place;
  plan->policy = std::move(policy);
  Replace(std::move(plan));
}

void DestinationHosts::Replace(std::unique_ptr<HostPlan> plan) {
  plan->site = shard_->gate->Join(plan->policy);
  if (plan_ != nullptr) {
    for (PlannedHost& host : plan->hosts) {
      const int before = plan_->Find(host.address);
      if (before < 0) continue;
      const PlannedHost& known = plan_->hosts[static_cast<size_t>(before)];
      host.down_until_ns = known.down_until_ns;
      host.trouble = known.trouble;
    }
  }
  std::swap(plan, plan_);
  if (plan == nullptr) return;
  HostPlan* const old = plan.get();
  Use(old);  // it stays while the destination lets go of it
  old_.push_back(std::move(plan));
  destination_->OnPlan(old);
  Release(old);
}

void DestinationHosts::Release(HostPlan* plan) {
  CHECK(plan->users > 0);
  if (--plan->users > 0 || plan == plan_.get()) return;
  const auto it =
      std::find_if(old_.begin(), old_.end(), [plan](const auto& one) { return one.get() == plan; });
  CHECK(it != old_.end());
  shard_->gate->Leave(plan->site);
  old_.erase(it);
}

}  // namespace outbox::queue
