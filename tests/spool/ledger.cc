#include "tests/spool/ledger.h"

#include "core/random.h"

namespace outbox::queue {

std::string Ledger::Body(uint64_t id, uint32_t bytes) {
  constexpr std::string_view kEnd = "\r\n.\r\n";
  std::string body;
  body.reserve(bytes + 8);
  core::Random random(id);
  while (body.size() < bytes) {
    const uint64_t word = random.Next();
    body.append(reinterpret_cast<const char*>(&word), sizeof(word));
  }
  body.resize(bytes < kEnd.size() ? 0 : bytes - kEnd.size());
  return body.append(kEnd);
}

void Ledger::FillMeta(MetaBuilder* builder, const LedgerEntry& entry) {
  builder->Start(entry.id, static_cast<int64_t>(entry.id * 3), 0, Sender(entry.id), "192.0.2.7");
  const uint32_t retry[] = {60, 300, 900};
  builder->AddGroup("a.example", "default", retry,
                    {.notify_after_s = 14400, .retry_until_s = 432000});
  builder->AddRecipient("first@a.example");
  if (Recipients(entry.id) > 1) {
    builder->AddGroup("b.example", "static", {retry, 1}, {.retry_until_s = 600});
    for (uint32_t i = 1; i < Recipients(entry.id); ++i) builder->AddRecipient("r@b.example");
  }
  builder->SetPrefix("Received: by relay.example.com; id " + std::to_string(entry.id) + "\r\n");
  builder->SetBody(entry.body_bytes, entry.stuffed_dots);
}

void Ledger::FillState(StateBuilder* builder, uint32_t version) {
  builder->Start();
  const std::string text = "version " + std::to_string(version);
  StatePart part;
  part.mask = 1;
  part.attempts = static_cast<uint16_t>(version);
  part.next_attempt_wall_ns = int64_t{version} * 1000;
  part.code = 451;
  part.text = text;
  part.mailhost = "192.0.2.9:25";
  builder->Add(part);
}

LedgerEntry& Ledger::Add(uint64_t id, uint32_t body_bytes) {
  if (entries_.contains(id)) Problem(id, "id used twice");
  LedgerEntry& entry = entries_[id];
  entry.id = id;
  entry.body_bytes = body_bytes;
  return entry;
}

LedgerEntry* Ledger::Find(uint64_t id) {
  const auto found = entries_.find(id);
  return found == entries_.end() ? nullptr : &found->second;
}

void Ledger::Boot() {
  for (auto& [id, entry] : entries_) {
    entry.message = nullptr;
    entry.seen = false;
    entry.busy = 0;
  }
}

void Ledger::Problem(uint64_t id, const std::string& what) {
  if (problems_.size() < 4000) problems_ += "message " + std::to_string(id) + ": " + what + "\n";
}

void Ledger::Found(Message* message, const MetaView& meta, const StateView& state) {
  LedgerEntry* entry = Find(message->id);
  if (entry == nullptr) return Problem(message->id, "never sent");
  if (entry->seen) Problem(entry->id, "reported twice");
  entry->seen = true;
  entry->message = message;
  if (entry->fate == LedgerEntry::Fate::kGone) Problem(entry->id, "came back");
  if (meta.id() != entry->id || meta.reverse_path() != Sender(entry->id) ||
      meta.recipient_count() != Recipients(entry->id) || meta.body_bytes() != entry->body_bytes) {
    Problem(entry->id, "envelope differs");
  }
  if (meta.extent_count() > 0) entry->first_extent = meta.extent(0);
  entry->extents.clear();
  for (uint32_t i = 0; i < meta.extent_count(); ++i) entry->extents.push_back(meta.extent(i));
  if (meta.original_id() != entry->replaces) Problem(entry->id, "original envelope differs");
  uint32_t version = 0;
  uint32_t pending = meta.recipient_count();
  StatePart part;
  for (uint32_t at = 0; state.Next(&at, &part);) {
    version = part.attempts;
    pending = 1;
    if (part.text != "version " + std::to_string(version)) Problem(entry->id, "state differs");
  }
  if (message->pending != pending) Problem(entry->id, "pending count differs");
  if (version < entry->state_acked && !losses_allowed_) {
    Problem(entry->id, "state " + std::to_string(version) + " is older than the acknowledged " +
                           std::to_string(entry->state_acked));
  }
  if (version > entry->state_sent) Problem(entry->id, "state from nowhere");
  entry->state_found = version;
}

void Ledger::Judge() {
  for (auto& [id, entry] : entries_) {
    // One atomic record: a DSN and the state that caused it come together.
    if (entry.cause != 0 && entry.fate == LedgerEntry::Fate::kSent && !losses_allowed_) {
      const LedgerEntry* cause = Find(entry.cause);
      if (cause->seen && !entry.done_sent &&
          entry.seen != (cause->state_found >= entry.cause_version)) {
        Problem(id, "DSN and its cause are torn apart");
      }
    }
    if (!entry.ends_replaced || entry.fate != LedgerEntry::Fate::kSent || losses_allowed_) continue;
    if (entry.seen == Find(entry.replaces)->seen) {
      Problem(id, entry.seen ? "is there, and what it replaces as well"
                             : "is not there, nor what it replaces");
    }
  }
  for (auto& [id, entry] : entries_) {
    if (entry.seen) {
      entry.fate = LedgerEntry::Fate::kLive;
      entry.state_acked = entry.state_sent = entry.state_found;
      entry.done_sent = false;
    } else {
      if (entry.fate == LedgerEntry::Fate::kLive && !entry.done_sent) {
        ++losses_;
        if (!losses_allowed_) Problem(id, "acknowledged and lost");
      }
      entry.fate = LedgerEntry::Fate::kGone;
    }
  }
}

uint64_t Ledger::live() const {
  uint64_t live = 0;
  for (const auto& [id, entry] : entries_) {
    if (entry.fate == LedgerEntry::Fate::kLive && !entry.done_sent) ++live;
  }
  return live;
}

}  // namespace outbox::queue
