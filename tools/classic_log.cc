#include "tools/classic_log.h"

#include <algorithm>
#include <cstdio>
#include <utility>
#include <vector>

namespace outbox::tools {
namespace {

// Words of others in a line of ours: no control characters, and nothing that looks like the members
// that readers search for ("to=<").
std::string Harmless(const std::string& text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (c == '<' && out.ends_with('=')) out += ' ';
    out += (c >= 0 && c < ' ') || c == 0x7f ? ' ' : c;
  }
  return out;
}

// An address between angle brackets: no bracket, comma or control character of its own ends it.
std::string Address(const std::string& address) {
  std::string out = address;
  for (char& c : out) {
    if ((c >= 0 && c <= ' ') || c == 0x7f || c == '<' || c == '>') c = '?';
  }
  return out;
}

// "192.0.2.25:25" becomes "192.0.2.25[192.0.2.25]:25"; a name has its address already.
std::string Relay(const std::string& mailhost) {
  if (mailhost.empty()) return "none";
  std::string relay = Harmless(mailhost);
  std::replace(relay.begin(), relay.end(), ',', ' ');
  const size_t colon = relay.rfind(':');
  if (relay.starts_with('[')) {  // "[2001:db8::1]:25"
    const size_t end = relay.find(']');
    return end == std::string::npos ? relay : relay.substr(1, end - 1) + relay;
  }
  if (relay.find('[') != std::string::npos || colon == std::string::npos) return relay;
  const std::string host = relay.substr(0, colon);
  return host + "[" + host + "]" + relay.substr(colon);
}

// Seconds, as Postfix writes them.
std::string Seconds(int64_t ms) {
  if (ms <= 0) return "0";
  char text[32];
  if (ms < 10'000) {
    std::snprintf(text, sizeof text, "%lld.%02d", static_cast<long long>(ms / 1000),
                  static_cast<int>(ms % 1000 / 10));
  } else {
    std::snprintf(text, sizeof text, "%lld", static_cast<long long>(ms / 1000));
  }
  return text;
}

// "450 4.2.1 mailbox busy".
std::string Reply(const EventFields& event) {
  const int64_t code = event.Number("code");
  if (code == 0) return Harmless(event.Text("reply"));  // our own words
  std::string reply = std::to_string(code) + " ";
  if (const std::string status = event.Text("status"); !status.empty()) reply += status + " ";
  return Harmless(reply + event.Text("reply"));
}

// The same as Postfix tells it of a host's answer.
std::string Said(const EventFields& event) {
  const std::string reply = Reply(event);
  if (event.Number("code") == 0) return reply;
  return "host " + Relay(event.Text("mailhost")) + " said: " + reply;
}

// Without what would end it for who reads the line.
std::string UserName(const EventFields& event) {
  std::string name = Harmless(event.Text("user"));
  std::replace(name.begin(), name.end(), ',', ' ');
  return name;
}

std::string Dsn(const EventFields& event, const char* otherwise) {
  const std::string status = event.Text("status");
  return status.empty() ? otherwise : Harmless(status);
}

}  // namespace

ClassicLog::ClassicLog(std::string hostname, std::string name, int process_id)
    : hostname_(std::move(hostname)),
      name_(std::move(name)),
      process_("[" + std::to_string(process_id) + "]: ") {}

void ClassicLog::Translate(std::string_view events, std::string* out) const {
  EventFields event;
  while (!events.empty()) {
    const size_t newline = events.find('\n');
    if (event.Parse(events.substr(0, newline))) TranslateOne(event, out);
    if (newline == std::string_view::npos) return;
    events.remove_prefix(newline + 1);
  }
}

// Time, host, program and, if there is one, the message's id.
void ClassicLog::Begin(const EventFields& event, const char* program, std::string* out) const {
  std::string time = event.Text("time");
  if (time.ends_with('Z')) time.replace(time.size() - 1, 1, "000+00:00");  // as syslog's
  out->append(time).append(" ").append(hostname_).append(" ").append(name_);
  out->append("/").append(program).append(process_);
  if (const std::string id = event.Text("id"); !id.empty()) out->append(id).append(": ");
}

