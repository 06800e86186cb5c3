// Explain: why mail is where it is. The facts for `outbox why`, of one shard.
//
// About a message, or the messages to a recipient, its home knows the recipients (state, since
// when, until when, what was said last), and the owners of its destinations remember the failed
// attempts. About a destination its owner knows what is ready, on the way and left alone, and every
// home how much it has for it. Who asks puts the shards' parts together.
#ifndef OUTBOX_QUEUE_EXPLAIN_H_
#define OUTBOX_QUEUE_EXPLAIN_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "io/io.h"
#include "queue/attempt_trail.h"
#include "queue/destination_view.h"
#include "queue/operator_work.h"
#include "queue/queue_filter.h"
#include "queue/queue_line.h"
#include "queue/queue_walk.h"

namespace outbox::queue {

// One queued recipient of a message. Times are wall clock, in nanoseconds.
struct RecipientFacts {
  QueueLine line;
  std::string route;        // its name when the message was accepted
  std::string destination;  // key
  TicketPlace place = TicketPlace::kWaiting;
  int64_t accepted_wall_ns = 0;
  int64_t since_wall_ns = 0;   // in this state, as far as home knows
  int64_t notify_wall_ns = 0;  // when the sender is told of the delay; 0: never, or was told
  int64_t expire_wall_ns = 0;
  int64_t final_wall_ns = 0;   // when it is removed, if it is purged; else 0
  bool notified = false;
  // What its sender has asked for of notices (RFC 3461), as it was written; mostly empty.
  std::string notify;
  std::string orcpt;
  std::string envid;
  std::string ret;
  // The envelope before an operator gave it another one; 0: there is none.
  uint64_t original_id = 0;
  std::string original_sender;
  std::vector<std::string> original_recipients;  // the first few
  uint32_t original_count = 0;
  bool rerouted = false;          // by an order that is not carried out yet
  bool held_by_route = false;     // or
  bool held_by_operator = false;  // neither: it is not held
};

struct MessageFacts {
  std::vector<RecipientFacts> recipients;  // of those that this shard is home of
  std::vector<AttemptFact> trail;          // that this shard remembers
  uint64_t forgotten = 0;                  // facts about any message that it does not any more
  uint64_t more = 0;                       // recipients that are meant as well, beyond the bound
};

struct DestinationFacts {
  std::string key;
  uint64_t tickets = 0;                 // that this shard is home of
  std::optional<DestinationView> view;  // if it sends there
  std::vector<AttemptFact> trail;
  uint64_t forgotten = 0;
};

class MessageFactsSink {
 public:
  virtual ~MessageFactsSink() = default;
  // Once, on the shard's thread.
  virtual void OnMessageFacts(MessageFacts facts) = 0;
};

// Finds the facts about the recipients that a filter means: of one message, or of one address; no
// more of them than core::kExplainedRecipients.
class MessageExplainer : public OperatorWork, private QueueWalker {
 public:
  MessageExplainer(io::Io* io, Home* home, std::vector<Store*> stores, const AttemptTrail* trail,
                   QueueFilter filter, MessageFactsSink* sink);

  // OperatorWork
  void Tick() override;
  bool wants_turn() const override { return walk_.wants_turn(); }
  bool done() const override { return walk_.done(); }
  void Stop() override { walk_.Stop(); }

 private:
  // QueueWalker
  Interest Look(const Message& message) override;
  void Visit(Message* message, const MetaView* meta, const WalkPart& part) override;
  bool full() const override { return false; }
  bool acts() const override { return false; }

  void Add(const QueueItem& item);

  io::Io* const io_;
  const AttemptTrail* const trail_;
  const QueueFilter filter_;
  MessageFactsSink* const sink_;
  QueueWalk walk_;
  MessageFacts facts_;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_EXPLAIN_H_
