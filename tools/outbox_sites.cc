// `outbox sites`.
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <string>
#include <vector>

#include "tools/outbox_commands.h"
#include "tools/outbox_table.h"
#include "tools/outbox_text.h"

namespace outbox::tools {
namespace {

using nlohmann::json;

// "3/20", or "1/20 (2)" while no more than two may be opened.
std::string ConnectionsText(const json& site) {
  const int64_t window = NumberOf(site, "window");
  std::string text = std::to_string(NumberOf(site, "connections")) + "/" +
                     std::to_string(NumberOf(site, "max_connections"));
  if (window > 0) text += " (" + std::to_string(window) + ")";
  return text;
}

std::string RateText(const json& site) {
  const std::string configured = TextOf(site, "max_rate");
  const std::string now = TextOf(site, "rate_now");
  if (now.empty()) return configured.empty() ? "-" : configured;
  return now + (configured.empty() ? "" : " of " + configured);
}

std::string StateText(const json& site, int64_t now) {
  std::string text = TextOf(site, "state");
  const int64_t until = NumberOf(site, "until");
  if (until > now) text += ", " + FormatDuration(static_cast<double>(until - now)) + " more";
  return text;
}

// Who is to blame for the state.
std::string WhySite(const json& site) {
  if (const auto found = site.find("suspension"); found != site.end()) {
    const std::string reason = TextOf(*found, "reason");
    return "by " + TextOf(*found, "by") + (reason.empty() ? "" : ": " + reason);
  }
  const std::string reply = TextOf(site, "reply");
  if (!reply.empty()) return TextOf(site, "mailhost") + " said: " + reply;
  if (const int64_t domains = NumberOf(site, "suspended_destinations"); domains > 0) {
    return Counted(domains, "destination is", "destinations are") + " suspended: outbox suspended";
  }
  const int64_t failures = NumberOf(site, "failures");
  if (TextOf(site, "state") != "backoff" || failures == 0) return "";
  return Counted(failures, "failure", "failures") + " in a row: outbox why ID has the last one";
}

}  // namespace

std::string FormatSites(const std::vector<json>& sites, const json& end, int64_t now) {
  if (sites.empty()) return "no mail goes anywhere at this moment\n";
  std::string out;
  TextTable table({"SITE", "DESTINATIONS", "READY", "SENDING", "CONNECTIONS", "RATE", "STATE",
                   "WHY"});
  for (const size_t column : {1, 2, 3}) table.AlignRight(column);
  table.SetOutput(&out);
  for (const json& site : sites) {
    const std::string source = TextOf(site, "source");
    const std::string name = TextOf(site, "site") + (source.empty() ? "" : "@" + source);
    table.Add({Harmless(name), FormatCount(NumberOf(site, "destinations")),
               FormatCount(NumberOf(site, "ready")), FormatCount(NumberOf(site, "sending")),
               ConnectionsText(site), RateText(site), StateText(site, now),
               Harmless(WhySite(site))});
  }
  table.End();
  if (const int64_t more = NumberOf(end, "more"); more > 0) {
    out += Counted(more, "more site", "more sites") + ": --limit\n";
  }
  return out;
}

core::Status SitesCommand(ControlClient* client, uint32_t limit, bool as_json) {
  json request = {{"command", "sites"}};
  if (limit > 0) request["limit"] = limit;
  const core::Status sent = client->Send(request);
  if (!sent.ok()) return sent;
  std::vector<json> sites;
  for (;;) {
    core::Result<json> line = client->Receive(kAnswerSeconds);
    if (!line.ok()) return line.status();
    if (line->contains("end")) {
      if (!as_json) std::fputs(FormatSites(sites, *line, std::time(nullptr)).c_str(), stdout);
      return core::OkStatus();
    }
    if (as_json) {
      std::printf("%s\n", line->dump().c_str());
    } else {
      sites.push_back(std::move(*line));
    }
  }
}

}  // namespace outbox::tools
