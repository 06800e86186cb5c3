// `outbox route test`: where a message would go, without sending it.
#include <cstdio>
#include <string>

#include "tools/config_file.h"
#include "tools/outbox_commands.h"
#include "tools/outbox_text.h"
#include "tools/route_question.h"

namespace outbox::tools {
namespace {

using nlohmann::json;

void AddRow(const char* name, const std::string& value, std::string* out) {
  std::string label = name;
  label.resize(12, ' ');
  out->append(label + value + "\n");
}

std::string Retry(const json& schedule) {
  std::string text;
  for (size_t i = 0; i < schedule.size(); ++i) {
    const std::string one = FormatDuration(schedule[i].get<double>());
    text +=
        i + 1 < schedule.size() ? "after " + one + ", " : (i > 0 ? "then " : "") + ("every " + one);
  }
  return text;
}

void AddHostRows(const json& answer, std::string* out) {
  bool first = true;
  for (const json& host : answer.value("hosts", json::array())) {
    std::string text = TextOf(host, "host") + ":" + std::to_string(NumberOf(host, "port"));
    std::string addresses;
    for (const json& address : host.value("addresses", json::array())) {
      addresses += (addresses.empty() ? "" : ", ") + address.get<std::string>();
    }
    if (addresses.empty()) addresses = "no address";
    if (addresses != TextOf(host, "host")) text += "  " + addresses;
    if (TextOf(answer, "destination").starts_with("mx:") && !answer.value("implicit_mx", false)) {
      text = "MX " + std::to_string(NumberOf(host, "preference")) + " " + text;
    }
    AddRow(first ? "hosts" : "", text, out);
    first = false;
  }
  if (answer.value("implicit_mx", false)) AddRow("", "there is no MX record", out);
  if (const std::string trouble = TextOf(answer, "trouble"); !trouble.empty()) {
    AddRow("hosts", "none: " + trouble, out);
  }
  const json site = answer.value("site", json::object());
  if (site.empty()) return;
  std::string limits = Counted(NumberOf(site, "max_connections"), "connection", "connections");
  if (const std::string rate = TextOf(site, "max_rate"); !rate.empty()) limits += ", " + rate;
  AddRow("limits", limits + ", of the site " + TextOf(site, "name"), out);
}

std::string Listed(const json& texts) {
  std::string all;
  for (const json& text : texts) all += (all.empty() ? "" : ", ") + text.get<std::string>();
  return all;
}

// Where it is sent from, and why from there.
void AddSourceRows(const json& source, std::string* out) {
  const std::string by = TextOf(source, "by");
  if (by == "bind") {
    return AddRow("sent from",
                  Listed(source.value("addresses", json::array())) + ", by the route (bind)", out);
  }
  const json sources = source.value("sources", json::array());
  const std::string why = by == "route"     ? "by the route"
                          : by == "sender"  ? "by the sender's domain"
                          : by == "default" ? "by default"
                                            : "";
  if (sources.empty()) {
    // Nobody has to be told that nothing is configured.
    if (!why.empty()) AddRow("sent from", "what the system chooses, " + why, out);
    return;
  }
  const std::string pool = TextOf(source, "pool");
  if (!pool.empty()) AddRow("sent from", "the pool " + pool + ", " + why, out);
  for (const json& one : sources) {
    std::string text = TextOf(one, "name") + " (" + Listed(one.value("addresses", json::array())) +
                       "), as " + TextOf(one, "helo");
    if (pool.empty()) {
      text += ", " + why;
    } else {
      text += ", " + std::to_string(NumberOf(one, "weight")) + " of " +
              std::to_string(NumberOf(one, "of"));
    }
    AddRow(pool.empty() ? "sent from" : "", text, out);
  }
}

// By the file; the hosts by the daemon, if there is one.
core::Result<json> AskFile(ControlClient* client, const RouteQuestion& question,
                           const std::string& file) {
  const LoadedConfig loaded = ReadConfig(file);
  if (loaded.config == nullptr) {
    std::string errors;
    for (const std::string& error : loaded.errors) errors += (errors.empty() ? "" : "\n") + error;
    return core::Status(core::StatusCode::kInvalidArgument, errors);
  }
  const queue::Router router(*loaded.config);
  const RouteVerdict verdict = RouteAsked(question).Ask(router);
  json answer = RouteJson(*loaded.config, question, verdict);
  answer["end"] = true;
  if (verdict.action != core::RouteAction::kSend) return answer;
  answer["trouble"] = "not looked up, since no outboxd could be asked";
  if (client == nullptr) return answer;
  const core::Result<json> hosts =
      client->Ask({{"command", "route"}, {"destination", verdict.destination}}, kAnswerSeconds);
  if (!hosts.ok()) return answer;
  answer.erase("trouble");
  for (const char* const name : {"hosts", "implicit_mx", "trouble"}) {
    if (hosts->contains(name)) answer[name] = (*hosts)[name];
  }
  return answer;
}

}  // namespace

std::string FormatRoute(const json& answer) {
  std::string out;
  const long long number = NumberOf(answer, "number");
  const long long routes = NumberOf(answer, "routes");
  AddRow("route",
         TextOf(answer, "route") + (number > routes ? ", the implicit last one"
                                                    : ", number " + std::to_string(number) +
                                                          " of " + std::to_string(routes)),
         &out);
  if (!answer.value("decided", true)) {
    AddRow("", "unless a route before it takes the message for its header or size, see below",
           &out);
  }
  const std::string action = TextOf(answer, "action");
  if (action == "hold") AddRow("mail is", "held until it is released (outbox release)", &out);
  if (action == "discard") AddRow("mail is", "accepted and discarded", &out);
  if (action == "reject") {
    AddRow("mail is", "refused: 550 5.7.1 " + TextOf(answer, "text"), &out);
  }
  if (action == "send") AddRow("destination", TextOf(answer, "destination"), &out);
  if (const std::string user = TextOf(answer, "user"); !user.empty()) {
    AddRow("as user", user, &out);
  }
  AddHostRows(answer, &out);
  AddSourceRows(answer.value("source", json::object()), &out);
  if (const std::string archive = TextOf(answer, "archive"); !archive.empty()) {
    AddRow("copy to", archive, &out);
  }
  if (action == "send" || action == "hold") {
    const auto notify = answer.find("notify_after");
    AddRow("retry", Retry(answer.value("retry", json::array())), &out);
    AddRow("notify",
           notify != answer.end() && notify->is_number()
               ? "after " + FormatDuration(notify->get<double>())
               : "never",
           &out);
    AddRow("give up", "after " + FormatDuration(answer.value("retry_until", 0.0)), &out);
  }
  const json passed = answer.value("passed", json::array());
  const long long left_out = NumberOf(answer, "passed_left_out");
  if (passed.empty() && left_out == 0) return out;
  out += "\nroutes before it\n";
  for (const json& one : passed) {
    out += "  " + std::to_string(NumberOf(one, "number")) + " " + TextOf(one, "route") + ": " +
           TextOf(one, "why") + "\n";
  }
  if (left_out > 0) out += "  and " + std::to_string(left_out) + " more that do not match\n";
  return out;
}

core::Status RouteTestCommand(ControlClient* client, const json& question, const std::string& file,
                              bool as_json) {
  json answer;
  if (file.empty()) {
    json request = question;
    request["command"] = "route";
    const core::Result<json> got = client->Ask(request, kAnswerSeconds);
    if (!got.ok()) return got.status();
    answer = *got;
  } else {
    RouteQuestion asked;
    for (const auto& [member, value] : question.items()) {
      const core::Status status = ReadRouteMember(member, value, &asked);
      if (!status.ok()) return status;
    }
    const core::Result<json> got = AskFile(client, asked, file);
    if (!got.ok()) return got.status();
    answer = *got;
  }
  const std::string text = as_json ? answer.dump() + "\n" : FormatRoute(answer);
  std::fwrite(text.data(), 1, text.size(), stdout);
  return core::OkStatus();
}

}  // namespace outbox::tools
