#include "queue/destination_table.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "core/check.h"
#include "core/string_map.h"
#include "core/time.h"
#include "core/timer.h"
#include "io/io.h"
#include "queue/destination.h"
#include "queue/destination_view.h"
#include "queue/directory.h"
#include "queue/site_gate.h"

namespace outbox::queue {

namespace {

// Destinations that look at a new configuration in one tick: well under a millisecond.
constexpr int kReconsideredPerTick = 500;
constexpr int64_t kReconsiderNs = 100 * core::kNsPerMs;

}  // namespace

struct DestinationTable::Rep {
  explicit Rep(const OwnerContext& context)
      : gate(context.io, context.wheel, context.random, context.post, context.sites,
             context.log, context.max_connections) {}

  SiteGate gate;
  OwnerShard shard;
  // All of them in the order in which they were made: what is done to all is done in this order.
  core::IntrusiveList<Destination, &Destination::table_link> all;
  absl::flat_hash_set<std::unique_ptr<Destination>, core::KeyHash, core::KeyEqual> by_key;
  Destination* reconsidered_next = nullptr;  // in `all`; null: all have been
  core::Timer reconsider;
  core::IntrusiveList<DestinationCursor, &DestinationCursor::link> cursors;

  void OnReconsider();
};

DestinationTable::DestinationTable(const OwnerContext& context)
    : rep_(std::make_unique<Rep>(context)) {
  rep_->shard.context = context;
  rep_->shard.gate = &rep_->gate;
  rep_->shard.table = this;
  rep_->shard.cold = std::make_unique<ColdLine>(context.io, context.wheel, context.post);
  rep_->reconsider.Bind<&Rep::OnReconsider>(rep_.get());
}

DestinationTable::~DestinationTable() {
  rep_->reconsider.Cancel();
  while (Destination* destination = rep_->all.front()) Forget(destination);
}

Destination* DestinationTable::Find(const Ticket& ticket) {
  const auto it = rep_->by_key.find(ticket.destination->key);
  return it == rep_->by_key.end() ? nullptr : it->get();
}

void DestinationTable::OnOffer(Ticket* ticket) {
  Destination* destination = Find(*ticket);
  if (destination == nullptr) {
    auto made = std::make_unique<Destination>(&rep_->shard, ticket->destination->key,
                                              ticket->destination->hash);
    destination = made.get();
    rep_->all.PushBack(destination);
    rep_->by_key.insert(std::move(made));
  }
  destination->Add(ticket);
}

void DestinationTable::OnRecall(Ticket* ticket) {
  Destination* destination = Find(*ticket);
  CHECK(destination != nullptr);
  destination->Recall(ticket);
}

void DestinationTable::OnFetched(Ticket* ticket, uint32_t part, const Window& window) {
  // Only an attempt fetches, and its ticket stays with it until the answer.
  Attempt* attempt = static_cast<Attempt*>(ticket->place);
  attempt->OnFetched(part, window);
  if (attempt->finished()) {
    Find(*ticket)->MaybeReturn(attempt);
  } else if (attempt->delivery != nullptr) {
    attempt->delivery->OnFetched(attempt);
  }
  rep_->shard.cold->OnFetched();
}

void DestinationTable::OnLift(const LiftNotice& notice) {
  const auto found = rep_->by_key.find(notice.key);
  if (found != rep_->by_key.end() && !rep_->shard.closing) (*found)->Lift(notice.ask_again);
}

std::optional<DestinationView> DestinationTable::Describe(std::string_view key) const {
  const auto found = rep_->by_key.find(key);
  if (found == rep_->by_key.end()) return std::nullopt;
  DestinationView view;
  (*found)->Describe(&view);
  return view;
}

void DestinationTable::OnSlotGrant(uint32_t site, bool slot) { rep_->gate.OnSlotGrant(site, slot); }

void DestinationTable::OnSlotWanted(uint32_t site) { rep_->gate.OnSlotWanted(site); }

void DestinationTable::OnTicketTimer(Ticket* ticket) {
  Destination* destination = Find(*ticket);
  CHECK(destination != nullptr);
  destination->OnDeadline(ticket);
}

void DestinationTable::Close() {
  if (rep_->shard.closing) return;
  rep_->shard.closing = true;
  for (Destination* each = rep_->all.front(); each != nullptr; each = rep_->all.Next(each)) {
    each->Close();
  }
}

void DestinationTable::Abort() {
  Close();
  for (Destination* each = rep_->all.front(); each != nullptr; each = rep_->all.Next(each)) {
    each->Abort();
  }
}

bool DestinationTable::closed() const {
  return rep_->shard.closing && rep_->shard.counters.tickets == 0 &&
         rep_->shard.counters.connections == 0;
}

void DestinationTable::SetIdleTimeout(int64_t timeout_ns) {
  rep_->shard.context.idle_timeout_ns = timeout_ns;
}

void DestinationTable::SetConvertEightBit(bool convert) {
  rep_->shard.context.convert_eight_bit = convert;
}

void DestinationTable::SetSources(std::shared_ptr<const SourceTable> sources) {
  rep_->shard.context.sources = std::move(sources);
}

void DestinationTable::OnPoliciesChanged() {
  ++rep_->shard.policies;
  rep_->gate.BeginGeneration();
  rep_->reconsidered_next = rep_->all.front();
  rep_->reconsider.Set(rep_->shard.context.wheel, rep_->shard.context.io->now_ns() + kReconsiderNs);
}

// A backlog gets no new mail to be told by.
void DestinationTable::Rep::OnReconsider() {
  if (shard.closing) return;
  for (int left = kReconsideredPerTick; left > 0 && reconsidered_next != nullptr; --left) {
    Destination* const destination = reconsidered_next;
    reconsidered_next = all.Next(destination);
    destination->Reconsider();
    destination->OnSuspensions();
  }
  if (reconsidered_next == nullptr) return;
  reconsider.Set(shard.context.wheel, shard.context.io->now_ns() + kReconsiderNs);
}

void DestinationTable::SetSuspensions(std::shared_ptr<const SuspensionList> list) {
  rep_->shard.suspensions = std::move(list);
  ++rep_->shard.suspensions_number;
  rep_->reconsidered_next = rep_->all.front();
  rep_->reconsider.Set(rep_->shard.context.wheel, rep_->shard.context.io->now_ns());
}

const OwnerCounters& DestinationTable::counters() const {
  rep_->shard.counters.site_slowdowns = rep_->gate.slowdowns();
  rep_->shard.counters.site_suspensions = rep_->gate.suspensions();
  return rep_->shard.counters;
}

bool DestinationTable::Walk(DestinationCursor* cursor, int most,
                            const std::function<void(const Destination&)>& visit) const {
  if (!cursor->link.linked()) {
    rep_->cursors.PushBack(cursor);
    cursor->next = rep_->all.front();
  }
  for (; most > 0 && cursor->next != nullptr; --most) {
    const Destination* const destination = cursor->next;
    cursor->next = rep_->all.Next(cursor->next);
    visit(*destination);
  }
  if (cursor->next != nullptr) return true;
  cursor->link.Unlink();
  return false;
}

size_t DestinationTable::size() const { return rep_->by_key.size(); }

void DestinationTable::Forget(Destination* destination) {
  if (rep_->reconsidered_next == destination) {
    rep_->reconsidered_next = rep_->all.Next(destination);
  }
  for (DestinationCursor* each = rep_->cursors.front(); each != nullptr;
       each = rep_->cursors.Next(each)) {
    if (each->next == destination) each->next = rep_->all.Next(destination);
  }
  rep_->all.Remove(destination);
  rep_->by_key.erase(rep_->by_key.find(destination->key()));
}

}  // namespace outbox::queue
