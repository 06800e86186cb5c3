// `outbox report`: what became of recent mail, as the event log tells it.
#include <algorithm>
#include <cstdio>
#include <string>
#include <tuple>
#include <utility>

#include "core/time.h"
#include "tools/log_reader.h"
#include "tools/moment.h"
#include "tools/outbox_commands.h"
#include "tools/outbox_table.h"
#include "tools/outbox_text.h"
#include "tools/report.h"

namespace outbox::tools {
namespace {

using nlohmann::ordered_json;

std::string OrDash(const std::string& text) { return text.empty() ? "-" : Harmless(text); }

std::string Sender(const MessageReport& message) {
  if (!message.sender_known) return "?";
  return message.sender.empty() ? "<>" : Harmless(message.sender);
}

std::string Delay(int64_t ms) {
  return ms < 0 ? "-" : FormatDuration(static_cast<double>(ms) / 1e3);
}

// Which rule decided, and what it was before.
std::string Rule(const RecipientReport& recipient) {
  if (recipient.route.empty() && recipient.destination.empty()) return "-";
  std::string rule = (recipient.route.empty() ? "?" : Harmless(recipient.route)) + " (" +
                     Harmless(recipient.destination);
  if (!recipient.was.empty()) rule += ", was " + Harmless(recipient.was);
  return rule + ")";
}

std::string Words(const RecipientReport& recipient) {
  if (!recipient.into.empty()) return "went on as " + Harmless(recipient.into);
  std::string words = OrDash(recipient.reply);
  if (recipient.told && !recipient.final()) words += " (the sender was told of the delay)";
  return words;
}

ordered_json NumberOrNull(bool known, int64_t number) {
  if (!known) return nullptr;
  return number;
}

ordered_json RecipientJson(const MessageReport& message, const RecipientReport& recipient) {
  ordered_json out = {{"id", message.id}};
  const auto time = [](int64_t ns) -> ordered_json {
    if (ns == 0) return nullptr;
    return static_cast<double>(ns / core::kNsPerMs) / 1e3;
  };
  const auto text = [](const std::string& value) -> ordered_json {
    if (value.empty()) return nullptr;
    return value;
  };
  out["accepted"] = time(message.accepted_ns);
  out["sender"] = message.sender_known ? ordered_json(message.sender) : ordered_json(nullptr);
  out["client"] = text(message.client);
  out["about"] = text(message.about);
  out["size"] = message.size;
  out["recipient"] = recipient.address;
  out["state"] = recipient.state;
  out["time"] = time(recipient.time_ns);
  out["delay_ms"] = NumberOrNull(recipient.delay_ms >= 0, recipient.delay_ms);
  out["failures"] = recipient.failures;
  out["route"] = text(recipient.route);
  out["destination"] = text(recipient.destination);
  out["was"] = text(recipient.was);
  out["into"] = text(recipient.into);
  out["mailhost"] = text(recipient.mailhost);
  out["reply"] = text(recipient.reply);
  out["next_attempt"] = text(recipient.next_attempt);
  return out;
}

ordered_json DomainJson(const std::string& name, const DomainReport& domain) {
  ordered_json out = {{"domain", name},
                      {"recipients", domain.recipients},
                      {"delivered", domain.delivered},
                      {"waiting", domain.waiting},
                      {"bounced", domain.bounced},
                      {"expired", domain.expired},
                      {"removed", domain.removed},
                      {"discarded", domain.discarded},
                      {"failures", domain.failures}};
  out["delay_ms_mean"] = NumberOrNull(domain.delivered > 0,
                                      domain.delay_sum_ms / std::max<int64_t>(1, domain.delivered));
  out["delay_ms_max"] = NumberOrNull(domain.delivered > 0, domain.delay_max_ms);
  out["routes"] = domain.routes;
  out["last_failure"] =
      domain.last_failure.empty() ? ordered_json(nullptr) : ordered_json(domain.last_failure);
  return out;
}

void Print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

void PrintLine(const ordered_json& line) {
  Print(line.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n");
}

size_t PrintDomains(const MailReport& report, bool as_json) {
  TextTable table({"DOMAIN", "RECIPIENTS", "DELIVERED", "WAITING", "BOUNCED", "EXPIRED", "REMOVED",
                   "DISCARDED", "FAILURES", "MEAN", "LONGEST", "ROUTES", "LAST FAILURE"});
  const std::map<std::string, DomainReport> domains = report.Domains();
  for (const auto& [name, domain] : domains) {
    if (as_json) {
      PrintLine(DomainJson(name, domain));
      continue;
    }
    std::string routes;
    for (const std::string& route : domain.routes) routes += (routes.empty() ? "" : ",") + route;
    const int64_t mean = domain.delivered == 0 ? -1 : domain.delay_sum_ms / domain.delivered;
    table.Add({Harmless(name), std::to_string(domain.recipients), std::to_string(domain.delivered),
               std::to_string(domain.waiting), std::to_string(domain.bounced),
               std::to_string(domain.expired), std::to_string(domain.removed),
               std::to_string(domain.discarded), std::to_string(domain.failures), Delay(mean),
               Delay(domain.delivered == 0 ? -1 : domain.delay_max_ms), OrDash(routes),
               OrDash(domain.last_failure)});
  }
  table.End();
  return domains.size();
}

// The newest rows, in the order of time.
size_t PrintRecipients(const MailReport& report, bool as_json, size_t limit) {
  std::vector<std::pair<const MessageReport*, const RecipientReport*>> rows;
  for (const MessageReport& message : report.messages()) {
    for (const RecipientReport& recipient : message.recipients) {
      if (report.Wants(message, recipient)) rows.emplace_back(&message, &recipient);
    }
  }
  std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) {
    return std::tie(a.second->time_ns, a.first->id, a.second->address) <
           std::tie(b.second->time_ns, b.first->id, b.second->address);
  });
  const size_t first = rows.size() > limit ? rows.size() - limit : 0;
  TextTable table({"TIME", "ID", "STATE", "AFTER", "FAILURES", "SENDER -> RECIPIENT",
                   "ROUTE (DESTINATION)", "MAILHOST", "REPLY"});
  for (size_t i = first; i < rows.size(); ++i) {
    const auto& [message, recipient] = rows[i];
    if (as_json) {
      PrintLine(RecipientJson(*message, *recipient));
      continue;
    }
    table.Add({FormatMoment(recipient->time_ns, /*ms=*/false), message->id, recipient->state,
               Delay(recipient->delay_ms), std::to_string(recipient->failures),
               Sender(*message) + " -> " + Harmless(recipient->address), Rule(*recipient),
               OrDash(recipient->mailhost), Words(*recipient)});
  }
  table.End();
  if (first > 0) {
    std::fprintf(stderr, "outbox: the newest %zu of %zu; --limit shows more\n", limit, rows.size());
  }
  return rows.size();
}

// What an operator has done. Its line has the last reply of a host as well, no answer to it.
bool IsOrder(const std::string& event) {
  for (const char* const order :
       {"retried", "held", "released", "cleared", "rerouted", "purged", "undone", "removed"}) {
    if (event == order) return true;
  }
  return false;
}

// The lines about one message, as its story.
void PrintStory(const MailReport& report) {
  Print("\n");
  std::string said;
  for (const LogFact& fact : report.lines()) {
    if (fact.event == "talk") {  // `outbox talk` has the times as well
      const std::string command = "outbox talk " + fact.id;
      if (said.find(command) == std::string::npos) said += (said.empty() ? "" : ", ") + command;
      continue;
    }
    std::string line = "  " + FormatMoment(fact.time_ns, /*ms=*/true) + "  " + fact.event;
    if (fact.event == "resubmitted") line += " " + fact.id + " in place of " + fact.about;
    if (!fact.into.empty()) line += " as " + fact.into;
    if (fact.event == "generated") line += " " + fact.id + ", which tells the sender";
    for (const std::string& to : fact.to) line += " " + to;
    if (!fact.was.empty()) line += " was " + fact.was;
    if (!fact.route.empty()) line += " by route " + fact.route + " to " + fact.destination;
    const bool order = IsOrder(fact.event);
    if (!fact.mailhost.empty() && !order && fact.by.empty()) line += " at " + fact.mailhost;
    const bool command = fact.by == "clear" || fact.by == "reroute";
    if (!fact.by.empty()) line += (command ? " by outbox " : " by ") + fact.by;
    if (!fact.reply.empty() && !order) line += ": " + fact.reply;
    if (!fact.reason.empty() && order) line += ": " + fact.reason;
    if (const int64_t next = ParseLogTime(fact.next_attempt); next != 0) {
      line += ", next attempt " + FormatMoment(next, /*ms=*/false);
    }
    Print(Harmless(line) + "\n");
  }
  if (!said.empty()) Print("\nwhat was said: " + Harmless(said) + "\n");
}

}  // namespace

