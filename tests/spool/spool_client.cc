#include "tests/spool/spool_client.h"

#include <algorithm>

namespace outbox::queue {

struct SpoolClient::AppendSlot {
  SpoolClient* client = nullptr;
  bool in_use = false;
  uint64_t id = 0;
  AppendOp op;
  MetaBuilder meta;
  std::string body;
  size_t fed = 0;
  iovec part = {};
  BodyStream stream;

  void Submit(bool big) {
    LedgerEntry* entry = client->ledger->Find(id);
    Ledger::FillMeta(&meta, *entry);
    if (big) {
      meta.SetExtents(body.size(), 0, stream.extents());
      entry->first_extent = stream.extents()[0];
      entry->extents.assign(stream.extents().begin(), stream.extents().end());
    }
    op.meta = meta.Finish();
    part = {body.data(), body.size()};
    op.body = big ? std::span<const iovec>() : std::span<const iovec>(&part, 1);
    op.stream = big ? &stream : nullptr;
    op.Bind<&AppendSlot::OnAppended>(this);
    client->store.Append(&op);
  }
  void OnAppended(const core::Status& status, Message* message) {
    LedgerEntry* entry = client->ledger->Find(id);
    if (status.ok()) {
      entry->fate = LedgerEntry::Fate::kLive;
      entry->message = message;
      Window window = client->store.Lease(message);
      if (window) {
        client->CheckWindow(id, window.bytes(), true);
        client->leases.emplace_back(window, id);
      }
    } else {
      ++client->failed;
      if (stream.active()) stream.Abort();
    }
    End();
  }
  void OnRoom() {
    if (stream.failed()) return Give();
    client->FeedStream(this);
  }
  void OnFinished(const core::Status& status) {
    if (!status.ok()) return Give();
    Submit(true);
  }
  void Give() {
    ++client->failed;
    stream.Abort();
    End();
  }
  void End() {
    in_use = false;
    --client->in_flight;
  }
};

struct SpoolClient::CommitSlot {
  SpoolClient* client = nullptr;
  bool in_use = false;
  CommitOp op;
  StateBuilder state;
  MetaBuilder meta;
  std::string body;
  iovec part = {};
  CommitOp::State states[1];
  Message* done[1] = {};
  CommitOp::NewMessage dsn[1];
  uint64_t id = 0;
  uint32_t version = 0;
  uint64_t dsn_id = 0;
  StateBuilder new_state;

  void OnCommitted(const core::Status& status) {
    LedgerEntry* entry = client->ledger->Find(id);
    if (entry->busy > 0) --entry->busy;
    if (status.ok()) {
      if (version > 0) entry->state_acked = std::max(entry->state_acked, version);
      if (!op.done.empty()) {
        entry->fate = LedgerEntry::Fate::kGone;
        entry->message = nullptr;
      }
      if (dsn_id != 0) {
        LedgerEntry* fresh = client->ledger->Find(dsn_id);
        fresh->fate = LedgerEntry::Fate::kLive;
        fresh->message = dsn[0].message;
        if (!dsn[0].state.empty()) fresh->state_acked = std::max(fresh->state_acked, 1u);
      }
    } else {
      ++client->failed;
      // What takes its place may be on the disk as a whole, all the same.
      if (!op.done.empty() && dsn_id == 0) entry->done_sent = false;
    }
    in_use = false;
    --client->in_flight;
  }
};

struct SpoolClient::CheckSlot {
  SpoolClient* client = nullptr;
  FetchOp op;
  uint64_t id = 0;
  std::vector<Extent> extents;
  std::string body;

  void Fetch(uint32_t part) {
    op.message = client->ledger->Find(id)->message;
    op.part = part;
    if (part > 0) op.extent = extents[part - 1];
    op.Bind<&CheckSlot::OnFetched>(this);
    client->store.Fetch(&op);
  }
  void OnFetched(const core::Status& status, Window window) {
    if (!status.ok()) {
      if (status.code() == core::StatusCode::kIoError) return Fetch(op.part);
      client->ledger->Problem(id, "cannot be fetched: " + status.ToString());
      return Done();
    }
    if (op.part == 0) {
      const auto meta = MetaView::Parse(window.bytes());
      client->CheckWindow(id, window.bytes(), false);
      extents.clear();
      body.clear();
      for (uint32_t i = 0; meta && i < meta->extent_count(); ++i)
        extents.push_back(meta->extent(i));
    } else {
      body.append(window.data, window.size);
    }
    client->store.Return(window);
    if (op.part < extents.size()) return Fetch(op.part + 1);
    if (!extents.empty() && body != Ledger::BodyOf(*client->ledger->Find(id))) {
      client->ledger->Problem(id, "big body differs");
    }
    Done();
  }
  void Done() {
    LedgerEntry* entry = client->ledger->Find(id);
    if (entry->busy > 0) --entry->busy;
    --client->checks_in_flight;
    client->CheckNext();
  }
};

// A fetch that nothing else waits for; of a body, by the extent that it had at first.
struct SpoolClient::RaceSlot {
  SpoolClient* client = nullptr;
  FetchOp op;
  uint64_t id = 0;

