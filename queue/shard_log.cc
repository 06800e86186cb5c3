#include "queue/shard_log.h"

#include <array>
#include <utility>

#include "core/check.h"
#include "core/time_format.h"
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
    case Verdict::kDiscarded:
      return "discarded";
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

// The usual message has one destination, and one line says all.
void AddRoute(const MetaView& meta, core::EventLog::Event* line) {
  GroupView group;
  if (meta.group_count() != 1 || !meta.FirstGroup(&group)) return;
  line->Field("route", group.route()).Field("destination", group.destination());
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
    events_->Write(LogLevel::kInfo, io_->wall_ns(), "routed", FormatMessageId(id, text))
        .Field("route", group.route())
        .Field("destination", group.destination())
        .Field("recipients", group.count());
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
  if (!events_->Wants(LogLevel::kDebug)) return;
  char text[kMessageIdChars];
  events_->Write(LogLevel::kDebug, io_->wall_ns(), "finished", FormatMessageId(id, text));
}

void ShardLog::Story(const HomeTicket& ticket, LogLevel level, const char* event,
                     int64_t next_attempt_wall_ns) {
  if (!events_->Wants(level)) return;
  char text[kMessageIdChars];
  core::EventLog::Event line =
      events_->Write(level, io_->wall_ns(), event, FormatMessageId(ticket.message_id, text));
  line.Field("destination", ticket.destination->key)
      .Field("recipients", ticket.recipients())
      .Field("attempts", ticket.attempts);
  if (ticket.reply != nullptr) {
    line.Field("mailhost", ticket.reply->mailhost);
    if (ticket.reply->code > 0) line.Field("code", ticket.reply->code);
    line.Field("reply", ticket.reply->text);
  }
  if (next_attempt_wall_ns > 0) {
    std::array<char, core::kRfc3339Bytes> buffer;
    line.Field("next_attempt", core::FormatRfc3339(next_attempt_wall_ns, buffer));
  }
}

void ShardLog::Deferred(const HomeTicket& ticket, int64_t next_attempt_wall_ns) {
  metrics_->deferred_total.Add(ticket.recipients());
  Story(ticket, LogLevel::kInfo, "deferred", next_attempt_wall_ns);
}

void ShardLog::Bounced(const HomeTicket& ticket) { Story(ticket, LogLevel::kInfo, "bounced", 0); }

void ShardLog::Expired(const HomeTicket& ticket) { Story(ticket, LogLevel::kInfo, "expired", 0); }

void ShardLog::Discarded(const HomeTicket& ticket) {
  metrics_->discarded_total.Add(ticket.recipients());
  metrics_->queued.Subtract(ticket.recipients());
  Story(ticket, LogLevel::kInfo, "discarded", 0);
}

void ShardLog::Notified(const HomeTicket& ticket) {
  metrics_->delayed_total.Add(ticket.recipients());
  Story(ticket, LogLevel::kInfo, "delayed", 0);
}

void ShardLog::Rerouted(const HomeTicket& ticket, std::string_view from) {
  if (!events_->Wants(LogLevel::kInfo)) return;
  char id[kMessageIdChars];
  events_
      ->Write(LogLevel::kInfo, io_->wall_ns(), "rerouted", FormatMessageId(ticket.message_id, id))
      .Field("destination", ticket.destination->key)
      .Field("from", from)
      .Field("recipients", ticket.recipients());
}

void ShardLog::Retried(const HomeTicket& ticket) { Story(ticket, LogLevel::kInfo, "retried", 0); }

void ShardLog::Removed(const HomeTicket& ticket) {
  metrics_->removed_total.Add(ticket.recipients());
  metrics_->queued.Subtract(ticket.recipients());
  Story(ticket, LogLevel::kInfo, "removed", 0);
}

void ShardLog::Refused(const core::IpAddress& client, std::string_view what, std::string_view why) {
  if (!events_->Wants(LogLevel::kInfo)) return;
  events_->Write(LogLevel::kInfo, io_->wall_ns(), "rejected")
      .Field("client", client.ToString())
      .Field("what", what)
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
  if (result.code > 0) fact.reply = std::to_string(result.code) + " ";
  if (!result.enhanced.empty()) fact.reply += result.enhanced + " ";
  fact.reply += result.text;
  fact.final = verdict == Verdict::kBounced;
  trail_.Add(std::move(fact));
}

// What goes well is not told twice: a line for the start of every transaction would double the log.
// Who looks for trouble with a host can have it.
void ShardLog::OnConnected(std::string_view mailhost, int64_t took_ns) {
  if (!events_->Wants(LogLevel::kDebug)) return;
  events_->Write(LogLevel::kDebug, io_->wall_ns(), "connected")
      .Field("mailhost", mailhost)
      .Field("took_ms", took_ns / core::kNsPerMs);
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
                           const smtp::Reply& reply) {
  metrics_->messages_delivered_total.Add();
  if (!events_->Wants(LogLevel::kInfo)) return;
  char id[kMessageIdChars];
  core::EventLog::Event line =
      events_->Write(LogLevel::kInfo, io_->wall_ns(), VerdictName(Verdict::kDelivered),
                     FormatMessageId(ticket.message_id, id));
  line.Field("sender", sender).Field("recipient", recipient).Field("mailhost", mailhost);
  Words(reply.code, EnhancedText(reply.enhanced), reply.text, &line);
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

void ShardLog::OnTalk(const Ticket& ticket, std::string_view mailhost, std::string_view talk) {
  if (!events_->Wants(LogLevel::kInfo)) return;
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