void ClassicLog::TranslateOne(const EventFields& event, std::string* out) const {
  const std::string name = event.Text("event");
  if (name == "accepted" || name == "generated") {
    Accepted(event, name == "generated", out);
  } else if (name == "rerouted" && event.Has("into")) {
    Status(event, out);
  } else if (name == "routed" || name == "rerouted" || name == "cleared") {
    Route(event, out);
  } else if (name == "resubmitted") {
    Resubmitted(event, out);
  } else if (name == "delivered" || name == "deferred" || name == "bounced" ||
             name == "expired" || name == "removed" || name == "discarded" || name == "purged" ||
             name == "undone") {
    Status(event, out);
  } else if (name == "finished") {
    Begin(event, "qmgr", out);
    out->append("removed\n");
  } else if (name == "rejected") {
    Rejected(event, out);
  } else if ((name == "auth_failed" && event.Has("client")) || name == "auth_address_refused") {
    AuthFailed(event, out);
  } else if (name == "sender_refused" || name == "rate_exceeded") {
    UserRefused(event, out);
  } else if (name == "attempt_failed" || name == "refused" || name == "host_failed" ||
             name == "unresolved") {
    HostSaid(event, out);
  } else if (name != "talk") {  // `outbox talk` has it
    Other(event, out);
  }
}

void ClassicLog::Accepted(const EventFields& event, bool generated, std::string* out) const {
  if (generated) {
    const std::string id = event.Text("id");
    Begin(event, "bounce", out);
    out->resize(out->size() - id.size() - 2);  // it is about the other one
    out->append(event.Text("about")).append(": sender notification: ").append(id).append("\n");
  } else {
    Begin(event, "smtpd", out);
    out->append("client=unknown[").append(event.Text("client")).append("]");
    if (event.Has("user")) {
      out->append(", sasl_method=").append(Harmless(event.Text("mechanism")));
      out->append(", sasl_username=").append(UserName(event));
    }
    out->append("\n");
  }
  Envelope(event, generated ? 1 : event.Number("recipients"), out);
}

// It has taken the place of another message.
void ClassicLog::Resubmitted(const EventFields& event, std::string* out) const {
  Begin(event, "qmgr", out);
  out->append("instead of ").append(event.Text("about")).append("\n");
  Envelope(event, event.Number("recipients"), out);
}

void ClassicLog::Envelope(const EventFields& event, int64_t recipients, std::string* out) const {
  Begin(event, "qmgr", out);
  out->append("from=<").append(Address(event.Text("sender"))).append(">, size=");
  out->append(std::to_string(event.Number("size"))).append(", nrcpt=");
  out->append(std::to_string(recipients)).append(" (queue active)\n");
  if (event.Has("route")) Route(event, out);
}

// Which rule sends whom where. Not in Postfix's log, and passed over by its readers.
void ClassicLog::Route(const EventFields& event, std::string* out) const {
  Begin(event, "qmgr", out);
  out->append("route=").append(Harmless(event.Text("route")));
  out->append(", destination=").append(Harmless(event.Text("destination")));
  if (event.Has("from")) out->append(", was=").append(Harmless(event.Text("from")));
  for (const std::string& to : event.List("to")) {
    out->append(", to=<").append(Address(to)).append(">");
  }
  out->append("\n");
}

// One line for each recipient, as its readers count.
void ClassicLog::Status(const EventFields& event, std::string* out) const {
  const std::string name = event.Text("event");
  std::string status;
  if (name == "delivered") {
    status = Dsn(event, "2.0.0") + ", status=sent (" + Reply(event) + ")";
  } else if (name == "deferred") {
    status = Dsn(event, "4.0.0") + ", status=deferred (" + Said(event) + ")";
  } else if (name == "bounced") {
    status = Dsn(event, "5.0.0") + ", status=bounced (" + Said(event) + ")";
  } else if (name == "expired") {
    status = "5.4.7, status=expired (returned to sender; " + Said(event) + ")";
  } else if (name == "discarded") {
    status = "2.0.0, status=discarded (by our own rules)";
  } else if (name == "rerouted") {
    status = "2.0.0, status=rerouted (by an operator, now " + event.Text("into") + ")";
  } else if (name == "undone") {
    status = "4.0.0, status=undone (by an operator)";
  } else {
    status = "5.0.0, status=" + name + " (by an operator)";
  }
  if (name != "bounced" && event.Has("reason")) {
    status.back() = ':';
    status += " " + Harmless(event.Text("reason")) + ")";
  }
  if (event.Has("recipient")) return Recipient(event, event.Text("recipient"), status, out);
  const std::vector<std::string> names = event.List("to");
  for (const std::string& to : names) Recipient(event, to, status, out);
  // A name that could not be read, or did not fit its line, still counts.
  for (int64_t i = static_cast<int64_t>(names.size()); i < event.Number("recipients"); ++i) {
    Recipient(event, "unknown", status, out);
  }
}