  void Start(LedgerEntry* entry, uint32_t part) {
    id = entry->id;
    op.message = entry->message;
    op.part = part;
    op.extent = entry->first_extent;
    op.Bind<&RaceSlot::OnFetched>(this);
    ++client->in_flight;
    client->store.Fetch(&op);
  }
  void OnFetched(const core::Status& status, Window window) {
    --client->in_flight;
    const bool gone = client->store.Find(id) == nullptr;
    if (status.ok()) {
      if (gone) ++client->raced_bytes;
      if (op.part == 0) client->CheckWindow(id, window.bytes(), false);
      if (op.part == 1) CheckPiece(window);
      if (op.part == FetchOp::kPartState && !StateView::Parse(window.bytes())) {
        client->ledger->Problem(id, "fetched state is none");
      }
      client->store.Return(window);
    } else if (status.code() == core::StatusCode::kNotFound) {
      if (gone) ++client->raced_nothing;
      if (!gone && op.part <= 1) client->ledger->Problem(id, "is there and was not found");
    } else if (status.code() == core::StatusCode::kDataLoss) {
      client->ledger->Problem(id, "fetched while it went: " + status.ToString());
    }
  }
  void CheckPiece(const Window& window) {
    const std::string body = Ledger::BodyOf(*client->ledger->Find(id));
    if (!body.starts_with(std::string_view(window.data, window.size))) {
      client->ledger->Problem(id, "fetched piece differs");
    }
  }
};

SpoolClient::SpoolClient(io::Io* the_io, const StoreOptions& options, Ledger* the_ledger,
                         uint64_t seed, const Workload& the_workload)
    : io(the_io),
      ledger(the_ledger),
      random(seed),
      workload(the_workload),
      store(the_io, options),
      actions_left(the_workload.actions) {
  for (int i = 0; i < 20; ++i) {
    appends.push_back(std::make_unique<AppendSlot>());
    appends.back()->client = this;
    commits.push_back(std::make_unique<CommitSlot>());
    commits.back()->client = this;
  }
  for (int i = 0; i < 4; ++i) {
    checks.push_back(std::make_unique<CheckSlot>());
    checks.back()->client = this;
    races.push_back(std::make_unique<RaceSlot>());
    races.back()->client = this;
  }
}

SpoolClient::~SpoolClient() = default;

void SpoolClient::Abandon() {
  for (const auto& slot : appends) slot->stream.Abort();
  store.Abandon();
}

void SpoolClient::OnMessage(Message* message, const MetaView& meta, const StateView& state) {
  ledger->Found(message, meta, state);
  to_check.push_back(message->id);
  if (LedgerEntry* entry = ledger->Find(message->id)) ++entry->busy;
}
void SpoolClient::OnDamage(std::string_view what) { damages.emplace_back(what); }
void SpoolClient::OnWritable(const core::Status& status) {
  open_status = status;
  writable = status.ok();
}
void SpoolClient::OnRecovered(const RecoveryReport& the_report) {
  report = the_report;
  recovered = true;
  ledger->Judge();
  if (!check_bodies) {
    for (const uint64_t id : to_check) {
      if (LedgerEntry* entry = ledger->Find(id)) entry->busy = 0;
    }
    to_check.clear();
    return;
  }
  for (int i = 0; i < 4; ++i) CheckNext();
}

void SpoolClient::CheckNext() {
  if (to_check.empty()) return;
  for (const auto& slot : checks) {
    if (slot->op.in_flight) continue;
    slot->id = to_check.front();
    to_check.pop_front();
    if (ledger->Find(slot->id) == nullptr) return CheckNext();
    ++checks_in_flight;
    return slot->Fetch(0);
  }
}

void SpoolClient::CheckWindow(uint64_t id, std::span<const char> bytes, bool whole) {
  const auto meta = MetaView::Parse(bytes);
  const LedgerEntry* entry = ledger->Find(id);
  if (!meta || meta->id() != id) return ledger->Problem(id, "window is not the message");
  if (meta->extent_count() > 0) return;
  const std::string body = Ledger::BodyOf(*entry);
  if (std::string_view(meta->body().data(), meta->body().size()) != body) {
    ledger->Problem(id, whole ? "leased body differs" : "fetched body differs");
  }
}

void SpoolClient::Step() {
  if (recovered && actions_left > 0) {
    const uint64_t most = random.Below(6);
    for (uint64_t i = 0; i < most && actions_left > 0; ++i) Act();
  }
  // Leases are short or long.
  while (!leases.empty() && (leases.size() > 12 || random.Chance(1, 4) || actions_left == 0)) {
    CheckWindow(leases.front().second, leases.front().first.bytes(), true);
    store.Return(leases.front().first);
    leases.pop_front();
  }
  store.Tick();
  int64_t until = store.NextDeadline();
  if (recovered && (actions_left > 0 || !leases.empty())) {
    until = std::min(until, io->now_ns() + random.Between(0, 2 * core::kNsPerMs));
  }
  io->Turn(until);
}

void SpoolClient::Act() {
  --actions_left;
  const Workload& w = workload;
  uint32_t weights[] = {w.append, w.big,     w.state, w.done, w.commit_done,
                        w.dsn,    w.replace, w.fetch, w.rest};
  if (ledger->live() > w.live_max) weights[0] = weights[1] = 0;
  uint32_t sum = 0;
  for (const uint32_t weight : weights) sum += weight;
  uint64_t pick = random.Below(sum);
  int action = 0;
  while (pick >= weights[action]) pick -= weights[action++];
  switch (action) {
    case 0:
      return Append(false);
    case 1:
      return Append(true);
    case 2:
      return Commit(true, false, false);
    case 3:
      return FinishOne();
    case 4:
      return Commit(false, true, false);
    case 5:
      return Commit(true, false, true);
    case 6: {
      replacing = true;
      const bool ends = random.Chance(1, 2);
      return Commit(!ends, ends, true);
    }
    case 7:
      return FetchOne();
    default:
      return;
  }
}

LedgerEntry* SpoolClient::Pick() {
  auto& entries = ledger->entries();
  if (entries.empty()) return nullptr;
  auto at = entries.begin();
  std::advance(at, static_cast<ptrdiff_t>(random.Below(entries.size())));
  for (size_t i = 0; i < entries.size(); ++i, ++at) {
    if (at == entries.end()) at = entries.begin();
    LedgerEntry& entry = at->second;
    if (entry.fate == LedgerEntry::Fate::kLive && !entry.done_sent && entry.busy == 0 &&
        entry.message != nullptr) {
      return &entry;
    }
  }
  return nullptr;
}

void SpoolClient::Append(bool big) {
  if (!store.accepting()) {
    ++refused;
    return;
  }
  for (const auto& slot : appends) {
    if (slot->in_use) continue;
    slot->stream.Bind<&AppendSlot::OnRoom, &AppendSlot::OnFinished>(slot.get());
    if (big && !store.BeginStream(&slot->stream, slot->body.size())) return;
    slot->in_use = true;
    ++in_flight;
    slot->id = store.NewId();
    const uint32_t bytes = static_cast<uint32_t>(
        big ? workload.body_max + random.Below(workload.big_max) : random.Below(workload.body_max));
    LedgerEntry& entry = ledger->Add(slot->id, 0);
    slot->body = Ledger::Body(slot->id, bytes);
    entry.body_bytes = static_cast<uint32_t>(slot->body.size());
    slot->fed = 0;
    if (big) return FeedStream(slot.get());
    return slot->Submit(false);
  }
}

void SpoolClient::FeedStream(AppendSlot* slot) {
  if (random.Chance(1, 30)) return slot->Give();  // the client has gone away
  const std::string_view left = std::string_view(slot->body).substr(slot->fed);
  slot->fed = slot->body.size() - slot->stream.Write(left).size();
  if (slot->fed == slot->body.size()) slot->stream.Finish();
}

void SpoolClient::Commit(bool with_state, bool with_done, bool with_dsn) {
  LedgerEntry* entry = Pick();
  if (entry == nullptr) return;
  for (const auto& slot : commits) {
    if (slot->in_use) continue;
    slot->in_use = true;
    ++in_flight;
    slot->id = entry->id;
    slot->version = 0;
    slot->dsn_id = 0;
    slot->op.states = {};
    slot->op.done = {};
    slot->op.messages = {};
    slot->op.lazy = random.Chance(1, 2);
    // Two commits of one message may be under way; a done entry only as the last one.
    if (with_done || random.Chance(1, 2)) ++entry->busy;
    if (with_state) {
      slot->version = ++entry->state_sent;
      Ledger::FillState(&slot->state, slot->version);
      slot->states[0] = {entry->message, slot->state.Finish()};
      slot->op.states = slot->states;
    }
    if (with_done) {
      entry->done_sent = true;
      slot->done[0] = entry->message;
      slot->op.done = slot->done;
    }
    if (with_dsn) {
      slot->dsn_id = store.NewId();
      slot->dsn[0] = {};
      slot->op.messages = slot->dsn;
    }
    if (with_dsn && replacing) {
      Replace(slot.get(), entry, with_done);
    } else if (with_dsn) {
      LedgerEntry& fresh = ledger->Add(slot->dsn_id, 0);
      slot->body = Ledger::Body(slot->dsn_id, static_cast<uint32_t>(random.Below(2000)));
      fresh.body_bytes = static_cast<uint32_t>(slot->body.size());
      fresh.cause = entry->id;
      fresh.cause_version = slot->version;
      Ledger::FillMeta(&slot->meta, fresh);
      slot->part = {slot->body.data(), slot->body.size()};
      slot->dsn[0].meta = slot->meta.Finish();
      slot->dsn[0].body = {&slot->part, 1};
    }
    replacing = false;
    slot->op.Bind<&CommitSlot::OnCommitted>(slot.get());
    store.Commit(&slot->op);
    return;
  }
}

// With a state of its own at times; a big body is shared.
void SpoolClient::Replace(CommitSlot* slot, LedgerEntry* entry, bool ends) {
  LedgerEntry& fresh = ledger->Add(slot->dsn_id, entry->body_bytes);
  fresh.body_id = entry->body_id != 0 ? entry->body_id : entry->id;
  fresh.stuffed_dots = entry->stuffed_dots;
  fresh.extents = entry->extents;
  fresh.first_extent = entry->first_extent;
  fresh.replaces = entry->id;
  fresh.ends_replaced = ends;
  if (!ends) {
    fresh.cause = entry->id;
    fresh.cause_version = slot->version;
  }
  Ledger::FillMeta(&slot->meta, fresh);
  const std::string_view before[] = {"first@a.example", "r@b.example"};
  slot->meta.SetOriginal(entry->id, EncodeOriginal(Ledger::Sender(entry->id), before));
  CommitOp::NewMessage& made = slot->dsn[0];
  if (fresh.extents.empty()) {
    slot->body = Ledger::BodyOf(fresh);
    slot->part = {slot->body.data(), slot->body.size()};
    made.body = {&slot->part, 1};
  } else {
    slot->meta.SetExtents(fresh.body_bytes, fresh.stuffed_dots, fresh.extents);
    made.body_of = entry->message;
  }
  made.meta = slot->meta.Finish();
  if (random.Chance(1, 2)) return;
  fresh.state_sent = 1;
  Ledger::FillState(&slot->new_state, 1);
  made.state = slot->new_state.Finish();
}

void SpoolClient::FinishOne() {
  LedgerEntry* entry = Pick();
  if (entry == nullptr) return;
  // May be behind a commit of its state that is not finished yet.
  entry->done_sent = true;
  store.Done(entry->message);
  entry->message = nullptr;
}

void SpoolClient::FetchOne() {
  LedgerEntry* entry = Pick();
  if (entry == nullptr) return;
  for (const auto& slot : races) {
    if (slot->op.in_flight) continue;
    uint32_t part = random.Chance(1, 4) ? FetchOp::kPartState : 0;
    if (entry->first_extent.length > 0 && random.Chance(1, 2)) part = 1;
    slot->Start(entry, part);
    if (!random.Chance(1, 2)) return;
    entry->done_sent = true;
    store.Done(entry->message);
    entry->message = nullptr;
    return;
  }
}

}  // namespace outbox::queue
