// Why a destination sends nothing though it could: an operator has suspended it or its site, or a
// reply of its hosts has.
//
// What is suspended keeps its tickets, without leases and without a timer but those of their
// deadlines: it costs nothing, however much waits. A site that was suspended by a reply is one
// whose rate says "not before" (queue/site_gate.h).
#include "core/time.h"
#include "io/io.h"
#include "queue/destination.h"
#include "queue/site.h"

namespace outbox::queue {

// Mail for local mailboxes is nobody's who asks for a pause.
const Suspension* Destination::FindSuspension() const {
  const DestinationKey& key = hosts_.key();
  if (key.link != LinkKind::kSmtp || !key.valid()) return nullptr;
  return shard_->suspensions->Find(
      key.domain, plan() == nullptr ? std::string_view() : plan()->policy.name);
}

void Destination::LookForSuspension() {
  if (suspended_) return;
  suspensions_seen_ = shard_->suspensions_number;
  if (FindSuspension() != nullptr) Suspend();
}

void Destination::OnSuspensions() {
  suspensions_seen_ = shard_->suspensions_number;
  const bool wanted = FindSuspension() != nullptr;
  if (wanted && !suspended_) return Suspend();
  if (wanted) return;
  if (suspended_) return Resume();
  if (plan() == nullptr) return;
  shard_->gate->AskAgain(plan()->site);
  if (rate_until_ns_ == 0) return;
  rate_until_ns_ = shard_->gate->LookRate(plan()->site);
  if (rate_until_ns_ == 0) PokeIdle();
  MaybeGrow();
  ArmTimer();
}

void Destination::Suspend() {
  suspended_ = true;
  if (homeless_.empty()) StopAsking();
  ParkAll();
}

void Destination::Resume() {
  suspended_ = false;
  rate_until_ns_ = 0;
  if (plan() != nullptr) shard_->gate->StartSlowly(plan()->site);
  PokeIdle();
  MaybeGrow();
  ArmTimer();
}

const RecipientResult* Destination::PauseWords() const {
  static const RecipientResult kSuspended = {
      0, Verdict::kDeferred, 0, "4.3.2",
      "the operators of this mail system have suspended delivery"};
  static const RecipientResult kPaused = {
      0, Verdict::kDeferred, 0, "4.4.5", "the mail host has asked for a pause"};
  if (suspended_) return &kSuspended;
  if (plan() == nullptr) return nullptr;
  const Site* const site = shard_->gate->Look(plan()->site);
  return site == nullptr || site->slots.SuspendedUntil(now_ns()) == 0 ? nullptr : &kPaused;
}

}  // namespace outbox::queue
