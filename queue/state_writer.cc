#include "queue/state_writer.h"

#include <algorithm>

#include "core/check.h"
#include "core/limits.h"
#include "queue/directory.h"

namespace outbox::queue {
namespace {

// How long a mark waits for company. Well under the second within which a deferral must be
// committed.
constexpr int64_t kGatherNs = 20 * core::kNsPerMs;
// After a failed commit.
constexpr int64_t kRoundAgainNs = core::kNsPerSecond;
// Snapshots in flight; marks beyond wait for one to complete.
constexpr size_t kCommitsMax = 1024;
// Of them, begun in a turn; and marks that are looked at in a turn.
constexpr int kCommitsPerTurn = 256;
constexpr int kMarksPerTurn = 2048;

// One part for each ticket that is not ending, two where some of its recipients are to be held;
// returns their number.
uint32_t WriteTickets(const Message* message, int64_t now_ns, int64_t wall_ns, bool words,
                      StateBuilder* builder) {
  builder->Start();
  uint32_t parts = 0;
  const auto add = [&](const HomeTicket& ticket, uint64_t mask, bool held) {
    if (mask == 0) return;
    StatePart part;
    part.mask = mask;
    part.first = ticket.first;
    part.group = ticket.group;
    part.attempts = ticket.attempts;
    part.next_attempt_wall_ns = wall_ns;
    if (ticket.where == TicketPlace::kWaiting && ticket.next_attempt_ns > now_ns) {
      part.next_attempt_wall_ns += ticket.next_attempt_ns - now_ns;
    }
    if (ticket.notified) part.flags |= kPartNotified;
    if (held) part.flags |= kPartHeld;
    if (ticket.delivered) part.flags |= kPartDelivered;
    if (ticket.released) {
      part.flags |= kPartReleased;
      part.released_wall_ns = wall_ns - (now_ns - ticket.released_ns);
    }
    if (const Routing* routing = ticket.routing) {
      part.flags |= kPartRouted;
      if (routing->pinned) part.flags |= kPartPinned;
      part.routing = {ticket.destination->key, routing->route, routing->periods, routing->retry};
    }
    if (ticket.purged) {
      part.flags |= kPartPurged;
      part.purged_wall_ns = wall_ns - (now_ns - ticket.purged_ns);
      part.final_wall_ns = wall_ns + (ticket.final_ns - now_ns);
    }
    if (ticket.paused_ns != 0) {
      part.flags |= kPartPaused;
      part.paused_ns = ticket.paused_ns;
    }
    if (ticket.reply != nullptr) {
      part.code = ticket.reply->code();
      part.enhanced = ticket.reply->enhanced();
    }
    if (ticket.reply != nullptr && words) {
      part.text = ticket.reply->text();
      part.mailhost = ticket.reply->mailhost();
    }
    builder->Add(part);
    ++parts;
  };
  for (const HomeTicket* ticket = FirstTicket(message); ticket != nullptr;
       ticket = ticket->sibling) {
    if (ticket->ending) continue;
    add(*ticket, ticket->pending_mask() & ~ticket->hold, /*held=*/false);
    add(*ticket, ticket->pending_mask() & ticket->hold, /*held=*/true);
  }
  return parts;
}

}  // namespace

std::span<const char> BuildState(const Message* message, int64_t now_ns, int64_t wall_ns,
                                 StateBuilder* builder) {
  if (WriteTickets(message, now_ns, wall_ns, /*words=*/true, builder) == 0) return {};
  const std::span<const char> state = builder->Finish();
  if (state.size() <= core::kStateBytesMax) return state;
  WriteTickets(message, now_ns, wall_ns, /*words=*/false, builder);
  return builder->Finish();
}

struct StateWriter::Commit {
  StateWriter* writer = nullptr;
  Store* store = nullptr;
  uint64_t id = 0;
  uint64_t milestone = 0;
  CommitOp op;
  CommitOp::State state;
  StateBuilder builder;