void ClassicLog::Recipient(const EventFields& event, const std::string& to,
                           const std::string& status, std::string* out) const {
  const int64_t delay_ms = event.Number("delay_ms");
  const int64_t took_ms = event.Number("took_ms");
  Begin(event, "smtp", out);
  out->append("to=<").append(Address(to)).append(">, relay=");
  out->append(Relay(event.Text("mailhost"))).append(", delay=").append(Seconds(delay_ms));
  out->append(", delays=0/").append(Seconds(delay_ms - took_ms)).append("/0/");
  out->append(Seconds(took_ms)).append(", dsn=").append(status).append("\n");
}

void ClassicLog::Rejected(const EventFields& event, std::string* out) const {
  const std::string what = event.Text("what");
  Begin(event, "smtpd", out);
  out->append("NOQUEUE: reject: ").append(what == "connection" ? "CONNECT" : "RCPT");
  out->append(" from unknown[").append(event.Text("client")).append("]: ");
  if (what == "connection") {
    out->append("421 4.7.0 ").append(Harmless(event.Text("why"))).append("; proto=SMTP\n");
    return;
  }
  const std::string to = "<" + Address(what) + ">";
  out->append("550 5.7.1 ").append(to).append(": ").append(Harmless(event.Text("why")));
  out->append("; from=<> to=").append(to).append(" proto=ESMTP\n");
}

// In the words of Postfix, which programs that shut addresses out look for.
void ClassicLog::AuthFailed(const EventFields& event, std::string* out) const {
  Begin(event, "smtpd", out);
  out->append("warning: unknown[").append(event.Text("client")).append("]: ");
  if (event.Text("event") == "auth_failed") {
    out->append("SASL ").append(Harmless(event.Text("mechanism")));
    out->append(" authentication failed: authentication failure");
  } else {
    out->append("refused for ").append(std::to_string(event.Number("refused_for_s")));
    out->append(" s: ").append(std::to_string(event.Number("failures")));
    out->append(" authentications have failed");
  }
  out->append(", sasl_username=").append(UserName(event)).append("\n");
}

void ClassicLog::UserRefused(const EventFields& event, std::string* out) const {
  const bool sender = event.Text("event") == "sender_refused";
  Begin(event, "smtpd", out);
  out->append("NOQUEUE: reject: ").append(event.Text("what") == "recipients" ? "RCPT" : "MAIL");
  out->append(" from unknown[").append(event.Text("client")).append("]: ");
  if (sender) {
    const std::string from = "<" + Address(event.Text("sender")) + ">";
    out->append("553 5.7.1 ").append(from).append(": ").append(Harmless(event.Text("why")));
    out->append("; from=").append(from);
  } else {
    out->append("450 4.7.1 more ").append(Harmless(event.Text("what")));
    out->append(" than ").append(Harmless(event.Text("rate"))).append(";");
  }
  out->append(" proto=ESMTP, sasl_username=").append(UserName(event)).append("\n");
}

void ClassicLog::HostSaid(const EventFields& event, std::string* out) const {
  Begin(event, "smtp", out);
  out->append(Said(event));
  if (event.Has("recipient")) {
    out->append(" (recipient ").append(Address(event.Text("recipient"))).append(")");
  }
  out->append("\n");
}

void ClassicLog::Other(const EventFields& event, std::string* out) const {
  Begin(event, "outboxd", out);
  out->append(event.Text("event"));
  for (const char* const key : {"site", "mailhost", "how", "rate", "reply"}) {
    if (event.Has(key)) out->append(" ").append(key).append("=").append(Harmless(event.Text(key)));
  }
  for (const char* const key :
       {"events", "recipients", "attempts", "attempt", "transactions", "took_ms", "connections",
        "lower_for_s", "suspended_for_s"}) {
    if (!event.Has(key)) continue;
    out->append(" ").append(key).append("=").append(std::to_string(event.Number(key)));
  }
  if (event.Has("text")) out->append(": ").append(Harmless(event.Text("text")));
  out->append("\n");
}

}  // namespace outbox::tools
