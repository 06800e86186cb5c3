// Ledger: what a spool was asked to keep and what it has promised; judges what it has after a
// crash.
#ifndef OUTBOX_TESTS_SPOOL_LEDGER_H_
#define OUTBOX_TESTS_SPOOL_LEDGER_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "queue/message_meta.h"
#include "queue/message_state.h"
#include "queue/store.h"

namespace outbox::queue {

struct LedgerEntry {
  enum class Fate : uint8_t {
    kSent,  // append started, nothing heard yet
    kLive,  // acknowledged
    kGone,  // must never be seen again
  };
  uint64_t id = 0;
  Fate fate = Fate::kSent;
  uint32_t body_bytes = 0;
  uint32_t stuffed_dots = 0;
  Extent first_extent;       // of a big body, as it was when the message came or was found
  uint32_t state_acked = 0;  // version of the newest acknowledged state; 0: untouched
  uint32_t state_sent = 0;   // of the newest state that was started
  bool done_sent = false;
  // A DSN: committed in one record with this state version of another message.
  uint64_t cause = 0;
  uint32_t cause_version = 0;
  // Of another message, whose body it has: committed in one record with that one's end, or state.
  uint64_t replaces = 0;
  bool ends_replaced = false;
  uint64_t body_id = 0;         // whose body it has had from the beginning; 0: its own
  std::vector<Extent> extents;  // of a big body; as first_extent
  // Since the last boot.
  Message* message = nullptr;
  uint32_t state_found = 0;
  uint32_t busy = 0;  // commits under way
  bool seen = false;
};

class Ledger {
 public:
  // The body of a message, a function of its id and size.
  static std::string Body(uint64_t id, uint32_t bytes);
  static std::string BodyOf(const LedgerEntry& entry) {
    return Body(entry.body_id != 0 ? entry.body_id : entry.id, entry.body_bytes);
  }
  static void FillMeta(MetaBuilder* builder, const LedgerEntry& entry);
  static std::string Sender(uint64_t id) { return "s" + std::to_string(id) + "@example.com"; }
  static uint32_t Recipients(uint64_t id) { return 1 + static_cast<uint32_t>(id / 1024 % 3); }
  static void FillState(StateBuilder* builder, uint32_t version);

  LedgerEntry& Add(uint64_t id, uint32_t body_bytes);
  LedgerEntry* Find(uint64_t id);
  std::map<uint64_t, LedgerEntry>& entries() { return entries_; }

  // Boot: forgets handles. Found: recovery has reported it. Judge: recovery is finished.
  void Boot();
  void Found(Message* message, const MetaView& meta, const StateView& state);
  void Judge();
  // All problems so far; empty is good.
  const std::string& problems() const { return problems_; }
  void Problem(uint64_t id, const std::string& what);
  // Damage was done on purpose: losses of acknowledged messages are counted, not problems.
  void set_losses_allowed(bool allowed) { losses_allowed_ = allowed; }
  uint64_t losses() const { return losses_; }
  uint64_t live() const;

 private:
  std::map<uint64_t, LedgerEntry> entries_;
  std::string problems_;
  bool losses_allowed_ = false;
  uint64_t losses_ = 0;
};

}  // namespace outbox::queue

#endif  // OUTBOX_TESTS_SPOOL_LEDGER_H_