  void OnDone(const core::Status& status) { writer->OnCommitted(this, status); }
};

StateWriter::StateWriter(io::Io* io) : io_(io) {}

StateWriter::~StateWriter() { CHECK(in_flight_ == 0); }

void StateWriter::Push(const MarkedMessage& mark, int64_t due_ns) {
  marked_.push_back(mark);
  due_ns_ = std::min(due_ns_, due_ns);
}

void StateWriter::Mark(Store* store, Message* message) {
  if ((message->policy & kMarked) != 0) return;
  message->policy |= kMarked;
  ++owed_.back();
  Push({store, message->id, first_milestone_ + owed_.size() - 1}, io_->now_ns() + kGatherNs);
}

void StateWriter::Unmark(Message* message) {
  message->policy = static_cast<uint8_t>(message->policy & ~kMarked);
}

void StateWriter::Lock(Message* message) {
  CHECK((message->policy & kLocked) == 0);
  message->policy |= kLocked;
}

void StateWriter::Unlock(Message* message) {
  CHECK((message->policy & kLocked) != 0);
  message->policy = static_cast<uint8_t>(message->policy & ~kLocked);
  Resume(message->id);
}

void StateWriter::Resume(uint64_t id) {
  if (waiting_.empty()) return;
  const auto found = waiting_.find(id);
  if (found == waiting_.end()) return;
  for (const MarkedMessage& mark : found->second) Push(mark, io_->now_ns() + kGatherNs);
  waiting_.erase(found);
}

uint64_t StateWriter::Milestone() {
  owed_.push_back(0);
  return first_milestone_ + owed_.size() - 2;
}

bool StateWriter::Written(uint64_t milestone) {
  while (owed_.size() > 1 && owed_.front() == 0) {
    owed_.pop_front();
    ++first_milestone_;
  }
  return first_milestone_ > milestone;
}

// As far as there is room: what is behind that is not looked at, however much it is.
void StateWriter::Tick(bool force) {
  if (marked_.empty() || (!force && io_->now_ns() < due_ns_)) return;
  due_ns_ = core::kNever;
  int commits = 0;
  for (int looked = 0; !marked_.empty(); ++looked) {
    if (commits == kCommitsPerTurn || looked == kMarksPerTurn) {
      due_ns_ = io_->now_ns();  // the next turn goes on
      break;
    }
    const MarkedMessage mark = marked_.front();
    Message* message = mark.store->Find(mark.id);
    if (message != nullptr && (message->policy & (kLocked | kWriting)) != 0) {
      // Also if nothing more is owed: whether this one is on the disk is not known before.
      waiting_[mark.id].push_back(mark);
    } else if (message == nullptr || (message->policy & kMarked) == 0) {
      Settle(mark.milestone);  // finished meanwhile, or written
    } else if (Write(mark, message)) {
      ++commits;
    } else {
      break;  // a completion makes room and sets the time
    }
    marked_.pop_front();
  }
}

bool StateWriter::Write(const MarkedMessage& mark, Message* message) {
  Commit* commit = Take();
  if (commit == nullptr) return false;
  Unmark(message);
  message->policy |= kWriting;
  commit->store = mark.store;
  commit->id = mark.id;
  commit->milestone = mark.milestone;
  const std::span<const char> state =
      BuildState(message, io_->now_ns(), io_->wall_ns(), &commit->builder);
  CHECK(!state.empty());  // a finished message is unmarked
  commit->state = {message, state};
  commit->op.states = {&commit->state, 1};
  commit->op.lazy = true;
  ++in_flight_;
  mark.store->Commit(&commit->op);
  return true;
}

int64_t StateWriter::NextDeadline() const { return due_ns_; }

StateWriter::Commit* StateWriter::Take() {
  if (!free_.empty()) {
    Commit* commit = free_.back();
    free_.pop_back();
    return commit;
  }
  if (pool_.size() >= kCommitsMax) return nullptr;
  pool_.push_back(std::make_unique<Commit>());
  Commit* commit = pool_.back().get();
  commit->writer = this;
  commit->op.Bind<&Commit::OnDone>(commit);
  return commit;
}

void StateWriter::OnCommitted(Commit* commit, const core::Status& status) {
  --in_flight_;
  free_.push_back(commit);
  if (!marked_.empty()) due_ns_ = std::min(due_ns_, io_->now_ns());
  const uint64_t milestone = commit->milestone;
  Message* message = commit->store->Find(commit->id);
  if (message != nullptr) message->policy = static_cast<uint8_t>(message->policy & ~kWriting);
  Resume(commit->id);
  if (status.ok()) return Settle(milestone);
  // The disk did not take it: what is known now is written again. The old state on disk is still
  // true enough: recipients may be tried once more than needed after a crash, none is lost.
  // On a shelf its time has come meanwhile: the next attempt is written.
  if (closing_ || message == nullptr || message->home == nullptr || message->shelved()) {
    return Settle(milestone);
  }
  message->policy |= kMarked;
  Push({commit->store, commit->id, milestone}, io_->now_ns() + kRoundAgainNs);
}

}  // namespace outbox::queue
