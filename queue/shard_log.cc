#include "queue/shard_log.h"

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <utility>

#include "core/check.h"
#include "core/config_archive.h"
#include "core/time_format.h"
#include "queue/delivery_link.h"
#include "queue/destination_key.h"
#include "queue/directory.h"
#include "queue/outcome.h"
#include "queue/site_state.h"

namespace outbox::queue {
namespace {

using core::LogLevel;

// How often the log is told that this machine is short of something.
constexpr int64_t kSourceLineNs = 10 * core::kNsPerMinute;
constexpr int64_t kShortageLineNs = 10 * core::kNsPerSecond;

const char* VerdictName(Verdict verdict) {
  switch (verdict) {
    case Verdict::kDelivered:
      return "delivered";
    case Verdict::kDeferred:
      return "attempt_failed";
    case Verdict::kBounced:
      return "refused";
  }
  return "unknown";
}

// The reply, or our own sentence where there was none.
void Words(uint16_t code, std::string_view status, std::string_view text,
           core::EventLog::Event* line) {
  if (code > 0) line->Field("code", code);
  if (!status.empty()) line->Field("status", status);
  line->Field("reply", text);
}
void Words(const RecipientResult& result, core::EventLog::Event* line) {
  Words(result.code, result.enhanced, result.text, line);
}

// The same in one line.
std::string AttemptWords(const RecipientResult& result) {
  std::string words;
  if (result.code > 0) words = std::to_string(result.code) + " ";
  if (!result.enhanced.empty()) words += result.enhanced + " ";
  words += result.text;
  return words;
}

// How the session was encrypted; nothing when it was not.
void AddTls(const io::TlsFacts& tls, core::EventLog::Event* line) {
  if (tls.on()) line->Field("tls", tls.version).Field("cipher", tls.cipher);
}

// Where it was sent from, if that has a name.
void AddSource(const Ticket& ticket, core::EventLog::Event* line) {
  const std::string_view source = SourceOf(ticket.destination->key);
  if (!source.empty()) line->Field("source", source);
}

// How long a message was in our hands, in milliseconds.
int64_t DelayMs(const Ticket& ticket, int64_t now_ns) {
  return std::max<int64_t>(0, now_ns - ticket.accepted_ns) / core::kNsPerMs;
}

// Who has given the order, and why.
Story OrderStory(const char* event, const OrderDetails* order) {
  Story story{.event = event};
  if (order == nullptr) return story;
  story.by = order->by;
  story.reason = order->reason;
  return story;
}

}  // namespace

void ShardLog::Recovered(int recipients) {
  metrics_->recovered_total.Add(recipients);
  metrics_->queued.Add(recipients);
  metrics_->messages_queued.Add();
}

void ShardLog::CountDelivered(int recipients) {
  metrics_->delivered_total.Add(recipients);
  metrics_->queued.Subtract(recipients);
}

void ShardLog::CountFailed(int recipients, bool expired) {
  (expired ? metrics_->expired_total : metrics_->bounced_total).Add(recipients);
  metrics_->queued.Subtract(recipients);
}

void ShardLog::Finished(uint64_t id) {
  metrics_->messages_queued.Subtract();
  const LogLevel level = tells_ends_ ? LogLevel::kInfo : LogLevel::kDebug;
  if (!events_->Wants(level)) return;
  char text[kMessageIdChars];
  events_->Write(level, io_->wall_ns(), "finished", FormatMessageId(id, text));
}

void ShardLog::Deferred(const HomeTicket& ticket, int64_t next_attempt_wall_ns,
                        const NameSource& names) {
  metrics_->deferred_total.Add(ticket.recipients());
  Story story{.event = "deferred"};
  story.next_attempt_wall_ns = next_attempt_wall_ns;
  stories_.Tell(ticket, story, names);
}

void ShardLog::Bounced(const HomeTicket& ticket, const NameSource& names,
                       const OrderDetails* order) {
  GivenUp(ticket, OrderStory("bounced", order), names);
}

void ShardLog::Expired(const HomeTicket& ticket, const NameSource& names) {
  GivenUp(ticket, {.event = "expired"}, names);
}

// Of an archive the operator alone hears that it has a hole.
void ShardLog::GivenUp(const HomeTicket& ticket, Story story, const NameSource& names) {
  if (ticket.archive) {
    metrics_->archive_lost_total.Add(ticket.recipients());
    story.level = LogLevel::kWarning;
    story.route = core::kArchiveRoute;
  }
  stories_.Tell(ticket, story, names);
}

void ShardLog::Notified(const HomeTicket& ticket, const NameSource& names) {
  metrics_->delayed_total.Add(ticket.recipients());
  stories_.Tell(ticket, {.event = "delayed"}, names);
}

void ShardLog::Rerouted(const HomeTicket& ticket, const RouteChoice& route, std::string_view from,
                        const MetaView& meta) {
  stories_.Tell(ticket, {.event = "rerouted", .from = from, .route = route.route},
                {.meta = &meta});
}

void ShardLog::Redirected(const HomeTicket& ticket, std::string_view route, std::string_view from,
                          const char* by, const MetaView& meta) {
  const bool cleared = std::string_view(by) == "clear";
  stories_.Tell(ticket,
                {.event = cleared ? "cleared" : "rerouted", .from = from, .route = route, .by = by},
                {.meta = &meta});
}

void ShardLog::Replaced(const HomeTicket& ticket, uint64_t into, const MetaView& meta) {
  metrics_->removed_total.Add(ticket.recipients());
  metrics_->queued.Subtract(ticket.recipients());
  stories_.Tell(ticket, {.event = "rerouted", .by = "reroute", .into = into}, {.meta = &meta});
}

// All of a large queue may be meant: nothing is read for that.
void ShardLog::Retried(const HomeTicket& ticket) {
  stories_.Tell(ticket, {.event = "retried"}, {.readable = false});
}

void ShardLog::Removed(const HomeTicket& ticket, const OrderDetails* order,
                       const NameSource& names) {
  metrics_->removed_total.Add(ticket.recipients());
  metrics_->queued.Subtract(ticket.recipients());
  stories_.Tell(ticket, OrderStory("removed", order), names);
}

void ShardLog::Purged(const HomeTicket& ticket, int64_t until_wall_ns, const OrderDetails& order,
                      const NameSource& names) {
  Story story = OrderStory("purged", &order);
  story.until_wall_ns = until_wall_ns;
  stories_.Tell(ticket, story, names);
}

void ShardLog::Undone(const HomeTicket& ticket, const OrderDetails& order,
                      const NameSource& names) {
  stories_.Tell(ticket, OrderStory("undone", &order), names);
}

void ShardLog::Discarded(const HomeTicket& ticket) {
  metrics_->discarded_total.Add(ticket.recipients());
  metrics_->queued.Subtract(ticket.recipients());
  stories_.Tell(ticket, {.event = "discarded"}, {});
}

// As with those that are hurried, nothing is read for many of them.
void ShardLog::Held(const HomeTicket& ticket) {
  stories_.Tell(ticket, {.event = "held"}, {.readable = false});
}

void ShardLog::Released(const HomeTicket& ticket) {
  stories_.Tell(ticket, {.event = "released"}, {.readable = false});
}

void ShardLog::Refused(const core::IpAddress& client, std::string_view what, std::string_view why) {
  if (!events_->Wants(LogLevel::kInfo)) return;
  events_->Write(LogLevel::kInfo, io_->wall_ns(), "rejected")
      .Field("client", client.ToString())
      .Field("what", what)
      .Field("why", why);
}

void ShardLog::ClientTls(const core::IpAddress& client, const io::TlsFacts& facts) {
  if (!events_->Wants(LogLevel::kDebug)) return;
  events_->Write(LogLevel::kDebug, io_->wall_ns(), "tls")
      .Field("client", client.ToString())
      .Field("tls", facts.version)
      .Field("cipher", facts.cipher)
      .Field("resumed", facts.resumed);
}

void ShardLog::ClientTlsFailed(const core::IpAddress& client, std::string_view why) {
  if (!events_->Wants(LogLevel::kInfo)) return;
  events_->Write(LogLevel::kInfo, io_->wall_ns(), "tls_failed")
      .Field("client", client.ToString())
      .Field("why", why);
}

void ShardLog::Rejected(const core::IpAddress& client, std::string_view what,
                        std::string_view route, std::string_view why) {
  if (!events_->Wants(LogLevel::kInfo)) return;
  events_->Write(LogLevel::kInfo, io_->wall_ns(), "rejected")
      .Field("client", client.ToString())
      .Field("what", what)
      .Field("route", route)
      .Field("why", why);
}

void ShardLog::Remember(const Ticket& ticket, std::string_view recipient, std::string_view mailhost,
                        Verdict verdict, const RecipientResult& result) {
  AttemptFact fact;
  fact.wall_ns = io_->wall_ns();
  fact.message_id = ticket.message_id;
  fact.destination = ticket.destination->key;
  fact.recipient = std::string(recipient);
  fact.mailhost = std::string(mailhost);
  fact.reply = AttemptWords(result);
  fact.final = verdict == Verdict::kBounced;
  trail_.Add(std::move(fact));
}

// What goes well is not told twice: a line for the start of every transaction would double the log.
// Who looks for trouble with a host can have it.
void ShardLog::OnConnected(std::string_view mailhost, int64_t took_ns, const io::TlsFacts& tls) {
  if (!events_->Wants(LogLevel::kDebug)) return;
  core::EventLog::Event line = events_->Write(LogLevel::kDebug, io_->wall_ns(), "connected");
  line.Field("mailhost", mailhost).Field("took_ms", took_ns / core::kNsPerMs);
  AddTls(tls, &line);
  if (tls.on()) line.Field("resumed", tls.resumed);
}

void ShardLog::OnTlsFailed(std::string_view mailhost, std::string_view why) {
  if (!events_->Wants(LogLevel::kInfo)) return;
  events_->Write(LogLevel::kInfo, io_->wall_ns(), "tls_failed")
      .Field("mailhost", mailhost)
      .Field("why", why);
}

void ShardLog::OnAuthenticated(std::string_view mailhost, std::string_view user,
                               core::AuthMechanism mechanism) {
  if (!events_->Wants(LogLevel::kDebug)) return;
  events_->Write(LogLevel::kDebug, io_->wall_ns(), "authenticated")
      .Field("mailhost", mailhost)
      .Field("user", user)
      .Field("mechanism", core::AuthMechanismName(mechanism));
}

void ShardLog::OnAuthFailed(std::string_view mailhost, std::string_view user,
                            const smtp::Reply& reply) {
  if (!events_->Wants(LogLevel::kInfo)) return;
  core::EventLog::Event line = events_->Write(LogLevel::kInfo, io_->wall_ns(), "auth_failed");
  line.Field("mailhost", mailhost).Field("user", user);
  Words(reply.code, EnhancedText(reply.enhanced), reply.text, &line);
}

void ShardLog::OnDisconnected(std::string_view mailhost, uint32_t transactions,
                              std::string_view how) {
  if (!events_->Wants(LogLevel::kDebug)) return;
  events_->Write(LogLevel::kDebug, io_->wall_ns(), "disconnected")
      .Field("mailhost", mailhost)
      .Field("transactions", static_cast<int64_t>(transactions))
      .Field("how", how);
}

void ShardLog::OnSending(const Ticket& ticket, std::string_view mailhost, size_t recipients) {
  if (!events_->Wants(LogLevel::kDebug)) return;
  char id[kMessageIdChars];
  events_
      ->Write(LogLevel::kDebug, io_->wall_ns(), "sending", FormatMessageId(ticket.message_id, id))
      .Field("mailhost", mailhost)
      .Field("recipients", static_cast<int64_t>(recipients))
      .Field("attempt", static_cast<int64_t>(ticket.attempts) + 1);
}

void ShardLog::OnDelivered(const Ticket& ticket, std::string_view sender,
                           std::string_view recipient, std::string_view mailhost,
                           const smtp::Reply& reply, int64_t began_ns,
                           const io::TlsFacts& tls) {
  metrics_->messages_delivered_total.Add();
  if (!events_->Wants(LogLevel::kInfo)) return;
  char id[kMessageIdChars];
  core::EventLog::Event line =
      events_->Write(LogLevel::kInfo, io_->wall_ns(), VerdictName(Verdict::kDelivered),
                     FormatMessageId(ticket.message_id, id));
  line.Field("sender", sender).Field("recipient", recipient).Field("mailhost", mailhost);
  Words(reply.code, EnhancedText(reply.enhanced), reply.text, &line);
  line.Field("delay_ms", DelayMs(ticket, io_->now_ns()))
      .Field("took_ms", (io_->now_ns() - began_ns) / core::kNsPerMs);
  AddSource(ticket, &line);
  AddTls(tls, &line);
}

void ShardLog::OnRecipient(const Ticket& ticket, std::string_view sender,
                           std::string_view recipient, std::string_view mailhost, Verdict verdict,
                           const RecipientResult& result) {
  CHECK(verdict != Verdict::kDelivered);
  Remember(ticket, recipient, mailhost, verdict, result);
  if (!events_->Wants(LogLevel::kInfo)) return;
  char id[kMessageIdChars];
  core::EventLog::Event line = events_->Write(LogLevel::kInfo, io_->wall_ns(), VerdictName(verdict),
                                              FormatMessageId(ticket.message_id, id));
  line.Field("sender", sender).Field("recipient", recipient).Field("mailhost", mailhost);
  AddSource(ticket, &line);
  Words(result, &line);
}

void ShardLog::OnNoVerp(const Ticket& ticket, std::string_view sender, std::string_view recipient,
                        std::string_view why) {
  if (!events_->Wants(LogLevel::kWarning)) return;
  char id[kMessageIdChars];
  events_
      ->Write(LogLevel::kWarning, io_->wall_ns(), "no_verp", FormatMessageId(ticket.message_id, id))
      .Field("sender", sender)
      .Field("recipient", recipient)
      .Field("why", why);
}

void ShardLog::OnTalk(const Ticket& ticket, std::string_view mailhost, const DeliveryLink& session,
                      const RecipientResult* failure) {
  if (talks_ != nullptr) {
    TalkFacts facts;
    facts.message_id = ticket.message_id;
    facts.failed = failure != nullptr;
    facts.destination = ticket.destination->key;
    facts.mailhost = mailhost;
    std::string words;
    if (failure != nullptr) words = AttemptWords(*failure);
    facts.outcome = words;
    talks_->Keep(facts, session.Dialogue());
  }
  if (failure == nullptr || !events_->Wants(LogLevel::kInfo)) return;
  const std::string talk = session.Talk();
  if (talk.empty()) return;
  char id[kMessageIdChars];
  events_->Write(LogLevel::kInfo, io_->wall_ns(), "talk", FormatMessageId(ticket.message_id, id))
      .Field("mailhost", mailhost)
      .Field("talk", talk);
}

void ShardLog::OnHostFailed(const Ticket& ticket, std::string_view mailhost,
                            const RecipientResult& result) {
  metrics_->connect_failures_total.Add();
  Remember(ticket, "", mailhost, result.verdict, result);
  if (!events_->Wants(LogLevel::kInfo)) return;
  char id[kMessageIdChars];
  core::EventLog::Event line = events_->Write(LogLevel::kInfo, io_->wall_ns(), "host_failed",
                                              FormatMessageId(ticket.message_id, id));
  line.Field("mailhost", mailhost);
  AddSource(ticket, &line);
  Words(result, &line);
}

// Thousands of connections may be refused in a second: one line tells of it, and the counter how
// many there were.
void ShardLog::OnShortage(std::string_view text) {
  if (shortage_told_ns_ != 0 && io_->now_ns() - shortage_told_ns_ < kShortageLineNs) return;
  shortage_told_ns_ = io_->now_ns();
  Notice(LogLevel::kWarning, "shortage",
         std::string(text) +
             ". This machine, not the host, is to blame: mail waits until there are "
             "connections again");
}

// Of every destination that would be sent from there.
void ShardLog::OnSourceLost(std::string_view text) {
  if (sources_told_.size() > core::kConfigSources) sources_told_.clear();
  const auto [told, is_new] = sources_told_.try_emplace(std::string(text), io_->now_ns());
  if (!is_new && io_->now_ns() - told->second < kSourceLineNs) return;
  told->second = io_->now_ns();
  Notice(LogLevel::kWarning, "source_lost", std::string(text) + ": mail waits until it is");
}

void ShardLog::OnSiteLowered(const SiteLowered& fact) {
  if (!events_->Wants(LogLevel::kWarning)) return;
  const bool suspended = fact.suspended_for_ns > 0;
  core::EventLog::Event line = events_->Write(LogLevel::kWarning, io_->wall_ns(),
                                              suspended ? "site_suspended" : "site_slowed");
  line.Field("site", fact.site).Field("mailhost", fact.mailhost);
  Words(fact.reply.code, EnhancedText(fact.reply.enhanced), fact.reply.text, &line);
  if (fact.interval_ns > 0) line.Field("rate", FormatInterval(fact.interval_ns));
  if (fact.connections > 0) line.Field("connections", static_cast<int64_t>(fact.connections));
  if (fact.lower_for_ns > 0) line.Field("lower_for_s", fact.lower_for_ns / core::kNsPerSecond);
  if (suspended) line.Field("suspended_for_s", fact.suspended_for_ns / core::kNsPerSecond);
}

void ShardLog::OnSiteRecovered(std::string_view site) {
  if (!events_->Wants(LogLevel::kInfo)) return;
  events_->Write(LogLevel::kInfo, io_->wall_ns(), "site_recovered").Field("site", site);
}

void ShardLog::OnUnresolved(const Ticket& ticket, std::string_view destination,
                            const RecipientResult& result, int64_t until_ns) {
  if (!events_->Wants(LogLevel::kInfo)) return;
  char id[kMessageIdChars];
  core::EventLog::Event line = events_->Write(LogLevel::kInfo, io_->wall_ns(), "unresolved",
                                              FormatMessageId(ticket.message_id, id));
  line.Field("destination", destination);
  Words(result, &line);
  if (until_ns == core::kNever) return;
  std::array<char, core::kRfc3339Bytes> buffer;
  const int64_t wall_ns = io_->wall_ns() + (until_ns - io_->now_ns());
  line.Field("asked_again", core::FormatRfc3339(wall_ns, buffer));
}

void ShardLog::Damage(std::string_view what) {
  metrics_->spool_damages_total.Add();
  Notice(LogLevel::kError, "spool_damage", what);
}

void ShardLog::NotSigned(uint64_t id, std::string_view why) {
  if (!events_->Wants(LogLevel::kWarning)) return;
  char text[kMessageIdChars];
  events_->Write(LogLevel::kWarning, io_->wall_ns(), "not_signed", FormatMessageId(id, text))
      .Field("why", why);
}

void ShardLog::Notice(LogLevel level, std::string_view event, std::string_view text) {
  if (!events_->Wants(level)) return;
  events_->Write(level, io_->wall_ns(), event).Field("text", text);
}

}  // namespace outbox::queue
