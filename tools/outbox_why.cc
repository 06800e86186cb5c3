// `outbox why`: the facts of the daemon as text. The sentences about what holds mail come from the
// daemon (queue/wait_reason.h); here the times and numbers of the case are put behind them.
#include <cstdio>
#include <ctime>
#include <string>

#include "tools/moment.h"
#include "tools/outbox_commands.h"
#include "tools/outbox_table.h"
#include "tools/outbox_text.h"

namespace outbox::tools {
namespace {

using nlohmann::json;

// "2026-11-22 20:15:00, in 4m10s".
std::string Until(int64_t seconds, int64_t now) {
  if (seconds <= now) return MomentText(seconds) + ", now";
  return MomentText(seconds) + ", in " + FormatDuration(static_cast<double>(seconds - now));
}

std::string Since(int64_t seconds, int64_t now) {
  return FormatDuration(static_cast<double>(now - seconds)) + " (since " + MomentText(seconds) +
         ")";
}

void AddLine(const char* name, const std::string& value, std::string* out) {
  if (value.empty()) return;
  std::string label = "  " + std::string(name);
  label.resize(18, ' ');
  out->append(label + value + "\n");
}

// What holds it, and what lifts that.
void AddCause(const json& of, const std::string& detail, int64_t now, std::string* out) {
  AddLine("held up by", TextOf(of, "cause_text") + detail, out);
  if (TextOf(of, "cause") == "none") return;
  const int64_t at = NumberOf(of, "lifted_at");
  AddLine("lifted by", TextOf(of, "lifted_by"), out);
  if (at > 0) AddLine("at", Until(at, now), out);
}

std::string LastWords(const json& recipient) {
  const std::string last = TextOf(recipient, "last_reply");
  // What a host says begins with its code; the rest are sentences of our own.
  const bool said = last.size() >= 3 && last[0] >= '2' && last[0] <= '5' && last[1] != '.';
  return said ? TextOf(recipient, "mailhost") + " said: " + last : last;
}

// The envelope before `outbox reroute`.
void AddOriginal(const json& recipient, std::string* out) {
  const json original = recipient.value("original", json::object());
  if (original.empty()) return;
  const std::string sender = TextOf(original, "sender");
  std::string text = TextOf(original, "id") + ", " + (sender.empty() ? "<>" : sender) + " ->";
  const json names = original.value("recipients", json::array());
  for (const json& name : names) text += " " + name.get<std::string>();
  const int64_t more = NumberOf(original, "count") - static_cast<int64_t>(names.size());
  if (more > 0) text += " and " + std::to_string(more) + " more";
  AddLine("re-routed from", text, out);
}

// What its sender has asked for of notices, if anything.
void AddDsn(const json& recipient, std::string* out) {
  std::string text;
  const json dsn = recipient.value("dsn", json::object());
  for (const char* const key : {"notify", "ret", "envid", "orcpt"}) {
    const std::string value = TextOf(dsn, key);
    if (value.empty()) continue;
    for (const char* c = key; *c != 0; ++c) text.push_back(static_cast<char>(*c & ~0x20));
    text += "=" + value + " ";
  }
  if (!text.empty()) text.pop_back();
  AddLine("sender wants", text, out);
}

void AddRecipient(const json& recipient, int64_t now, std::string* out) {
  out->append(TextOf(recipient, "recipient") + "\n");
  AddLine("state", TextOf(recipient, "state") + ", for " + Since(NumberOf(recipient, "since"), now),
          out);
  const std::string cause = TextOf(recipient, "cause");
  std::string detail;
  if (cause == "reply") detail = ": " + TextOf(recipient, "mailhost");
  if (cause == "held_by_route") detail = ": " + TextOf(recipient, "route");
  AddCause(recipient, detail, now, out);
  const int64_t attempts = NumberOf(recipient, "attempts");
  AddLine("attempts", attempts == 0 ? "none yet" : std::to_string(attempts), out);
  AddLine("last", LastWords(recipient), out);
  AddOriginal(recipient, out);
  AddLine("route", TextOf(recipient, "route") + " (" + TextOf(recipient, "destination") + ")", out);
  if (TextOf(recipient, "waits_for") == "release") {
    AddLine("given up", "not while it is held: its periods begin when it is released", out);
    return;
  }
  if (TextOf(recipient, "waits_for") == "undo") {
    AddLine("given up", "not while it is purged: its periods go on when that is undone", out);
    return;
  }
  AddDsn(recipient, out);
  const int64_t notify = NumberOf(recipient, "notify");
  const bool notified = recipient.value("notified", false);
  AddLine("sender is told", notified ? "has been" : notify > 0 ? Until(notify, now) : "never", out);
  AddLine("given up", Until(NumberOf(recipient, "expire"), now), out);
}

// The numbers of what holds up a destination.
std::string Detail(const json& destination) {
  const std::string cause = TextOf(destination, "cause");
  const json site = destination.value("site", json::object());
  if (cause == "backoff" && NumberOf(site, "failures") > 0) {
    return ", after " + Counted(NumberOf(site, "failures"), "failure", "failures") + " in a row";
  }
  if (cause == "slow_start") {
    return "; " + Counted(NumberOf(site, "window"), "connection", "connections") + " for now, of " +
           std::to_string(NumberOf(site, "limit"));
  }
  if (cause == "connections") return ": " + std::to_string(NumberOf(site, "limit"));
  if (cause == "rate") return ": " + TextOf(site, "max_rate");
  if (cause == "slowed" && site.contains("rate_now")) {
    const std::string configured = TextOf(site, "max_rate");
    return ": " + TextOf(site, "rate_now") + (configured.empty() ? "" : " of " + configured);
  }
  if (cause == "slowed") {
    return ": " + Counted(NumberOf(site, "window"), "connection", "connections") + " of " +
           std::to_string(NumberOf(site, "limit"));
  }
  return "";
}

// Of HostTroubleName.
std::string HostTroubleWords(const std::string& name) {
  if (name == "tls") return "did not offer the TLS that the route asks for";
  if (name == "user") return "did not let us in as the user of the route";
  if (name == "source") return "was not tried: it cannot be reached from the route's source";
  return "did not answer";
}

void AddDestination(const json& destination, int64_t now, std::string* out) {
  out->append("destination " + TextOf(destination, "destination") + "\n");
  const int64_t queued = NumberOf(destination, "queued");
  const int64_t ready = NumberOf(destination, "ready") + NumberOf(destination, "resolving");
  const int64_t sending = NumberOf(destination, "sending");
  AddLine("transactions",
          std::to_string(ready) + " ready, " + std::to_string(sending) + " sending, " +
              std::to_string(queued > ready + sending ? queued - ready - sending : 0) +
              " waiting for their time",
          out);
  const auto site = destination.find("site");
  if (site == destination.end()) {
    AddLine("connections", "none yet: its hosts are not known, or no mail came for it", out);
  } else {
    AddLine("connections",
            std::to_string(NumberOf(*site, "connections")) + " open, of at most " +
                std::to_string(NumberOf(*site, "limit")),
            out);
    AddLine("site", TextOf(*site, "name"), out);
  }
  AddLine("user", TextOf(destination, "user"), out);
  if (TextOf(destination, "cause") == "none" && ready == 0) {
    AddLine("held up by", "nothing", out);
  } else {
    AddCause(destination, Detail(destination), now, out);
  }
  if (const auto suspended = destination.find("suspension"); suspended != destination.end()) {
    const std::string reason = TextOf(*suspended, "reason");
    AddLine("suspended",
            "by " + TextOf(*suspended, "by") + " at " + MomentText(NumberOf(*suspended, "since")) +
                (reason.empty() ? "" : ": " + reason),
            out);
  }
  const json of_site = destination.value("site", json::object());
  if (of_site.contains("reply")) {
    AddLine("site's reply", TextOf(of_site, "mailhost") + " said: " + TextOf(of_site, "reply"),
            out);
  }
  if (const auto source = destination.find("source"); source != destination.end()) {
    AddLine("sent from",
            TextOf(*source, "name") + " (" + TextOf(*source, "addresses") + "), as " +
                TextOf(*source, "helo"),
            out);
  }
  AddLine("because", TextOf(destination, "trouble"), out);
  for (const json& host : destination.value("hosts", json::array())) {
    const int64_t down = NumberOf(host, "down_until");
    std::string line = TextOf(host, "host");
    if (down > 0) {
      line += ", " + HostTroubleWords(TextOf(host, "down_because")) + "; after the others until " +
              Until(down, now);
    }
    AddLine("host", line, out);
  }
}

std::string MessageLine(const json& recipient) {
  const std::string sender = TextOf(recipient, "sender");
  return "message " + TextOf(recipient, "id") + " from " + (sender.empty() ? "<>" : sender) + ", " +
         std::to_string(NumberOf(recipient, "size")) + " bytes, accepted " +
         MomentText(NumberOf(recipient, "accepted")) + "\n\n";
}

// What was asked about, and the recipients that are queued.
void AddQueued(const json& why, int64_t now, std::string* out) {
  const std::string id = TextOf(why, "id");
  const std::string asked = TextOf(why, "recipient");
  const json recipients = why.value("recipients", json::array());
  if (id.empty() && asked.empty()) {
    const std::string domain = TextOf(why, "domain");
    *out += "domain " + domain + ", route " + TextOf(why, "route") + "; `outbox queue --domain " +
            domain + "` lists its mail\n\n";
    return;
  }
  if (recipients.empty()) {
    *out += id.empty() ? "nothing is queued for " + asked + "; `outbox report --recipient " +
                             asked + "` tells what became of recent mail. Its domain, route " +
                             TextOf(why, "route") + ":\n\n"
                       : "message " + id +
                             " is not queued: all its recipients are final, or it never was here; "
                             "`outbox report " +
                             id + "` tells what the log knows\n";
  }
  std::string message;
  for (const json& recipient : recipients) {
    const std::string of = TextOf(recipient, "id");
    if (of != message) *out += (message.empty() ? "" : "\n") + MessageLine(recipient);
    message = of;
    AddRecipient(recipient, now, out);
  }
  if (const int64_t more = NumberOf(why, "more"); more > 0) {
    *out += "and " + FormatCount(more) + " more: outbox queue has a list\n";
  }
}

}  // namespace

std::string FormatWhy(const json& why, int64_t now) {
  std::string out;
  AddQueued(why, now, &out);
  const bool any = !why.value("recipients", json::array()).empty();
  for (const json& destination : why.value("destinations", json::array())) {
    if (any) out += "\n";
    AddDestination(destination, now, &out);
  }
  const json trail = why.value("trail", json::array());
  if (!trail.empty()) {
    out += "\nfailed attempts, as far as they are remembered\n";
    TextTable table({"TIME", "ID", "RECIPIENT", "MAILHOST", "REPLY"}, 2);
    table.SetOutput(&out);
    for (const json& fact : trail) {
      const std::string recipient = TextOf(fact, "recipient");
      table.Add({MomentText(NumberOf(fact, "time")), TextOf(fact, "id"),
                 recipient.empty() ? "(the host itself)" : recipient, TextOf(fact, "mailhost"),
                 TextOf(fact, "reply")});
    }
    table.End();
  }
  if (why.value("trail_forgotten", false)) {
    out += "older attempts are not remembered any more: they are in the event log only\n";
  }
  return out;
}

core::Status WhyCommand(ControlClient* client, const json& what, bool as_json) {
  json request = what;
  request["command"] = "why";
  const core::Result<json> why = client->Ask(request, kAnswerSeconds);
  if (!why.ok()) return why.status();
  const std::string text = as_json ? why->dump() + "\n" : FormatWhy(*why, std::time(nullptr));
  std::fwrite(text.data(), 1, text.size(), stdout);
  if (why->contains("recipients") && (*why)["recipients"].empty()) {
    return core::Status(core::StatusCode::kNotFound, "");
  }
  return core::OkStatus();
}

}  // namespace outbox::tools
