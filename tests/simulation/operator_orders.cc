// What the operator of a simulated relay does.
#include <algorithm>
#include <string>

#include "core/random.h"
#include "tests/simulation/simulation_run.h"

namespace outbox::simulation {

// An operator at work. What is asked for need not be there.
void Simulation::GiveOrder() {
  CheckCounters();
  if (!relay_up_ || !relay_->ready() || last_message_ == 0) return;
  core::Random& random = world_.random();
  const uint64_t domain_number = random.Below(static_cast<uint64_t>(options_.domains));
  const std::string domain = "d" + std::to_string(domain_number) + ".example";
  switch (random.Below(14)) {
    case 0:
      ledger_.RetryOrdered(world_.now_ns());
      relay_->Retry(random.Chance(1, 3) ? "" : domain);
      return;
    case 1:
      relay_->Look(domain);
      return;
    case 2:
      relay_->Reload();
      return;
    case 3:
      relay_->Hold(random.Chance(1, 3) ? "" : domain);
      return;
    case 4:
      ledger_.RetryOrdered(world_.now_ns());
      relay_->Release();
      return;
    case 5:
      UndoOne();
      return;
    case 6:
      ledger_.RetryOrdered(world_.now_ns());
      relay_->Clear(random.Chance(1, 3) ? "" : domain);
      return;
    case 7:
    case 8:
      return GiveNewRecipient(domain);
    default:
      break;
  }
  const uint64_t message = random.Between(1, last_message_);
  const int number = static_cast<int>(random.Below(static_cast<uint64_t>(options_.recipients_max)));
  const std::string recipient =
      "r" + std::to_string(number) + ".m" + std::to_string(message) + "@" + domain;
  switch (random.Below(4)) {
    case 0:
      ledger_.BounceOrdered(recipient);
      relay_->Bounce(recipient);
      return;
    case 1:
    case 2:
      PurgeOne(recipient);
      return;
    default:
      break;
  }
  ledger_.RemovalOrdered(recipient);
  relay_->Remove(recipient, [this, recipient](bool removed) {
    if (removed) ledger_.Removed(recipient, world_.now_ns());
  });
}

// Or goes back to the one that a message had at first.
void Simulation::GiveNewRecipient(const std::string& domain) {
  core::Random& random = world_.random();
  ledger_.RetryOrdered(world_.now_ns());
  if (!rerouted_.empty() && random.Chance(1, 3)) {
    const std::string recipient = rerouted_[random.Below(rerouted_.size())];
    ledger_.BackOrdered(recipient);
    relay_->Reroute(recipient, "", [](bool) {});
    return;
  }
  // One of the last few, that it may still be there; better one that cannot be delivered.
  const size_t few = std::min<size_t>(recipients_.size(), 12);
  std::string recipient = recipients_[recipients_.size() - 1 - random.Below(few)];
  const auto dead = std::find_if(recipients_.rbegin(), recipients_.rend(),
                                 [](const auto& one) { return one.ends_with(kDeadDomain); });
  if (dead != recipients_.rend() && random.Chance(1, 2)) recipient = *dead;
  const size_t point = recipient.find('.');
  const std::string to = "n" + std::to_string(++new_recipients_) +
                         recipient.substr(point, recipient.find('@') - point) + "@" +
                         (options_.dead_domain && random.Chance(1, 2) ? kDeadDomain : domain);
  if (!ledger_.RerouteOrdered(recipient, to)) return;
  rerouted_.push_back(to);
  relay_->Reroute(recipient, to, [this, recipient](bool done) {
    if (done) ledger_.Rerouted(recipient, world_.now_ns());
  });
}

// Some recipients are purged again and again: what is taken back is a candidate.
void Simulation::PurgeOne(const std::string& recipient) {
  core::Random& random = world_.random();
  const bool again = !undone_.empty() && random.Chance(1, 2);
  const std::string which = again ? undone_[random.Below(undone_.size())] : recipient;
  ledger_.PurgeOrdered(which);
  relay_->Purge(which, kUndoNs, [this, which](bool purged) {
    ledger_.PurgeAnswered(which, purged, world_.now_ns());
    if (purged) purged_.push_back(which);
  });
}

void Simulation::UndoOne() {
  if (purged_.empty()) return;
  const std::string recipient = purged_[world_.random().Below(purged_.size())];
  ledger_.RetryOrdered(world_.now_ns());
  ledger_.UndoOrdered(recipient);
  relay_->Undo(recipient, [this, recipient](bool undone) {
    if (!undone) return;
    ledger_.Undone(recipient);
    undone_.push_back(recipient);
  });
}

}  // namespace outbox::simulation
