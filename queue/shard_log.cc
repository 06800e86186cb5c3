#include "queue/shard_log.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "core/check.h"
#include "core/time_format.h"
#include "queue/delivery_link.h"
#include "queue/directory.h"
#include "queue/outcome.h"

namespace outbox::queue {
namespace {

using core::LogLevel;

// How often the log is told that this machine is short of something.
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

void AddRecipients(const MetaView& meta, const GroupView& group, core::EventLog::Event* line) {
  line->BeginList("to");
  uint32_t left = core::kLogRecipients;
  meta.ForEachRecipient(group, [&](uint32_t, std::string_view to) {
    if (left == 0) return;
    --left;
    line->Item(to);
  });
  line->EndList();
}

// The usual message has one destination, and one line says all.
void AddRoute(const MetaView& meta, core::EventLog::Event* line) {
  GroupView group;
  if (meta.group_count() != 1 || !meta.FirstGroup(&group)) return;
  line->Field("route", group.route()).Field("destination", group.destination());
  AddRecipients(meta, group, line);
}

// How the session was encrypted; nothing when it was not.
void AddTls(const io::TlsFacts& tls, core::EventLog::Event* line) {
  if (tls.on()) line->Field("tls", tls.version).Field("cipher", tls.cipher);
}

// How long a message was in our hands, in milliseconds.
int64_t DelayMs(const Ticket& ticket, int64_t now_ns) {
  return std::max<int64_t>(0, now_ns - ticket.accepted_ns) / core::kNsPerMs;
}

}  // namespace

void ShardLog::Accepted(uint64_t id, const MetaView& meta) {
  const int64_t recipients = meta.recipient_count();
  metrics_->accepted_total.Add(recipients);
  metrics_->queued.Add(recipients);
  metrics_->messages_accepted_total.Add();
  metrics_->messages_queued.Add();
  if (!events_->Wants(LogLevel::kInfo)) return;
  {
    char text[kMessageIdChars];
    core::EventLog::Event line =
        events_->Write(LogLevel::kInfo, io_->wall_ns(), "accepted", FormatMessageId(id, text));
    line.Field("client", meta.client())
        .Field("sender", meta.reverse_path())
        .Field("recipients", recipients)
        .Field("size", meta.smtp_size());
    AddRoute(meta, &line);
  }
  if (meta.group_count() > 1) Routed(id, meta);
}

void ShardLog::Generated(uint64_t id, const MetaView& meta, uint64_t about) {
  const int64_t recipients = meta.recipient_count();
  metrics_->generated_total.Add(recipients);
  metrics_->queued.Add(recipients);
  metrics_->messages_queued.Add();
  if (!events_->Wants(LogLevel::kInfo)) return;
  char text[kMessageIdChars];
  core::EventLog::Event line =
      events_->Write(LogLevel::kInfo, io_->wall_ns(), "generated", FormatMessageId(id, text));
  line.Field("about", FormatMessageId(about))
      .Field("recipient", meta.Recipient(0))
      .Field("size", meta.smtp_size());
  AddRoute(meta, &line);
}

void ShardLog::Routed(uint64_t id, const MetaView& meta) {
  GroupView group;
  for (bool more = meta.FirstGroup(&group); more; more = meta.NextGroup(&group)) {
    char text[kMessageIdChars];
    core::EventLog::Event line =
        events_->Write(LogLevel::kInfo, io_->wall_ns(), "routed", FormatMessageId(id, text));
    line.Field("route", group.route())
        .Field("destination", group.destination())
        .Field("recipients", group.count());
    AddRecipients(meta, group, &line);
  }
}

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

void ShardLog::Bounced(const HomeTicket& ticket, const NameSource& names) {
  stories_.Tell(ticket, {.event = "bounced"}, names);
}

void ShardLog::Expired(const HomeTicket& ticket, const NameSource& names) {
  stories_.Tell(ticket, {.event = "expired"}, names);
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

// All of a large queue may be meant: nothing is read for that.
void ShardLog::Retried(const HomeTicket& ticket) {
  stories_.Tell(ticket, {.event = "retried"}, {.readable = false});
}

void ShardLog::Removed(const HomeTicket& ticket) {
  metrics_->removed_total.Add(ticket.recipients());
  metrics_->queued.Subtract(ticket.recipients());
  stories_.Tell(ticket, {.event = "removed"}, {});
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
  Words(result, &line);
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

void ShardLog::Notice(LogLevel level, std::string_view event, std::string_view text) {
  if (!events_->Wants(level)) return;
  events_->Write(level, io_->wall_ns(), event).Field("text", text);
}

}  // namespace outbox::queue
