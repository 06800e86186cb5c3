// ShardLog: what a shard tells the world about its mail: counters and events, one method a fact.
//
// The ledger of invariant 1 is kept here and nowhere else, so that it adds up: every method that
// makes recipients final or new moves `queued` with the other side. Events carry the message's id,
// so that one grep tells a message's story. Shard-local.
#ifndef OUTBOX_QUEUE_SHARD_LOG_H_
#define OUTBOX_QUEUE_SHARD_LOG_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "core/event_log.h"
#include "core/limits.h"
#include "core/metrics.h"
#include "core/string_map.h"
#include "io/io.h"
#include "io/tls_stream.h"
#include "queue/attempt_log.h"
#include "queue/attempt_trail.h"
#include "queue/client_name.h"
#include "queue/home_ticket.h"
#include "queue/message_id.h"
#include "queue/message_meta.h"
#include "queue/operator_order.h"
#include "queue/router.h"
#include "queue/storyteller.h"
#include "queue/talk_keeper.h"

namespace outbox::queue {

class ShardLog : public AttemptLog {
 public:
  // `talks` may be null: dialogues are not kept then.
  ShardLog(io::Io* io, core::ShardMetrics* metrics, core::EventLog* events, TalkKeeper* talks)
      : io_(io), metrics_(metrics), events_(events), talks_(talks), stories_(io, events) {}

  core::ShardMetrics& metrics() { return *metrics_; }
  const AttemptTrail& trail() const { return trail_; }
  // Whether the end of each message is an event that is always told (or only with level debug).
  void SetTellsEnds(bool tells) { tells_ends_ = tells; }
  // So much is to be told that some of what comes now may be dropped.
  bool crowded() const { return events_->waiting_bytes() > core::kEventLogBufferBytes / 2; }
  // Every event has been told.
  bool idle() const { return stories_.idle(); }

  // --- Home: the ledger ---
  // `sender`: who has handed it in.
  void Accepted(uint64_t id, const MetaView& meta, const ClientName& sender = {});
  // A DSN of ours about the message `about`.
  void Generated(uint64_t id, const MetaView& meta, uint64_t about);
  void Recovered(int recipients);
  void CountDelivered(int recipients);
  // Final without delivery: bounced, or expired.
  void CountFailed(int recipients, bool expired);
  void Finished(uint64_t id);

  // --- Home: the story ---
  void Deferred(const HomeTicket& ticket, int64_t next_attempt_wall_ns, const NameSource& names);
  // `order`: by an operator; null: no.
  void Bounced(const HomeTicket& ticket, const NameSource& names,
               const OrderDetails* order = nullptr);
  void Expired(const HomeTicket& ticket, const NameSource& names);
  void Notified(const HomeTicket& ticket, const NameSource& names);

  // It was for the destination `from` before.
  void Rerouted(const HomeTicket& ticket, const RouteChoice& route, std::string_view from,
                const MetaView& meta);
  // By the command `by`: routed again, perhaps not elsewhere (`from` is empty then).
  void Redirected(const HomeTicket& ticket, std::string_view route, std::string_view from,
                  const char* by, const MetaView& meta);
  // By another message; the ledger as well. And that one.
  void Replaced(const HomeTicket& ticket, uint64_t into, const MetaView& meta);
  void Resubmitted(uint64_t id, const MetaView& meta, uint64_t instead_of);
  void Retried(const HomeTicket& ticket);  // by an operator
  // By an operator, too: the ledger and the story. `order`: null: it was purged, and that is final.
  void Removed(const HomeTicket& ticket, const OrderDetails* order, const NameSource& names);
  // Final at `until_wall_ns`.
  void Purged(const HomeTicket& ticket, int64_t until_wall_ns, const OrderDetails& order,
              const NameSource& names);
  void Undone(const HomeTicket& ticket, const OrderDetails& order, const NameSource& names);
  // By a route, or for want of a mailbox: likewise.
  void Discarded(const HomeTicket& ticket);
  // By an operator; what a route holds says so where it was routed.
  void Held(const HomeTicket& ticket);
  void Released(const HomeTicket& ticket);