core::Status ReportCommand(const ReportRequest& request) {
  MailReport report(request.filter);
  LogFact fact;
  for (const std::string& file : request.files) {
    const core::Status read =
        ReadLog(file, request.filter.since_ns, [&report, &fact](std::string_view line) {
          if (ParseLogFact(line, &fact)) report.Add(fact);
        });
    if (!read.ok()) return read;
  }
  const size_t rows = request.by_domain ? PrintDomains(report, request.json)
                                        : PrintRecipients(report, request.json, request.limit);
  if (rows == 0) {
    std::fputs("outbox: the log tells of no such mail\n", stderr);
    return core::Status(core::StatusCode::kNotFound, "");
  }
  if (!request.filter.id.empty() && !request.by_domain && !request.json) PrintStory(report);
  return core::OkStatus();
}

core::Result<std::vector<std::string>> LogFiles(ControlClient* client, int64_t since_ns) {
  const core::Result<nlohmann::json> answer = client->Ask({{"command", "report"}}, kAnswerSeconds);
  if (!answer.ok()) return answer.status();
  const std::string file = answer->value("log_file", std::string());
  if (file.empty()) {
    return core::Status(core::StatusCode::kNotFound,
                        "outboxd logs to its standard error; give its lines with --log FILE, or "
                        "to --log -");
  }
  std::vector<std::string> files = LogFilesOf(file, since_ns);
  if (files.empty()) {
    return core::Status(core::StatusCode::kNotFound,
                        "there is no log at " + file + ", or it may not be looked at");
  }
  return files;
}

}  // namespace outbox::tools
