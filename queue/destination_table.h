// DestinationTable: the destinations of one shard, and the owner's end of the mail between shards.
//
// Lives on its shard. It holds every ticket that was offered to the shard until the ticket is
// returned: in a Destination's ready list, or with a Delivery. A destination is made by its first
// ticket and freed some time after its last ticket and connection have gone, so the table is
// bounded by the tickets and by what half a minute brings.
#ifndef OUTBOX_QUEUE_DESTINATION_TABLE_H_
#define OUTBOX_QUEUE_DESTINATION_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "core/intrusive_list.h"
#include "core/limits.h"
#include "core/time.h"
#include "queue/delivery_link.h"
#include "queue/shard_mail.h"
#include "queue/site.h"
#include "queue/site_policy.h"
#include "queue/ticket.h"

namespace outbox::core {
class Random;
class TimerWheel;
}  // namespace outbox::core

namespace outbox::io {
class Io;
}

namespace outbox::queue {

class AttemptLog;
struct DestinationView;  // queue/destination_view.h
class Destination;
class HostFinder;
class SourceTable;
class SuspensionList;

// What a destination works with. Everything outlives the table.
struct OwnerContext {
  io::Io* io = nullptr;
  core::TimerWheel* wheel = nullptr;
  core::Random* random = nullptr;
  PostOffice* post = nullptr;
  SiteTable* sites = nullptr;
  LinkFactory* links = nullptr;
  AttemptLog* log = nullptr;  // may be null
  std::shared_ptr<const SourceTable> sources;  // null: none
  HostFinder* finder = nullptr;  // null: only lists of addresses can be sent to
  // The site of the destination with this key, whose hosts these are. Unset: every set of hosts is
  // a site with the default limits.
  std::function<SitePolicy(std::string_view key, const SiteHosts& hosts)> policy_for;
  uint32_t max_connections = UINT32_MAX;             // of this shard, to all sites together
  int64_t idle_timeout_ns = 5 * core::kNsPerSecond;  // an open connection without mail
  bool convert_eight_bit = true;  // for hosts without 8BITMIME; otherwise such mail is returned
};

// Counters of a shard; only ever grow, but for the first three.
struct OwnerCounters {
  uint64_t tickets = 0;  // held
  uint64_t recipients_sending = 0;
  uint64_t connections = 0;  // open or being opened
  uint64_t connects = 0;
  uint64_t attempts = 0;
  uint64_t transactions = 0;
  uint64_t lanes_opened = 0;
  uint64_t backoffs = 0;
  uint64_t tls = 0;  // handshakes that succeeded
  uint64_t tls_resumed = 0;  // of these
  uint64_t tls_failed = 0;
  uint64_t auth = 0;  // sessions whose host knows who we are
  uint64_t auth_failed = 0;
  uint64_t sessions_refused = 0;  // by the greeting, or by the reply to EHLO and HELO
  uint64_t sessions_timed_out = 0;
  uint64_t transactions_lost = 0;  // their session ended under them
  uint64_t bytes_lent = 0;         // of messages, to sessions
  uint64_t shortages = 0;  // connections that were not made for want of something of our own
  uint64_t site_slowdowns = 0;    // limits that a reply has lowered (on_reply)
  uint64_t site_suspensions = 0;  // sites that a reply has suspended
};

// Where somebody is who looks at all destinations, a few a turn. Gone before the table.
struct DestinationCursor {
  Destination* next = nullptr;
  core::ListLink link;  // the table's
};

class DestinationTable : public OwnerMail {
 public:
  explicit DestinationTable(const OwnerContext& context);
  // REQUIRES: closed(), or it holds no ticket and has no connection.
  ~DestinationTable() override;

  // OwnerMail
  void OnOffer(Ticket* ticket) override;
  void OnRecall(Ticket* ticket) override;
  void OnFetched(Ticket* ticket, uint32_t part, const Window& window) override;
  void OnLift(const LiftNotice& notice) override;
  void OnSlotGrant(uint32_t site, bool slot) override;
  void OnSlotWanted(uint32_t site) override;

  // No new transactions; waiting tickets return with kShutdown, those in hand after their
  // transaction. Tickets that are offered from now on return at once. Then all connections close;
  // closed() follows.
  void Close();
  // Ends what is still going on at once (the stop timeout is over).
  void Abort();
  bool closed() const;

  // From now on, for connections that become idle.
  void SetIdleTimeout(int64_t timeout_ns);
  void SetConvertEightBit(bool convert);
  // Before OnPoliciesChanged, by which destinations come to know it.
  void SetSources(std::shared_ptr<const SourceTable> sources);
  // What policy_for answers has changed: every destination looks anew, when its next mail comes or
  // when its turn in a walk through all of them does, a bounded number a tick.
  void OnPoliciesChanged();

  // What an operator has suspended, from now on. Every destination hears of it, as above; none
  // begins an attempt that it should not meanwhile.
  void SetSuspensions(std::shared_ptr<const SuspensionList> list);

  const OwnerCounters& counters() const;

  // A timer of kind kTicketAtOwner has fired: the deadline of a ticket that waits here.
  void OnTicketTimer(Ticket* ticket);

  size_t size() const;  // destinations
  // What an operator sees of the destination with this key; nothing if this shard has none.
  std::optional<DestinationView> Describe(std::string_view key) const;
  // Looks at `most` destinations from the cursor on, which begins with the first. False: these were
  // the last ones.
  bool Walk(DestinationCursor* cursor, int most,
            const std::function<void(const Destination&)>& visit) const;

  // For Destination: it has been idle for long. Deletes it.
  void Forget(Destination* destination);

 private:
  struct Rep;
  Destination* Find(const Ticket& ticket);

  std::unique_ptr<Rep> rep_;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_DESTINATION_TABLE_H_