  // --- Reception ---
  // A route of this name refuses what a client has.
  void Rejected(const core::IpAddress& client, std::string_view what, std::string_view route,
                std::string_view why);
  void Refused(const core::IpAddress& client, std::string_view what, std::string_view why);
  // A client's handshake.
  void ClientTls(const core::IpAddress& client, const io::TlsFacts& facts);
  void ClientTlsFailed(const core::IpAddress& client, std::string_view why);

  // --- Clients that say who they are (shard_log_auth.cc) ---
  void Authenticated(const core::IpAddress& client, std::string_view user,
                     std::string_view mechanism);
  void AuthFailed(const core::IpAddress& client, std::string_view user, std::string_view mechanism);
  // That one failure was too many.
  void AddressRefused(const core::IpAddress& client, std::string_view user, uint32_t failures,
                      int64_t for_ns);
  void SenderRefused(const core::IpAddress& client, std::string_view user, std::string_view sender);
  // `what`: "messages" or "recipients".
  void RateExceeded(const core::IpAddress& client, std::string_view user, std::string_view what,
                    std::string_view rate);

  // A message goes without a DKIM signature that it was to get.
  void NotSigned(uint64_t id, std::string_view why);

  // --- Owner: AttemptLog ---
  void OnAuthenticated(std::string_view mailhost, std::string_view user,
                       core::AuthMechanism mechanism) override;
  void OnAuthFailed(std::string_view mailhost, std::string_view user,
                    const smtp::Reply& reply) override;
  void OnConnected(std::string_view mailhost, int64_t took_ns, const io::TlsFacts& tls) override;
  void OnTlsFailed(std::string_view mailhost, std::string_view why) override;
  void OnDisconnected(std::string_view mailhost, uint32_t transactions,
                      std::string_view how) override;
  void OnSending(const Ticket& ticket, std::string_view mailhost, size_t recipients) override;
  void OnDelivered(const Ticket& ticket, std::string_view sender, std::string_view recipient,
                   std::string_view mailhost, const smtp::Reply& reply, int64_t began_ns,
                   const io::TlsFacts& tls) override;
  void OnRecipient(const Ticket& ticket, std::string_view sender, std::string_view recipient,
                   std::string_view mailhost, Verdict verdict,
                   const RecipientResult& result) override;
  void OnNoVerp(const Ticket& ticket, std::string_view sender, std::string_view recipient,
                std::string_view why) override;
  void OnTalk(const Ticket& ticket, std::string_view mailhost, const DeliveryLink& session,
              const RecipientResult* failure) override;
  void OnHostFailed(const Ticket& ticket, std::string_view mailhost,
                    const RecipientResult& result) override;
  void OnShortage(std::string_view text) override;
  void OnSourceLost(std::string_view text) override;
  void OnSiteLowered(const SiteLowered& fact) override;
  void OnSiteRecovered(std::string_view site) override;
  void OnUnresolved(const Ticket& ticket, std::string_view destination,
                    const RecipientResult& result, int64_t until_ns) override;

  // --- The spool ---
  void Damage(std::string_view what);
  void Notice(core::LogLevel level, std::string_view event, std::string_view text);

 private:
  void Remember(const Ticket& ticket, std::string_view recipient, std::string_view mailhost,
                Verdict verdict, const RecipientResult& result);
  void GivenUp(const HomeTicket& ticket, Story story, const NameSource& names);
  // Where a group of a new message goes, and its first recipients. Returns how many those are.
  size_t AddRoute(const MetaView& meta, const GroupView& group, core::EventLog::Event* line);
  // The same of all groups, in lines of their own; `told`: a group of which a line names so many.
  void Routed(uint64_t id, const MetaView& meta, const std::optional<GroupView>& told,
              size_t named);
  // The recipients of a group become names_.
  void FindNames(const MetaView& meta, const GroupView& group);

  io::Io* const io_;
  core::ShardMetrics* const metrics_;
  core::EventLog* const events_;
  TalkKeeper* const talks_;
  Storyteller stories_;
  AttemptTrail trail_;
  std::vector<std::string_view> names_;  // scratch
  bool tells_ends_ = false;
  core::StringMap<int64_t> sources_told_;  // when each sentence about a source was told last
  int64_t shortage_told_ns_ = 0;  // when the log heard of one last; 0: never
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_SHARD_LOG_H_
