#include "tools/log_fact.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/time.h"
#include "tools/event_fields.h"
#include "tools/moment.h"

namespace outbox::tools {
namespace {

constexpr size_t kIdChars = 13;

bool ParseJson(std::string_view line, LogFact* fact) {
  EventFields event;
  if (!event.Parse(line)) return false;
  fact->time_ns = ParseLogTime(event.Text("time"));
  fact->event = event.Text("event");
  fact->id = event.Text("id");
  if (fact->time_ns == 0 || fact->id.empty()) return false;
  fact->about = event.Text("about");
  fact->into = event.Text("into");
  fact->client = event.Text("client");
  fact->has_sender = event.Has("sender");
  fact->sender = event.Text("sender");
  fact->size = event.Number("size");
  fact->recipients = event.Number("recipients");
  fact->to = event.List("to");
  if (fact->to.empty() && event.Has("recipient")) fact->to.push_back(event.Text("recipient"));
  if (fact->recipients == 0) fact->recipients = static_cast<int64_t>(fact->to.size());
  fact->route = event.Text("route");
  fact->destination = event.Text("destination");
  fact->was = event.Text("from");
  fact->mailhost = event.Text("mailhost");
  if (const int64_t code = event.Number("code"); code > 0) {
    fact->reply = std::to_string(code) + " ";
    if (event.Has("status")) fact->reply += event.Text("status") + " ";
  }
  fact->reply += event.Text("reply");
  if (event.Has("delay_ms")) fact->delay_ms = event.Number("delay_ms");
  fact->next_attempt = event.Text("next_attempt");
  fact->by = event.Text("by");
  fact->reason = event.Text("reason");
  return true;
}

// The text of `rest` behind `begin`, up to `end` or the end of all; "" if `begin` is not there.
std::string_view Between(std::string_view rest, std::string_view begin, std::string_view end) {
  const size_t at = rest.find(begin);
  if (at == std::string_view::npos) return {};
  rest.remove_prefix(at + begin.size());
  return rest.substr(0, rest.find(end));
}

int64_t NumberOf(std::string_view text) {
  int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

int64_t MsOf(std::string_view seconds) {
  double number = 0;
  std::from_chars(seconds.data(), seconds.data() + seconds.size(), number);
  return std::llround(number * 1000);
}

// "192.0.2.25[192.0.2.25]:25" is "192.0.2.25:25" in JSON.
std::string MailhostOf(std::string_view relay) {
  if (relay == "none") return {};
  const size_t open = relay.find('[');
  const size_t close = relay.find(']');
  if (open == std::string_view::npos || close == std::string_view::npos || open > close) {
    return std::string(relay);
  }
  const std::string_view host = relay.substr(0, open);
  const std::string_view address = relay.substr(open + 1, close - open - 1);
  if (host != address) return std::string(relay);
  const bool v6 = host.find(':') != std::string_view::npos;
  return (v6 ? "[" + std::string(host) + "]" : std::string(host)) +
         std::string(relay.substr(close + 1));
}

// "to=<a@b.test>, relay=..., delay=..., delays=..., dsn=..., status=sent (250 ok)".
bool ParseStatus(std::string_view rest, LogFact* fact) {
  fact->to.emplace_back(Between(rest, "to=<", ">"));
  if (fact->to.back() == "unknown") fact->to.clear();
  fact->recipients = 1;
  fact->mailhost = MailhostOf(Between(rest, ", relay=", ", "));
  fact->delay_ms = MsOf(Between(rest, ", delay=", ", "));
  const std::string_view status = Between(rest, ", status=", " ");
  fact->event = status == "sent" ? "delivered" : std::string(status);
  std::string_view words = Between(rest, " (", "\n");
  if (words.ends_with(')')) words.remove_suffix(1);
  if (fact->event == "rerouted") {
    fact->into = Between(words, "now ", "\n");
    return true;
  }
  constexpr std::string_view kReturned = "returned to sender; ";
  if (words.starts_with(kReturned)) words.remove_prefix(kReturned.size());
  if (words.starts_with("host ")) {
    if (const std::string_view said = Between(words, " said: ", "\n"); !said.empty()) words = said;
  }
  fact->reply = words;
  return true;
}

// "host mx.b.test[192.0.2.1]:25 said: 450 4.2.1 mailbox busy (recipient a@b.test)", or words of our
// own.
void ParseHostSaid(std::string_view rest, LogFact* fact) {
  fact->event = "attempt_failed";
  constexpr std::string_view kRecipient = " (recipient ";
  if (const size_t at = rest.rfind(kRecipient);
      at != std::string_view::npos && rest.ends_with(')')) {
    fact->to.emplace_back(Between(rest.substr(at), kRecipient, ")"));
    fact->recipients = 1;
    rest = rest.substr(0, at);
  }
  constexpr std::string_view kSaid = " said: ";
  if (const size_t at = rest.find(kSaid);
      rest.starts_with("host ") && at != std::string_view::npos) {
    fact->mailhost = MailhostOf(Between(rest, "host ", kSaid));
    rest.remove_prefix(at + kSaid.size());
  }
  fact->reply = rest;
}

bool ParseQmgr(std::string_view rest, LogFact* fact) {
  if (rest == "removed") {
    fact->event = "finished";
    return true;
  }
  if (rest.starts_with("from=<")) {
    fact->event = "accepted";
    fact->has_sender = true;
    fact->sender = Between(rest, "from=<", ">");
    fact->size = NumberOf(Between(rest, ", size=", ","));
    fact->recipients = NumberOf(Between(rest, ", nrcpt=", " "));
    return true;
  }
  if (constexpr std::string_view kInstead = "instead of "; rest.starts_with(kInstead)) {
    fact->event = "resubmitted";
    fact->about = rest.substr(kInstead.size());
    return true;
  }
  if (!rest.starts_with("route=")) return false;
  fact->route = Between(rest, "route=", ", ");
  fact->destination = Between(rest, ", destination=", ", ");
  fact->was = Between(rest, ", was=", ", ");
  fact->event = fact->was.empty() ? "routed" : "rerouted";
  constexpr std::string_view kTo = ", to=<";
  for (size_t at = rest.find(kTo); at != std::string_view::npos; at = rest.find(kTo, at + 1)) {
    fact->to.emplace_back(Between(rest.substr(at), kTo, ">"));
  }
  fact->recipients = static_cast<int64_t>(fact->to.size());
  return true;
}

// "TIME HOST NAME/PROGRAM[1]: ID: ...".
bool ParseClassic(std::string_view line, LogFact* fact) {
  fact->time_ns = ParseLogTime(line.substr(0, line.find(' ')));
  const size_t slash = line.find('/');
  const size_t bracket = line.find('[', slash);
  const size_t colon = line.find("]: ", bracket);
  if (fact->time_ns == 0 || slash == std::string_view::npos || bracket == std::string_view::npos ||
      colon == std::string_view::npos) {
    return false;
  }
  const std::string_view program = line.substr(slash + 1, bracket - slash - 1);
  std::string_view rest = line.substr(colon + 3);
  if (rest.size() < kIdChars + 2 || rest.substr(kIdChars, 2) != ": ") return false;
  fact->id = rest.substr(0, kIdChars);
  rest.remove_prefix(kIdChars + 2);
  if (program == "smtpd") {
    fact->event = "accepted";
    fact->client = Between(rest, "client=unknown[", "]");
    return !fact->client.empty();
  }
  if (program == "qmgr") return ParseQmgr(rest, fact);
  if (program == "bounce") {
    fact->event = "generated";
    fact->about = fact->id;
    fact->id = Between(rest, "sender notification: ", " ");
    return !fact->id.empty();
  }
  if (program != "smtp") return false;
  if (rest.starts_with("to=<")) return ParseStatus(rest, fact);
  ParseHostSaid(rest, fact);
  return true;
}

}  // namespace

bool ParseLogFact(std::string_view line, LogFact* fact) {
  *fact = LogFact();
  return line.starts_with('{') ? ParseJson(line, fact) : ParseClassic(line, fact);
}

}  // namespace outbox::tools
