// `outbox why`: the facts of the daemon as sentences.
#include <cstdio>
#include <ctime>
#include <string>

#include "tools/outbox_commands.h"
#include "tools/outbox_table.h"

namespace outbox::tools {
namespace {

using nlohmann::json;

int64_t Number(const json& from, const char* name) {
  const auto found = from.find(name);
  return found != from.end() && found->is_number() ? found->get<int64_t>() : 0;
}

std::string Clock(int64_t seconds) {
  const std::time_t time = seconds;
  std::tm local = {};
  localtime_r(&time, &local);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &local);
  return text;
}

// "2026-11-22 20:15:00, in 4m10s".
std::string Until(int64_t seconds, int64_t now) {
  if (seconds <= now) return Clock(seconds) + ", now";
  return Clock(seconds) + ", in " + FormatDuration(static_cast<double>(seconds - now));
}

std::string Since(int64_t seconds, int64_t now) {
  return FormatDuration(static_cast<double>(now - seconds));
}

std::string Times(int64_t count, const char* one, const char* many) {
  return std::to_string(count) + " " + (count == 1 ? one : many);
}

std::string WaitsFor(const json& recipient, int64_t now) {
  const std::string what = Text(recipient, "waits_for");
  if (what == "release") {
    return Text(recipient, "held_by") == "route"
               ? "outbox release: held by route " + Text(recipient, "route")
               : "outbox release: held by an operator";
  }
  if (what == "retry") {
    const int64_t next = Number(recipient, "next_attempt");
    return "the next attempt, " + (next == 0 ? "which is due" : Until(next, now));
  }
  if (what == "reply") return "the answer of " + Text(recipient, "mailhost");
  if (what == "dns") return "the hosts of " + Text(recipient, "domain") + " to be looked up";
  if (what == "notice") return "the notice to its sender to be stored";
  return "its turn at the destination, see below";
}

void AddLine(const char* name, const std::string& value, std::string* out) {
  if (value.empty()) return;
  std::string label = "  " + std::string(name);
  label.resize(18, ' ');
  out->append(label + value + "\n");
}

void AddRecipient(const json& recipient, int64_t now, std::string* out) {
  out->append(Text(recipient, "recipient") + "\n");
  AddLine("state", Text(recipient, "state") + ", for " + Since(Number(recipient, "since"), now),
          out);
  AddLine("waits for", WaitsFor(recipient, now), out);
  const int64_t attempts = Number(recipient, "attempts");
  std::string last = Text(recipient, "last_reply");
  // What a host says begins with its code; the rest are sentences of our own.
  if (last.size() >= 3 && last[0] >= '2' && last[0] <= '5' && last[1] != '.') {
    last = Text(recipient, "mailhost") + " said: " + last;
  }
  AddLine("attempts", attempts == 0 ? "none yet" : std::to_string(attempts), out);
  AddLine("last", last, out);
  const bool held = Text(recipient, "waits_for") == "release";
  AddLine("route", Text(recipient, "route") + " (" + Text(recipient, "destination") + ")", out);
  if (held) {
    AddLine("given up", "not while it is held: its periods begin when it is released", out);
    return;
  }
  const int64_t notify = Number(recipient, "notify");
  const bool notified = recipient.value("notified", false);
  AddLine("sender is told", notified ? "has been" : notify > 0 ? Until(notify, now) : "never", out);
  AddLine("given up", Until(Number(recipient, "expire"), now), out);
}

std::string Limit(const json& destination, int64_t now) {
  const std::string limit = Text(destination, "limit");
  const json site = destination.value("site", json::object());
  if (limit == "backoff") {
    const int64_t failures = Number(site, "failures");
    return "left alone until " + Until(Number(destination, "blocked_until"), now) +
           (failures > 0 ? ", after " + Times(failures, "failure", "failures") + " in a row" : "");
  }
  if (limit == "canary") return "one message goes first, to see whether the host is well again";
  if (limit == "slow_start") {
    return "recovering: " + Times(Number(site, "window"), "connection", "connections") +
           " allowed for now, growing to " + std::to_string(Number(site, "limit"));
  }
  if (limit == "connections") {
    return "all " + std::to_string(Number(site, "limit")) + " connections of the site are in use";
  }
  if (limit == "outbound") {
    return "our own bound: all outbound connections that this relay may have are in use, and it is "
           "in line for one";
  }
  if (limit == "shortage") {
    return "this machine: it is short of descriptors, memory or ports; tried again every second";
  }
  if (limit == "pace") return "its connections are at work on what came before";
  const int64_t until = Number(destination, "blocked_until");
  if (limit == "rate") {
    return "the rate of the site, " + Text(site, "rate") + ": the next one " + Until(until, now);
  }
  if (limit == "resolving") return "the DNS: it is being asked for the hosts";
  if (limit == "unresolved") {
    return "the DNS: the hosts cannot be found out for now" +
           (until > 0 ? ", asked again " + Until(until, now) : "");
  }
  if (limit == "unrouted") return "no route: it names no host to send to";
  return Number(destination, "ready") > 0 ? "about to go" : "nothing";
}

void AddDestination(const json& destination, int64_t now, std::string* out) {
  out->append("destination " + Text(destination, "destination") + "\n");
  const int64_t queued = Number(destination, "queued");
  const int64_t ready = Number(destination, "ready") + Number(destination, "resolving");
  const int64_t sending = Number(destination, "sending");
  AddLine("transactions",
          std::to_string(ready) + " ready, " + std::to_string(sending) + " sending, " +
              std::to_string(queued > ready + sending ? queued - ready - sending : 0) +
              " waiting for their time",
          out);
  const json site = destination.value("site", json::object());
  AddLine("connections",
          std::to_string(Number(site, "connections")) + " open, of at most " +
              std::to_string(Number(site, "limit")),
          out);
  AddLine("site", Text(site, "name"), out);
  AddLine("held up by", Limit(destination, now), out);
  AddLine("because", Text(destination, "trouble"), out);
  for (const json& host : destination.value("hosts", json::array())) {
    const int64_t down = Number(host, "down_until");
    AddLine("host",
            Text(host, "host") +
                (down > 0 ? ", did not answer; tried last until " + Until(down, now) : ""),
            out);
  }
}

}  // namespace

std::string FormatWhy(const json& why, int64_t now) {
  std::string out;
  const std::string id = Text(why, "id");
  const json recipients = why.value("recipients", json::array());
  if (!id.empty() && !recipients.empty()) {
    const json& first = recipients.front();
    const std::string sender = Text(first, "sender");
    out += "message " + id + " from " + (sender.empty() ? "<>" : sender) + ", " +
           std::to_string(Number(first, "size")) + " bytes, accepted " +
           Clock(Number(first, "accepted")) + "\n\n";
  } else if (!id.empty()) {
    out += "message " + id + " is not queued: all its recipients are final, or it never was here\n";
  } else {
    out += "domain " + Text(why, "domain") + ", route " + Text(why, "route") + "\n\n";
  }
  for (const json& recipient : recipients) AddRecipient(recipient, now, &out);
  for (const json& destination : why.value("destinations", json::array())) {
    if (!out.empty() && !recipients.empty()) out += "\n";
    AddDestination(destination, now, &out);
  }
  const json trail = why.value("trail", json::array());
  if (!trail.empty()) {
    out += "\nfailed attempts, as far as they are remembered\n";
    TextTable table({"TIME", "ID", "RECIPIENT", "MAILHOST", "REPLY"}, 2);
    table.SetOutput(&out);
    for (const json& fact : trail) {
      const std::string recipient = Text(fact, "recipient");
      table.Add({Clock(Number(fact, "time")), Text(fact, "id"),
                 recipient.empty() ? "(the host itself)" : recipient, Text(fact, "mailhost"),
                 Text(fact, "reply")});
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
  const core::Status sent = client->Send(request);
  if (!sent.ok()) return sent;
  const core::Result<json> why = client->Receive(kAnswerSeconds);
  if (!why.ok()) return why.status();
  const std::string text = as_json ? why->dump() + "\n" : FormatWhy(*why, std::time(nullptr));
  std::fwrite(text.data(), 1, text.size(), stdout);
  if (why->contains("recipients") && (*why)["recipients"].empty()) {
    return core::Status(core::StatusCode::kNotFound, "");
  }
  return core::OkStatus();
}

}  // namespace outbox::tools
