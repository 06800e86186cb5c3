// `outbox purge`: shows what would go, asks, and then it goes.
#include <unistd.h>

#include <cstdio>
#include <string>

#include "tools/outbox_census.h"
#include "tools/outbox_commands.h"
#include "tools/outbox_table.h"
#include "tools/outbox_text.h"

namespace outbox::tools {
namespace {

using nlohmann::json;

void AddGroups(const json& preview, const char* list, const char* count, const char* title,
               std::string* out) {
  const json groups = preview.value(list, json::array());
  if (groups.empty()) return;
  out->push_back('\n');
  TextTable table({"RECIPIENTS", "SIZE", title});
  for (size_t column = 0; column < 2; ++column) table.AlignRight(column);
  table.SetOutput(out);
  for (const json& group : groups) {
    const std::string name = Harmless(TextOf(group, "group"));
    table.Add({FormatCount(NumberOf(group, "recipients")),
               FormatBytes(static_cast<double>(NumberOf(group, "bytes"))),
               name.empty() ? "<>" : name});
  }
  table.End();
  const int64_t more = NumberOf(preview, count) - static_cast<int64_t>(groups.size());
  if (more > 0) out->append("and " + FormatCount(more) + " more\n");
}

core::Result<json> AskPreview(ControlClient* client, const json& order) {
  json request = order;
  request["dry_run"] = true;
  return client->Ask(request, kAnswerSeconds);
}

// The answer that was typed begins with y.
bool Confirmed(const json& preview) {
  const int64_t seconds = NumberOf(preview, "undo_seconds");
  const std::string undo =
      seconds > 0 ? "outbox undo takes it back for " + FormatDuration(static_cast<double>(seconds))
                  : "this cannot be undone";
  std::fprintf(stderr, "\nPurge them? (%s) [y/N] ", undo.c_str());
  const int first = std::getchar();
  for (int c = first; c != '\n' && c != EOF;) c = std::getchar();
  return first == 'y' || first == 'Y';
}

}  // namespace

bool CanAsk() { return isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1; }

std::string FormatPreview(const json& preview) {
  const int64_t recipients = NumberOf(preview, "recipients");
  if (recipients == 0) return "nothing in the queue matches\n";
  std::string out =
      Counted(recipients, "recipient", "recipients") + " of " +
      Counted(NumberOf(preview, "messages"), "message", "messages") + ", " +
      FormatBytes(static_cast<double>(NumberOf(preview, "bytes"))) + "; the oldest is " +
      FormatDuration(static_cast<double>(NumberOf(preview, "oldest_seconds"))) + " old\n";
  if (const int64_t sending = NumberOf(preview, "sending"); sending > 0) {
    out += FormatCount(sending) +
           " of them being sent at this moment: who is delivered by that stays delivered\n";
  }
  AddGroups(preview, "senders", "sender_count", "SENDER", &out);
  AddGroups(preview, "domains", "domain_count", "DOMAIN", &out);
  return out;
}

core::Status PurgeCommand(ControlClient* client, const PurgeRequest& request, bool as_json) {
  json order = request.filter;
  if (!request.reason.empty()) order["reason"] = request.reason;
  if (request.now) order["now"] = true;
  if (request.dry_run || !request.yes) {
    order["command"] = "purge";
    const core::Result<json> preview = AskPreview(client, order);
    if (!preview.ok()) return preview.status();
    const std::string text = as_json ? preview->dump() + "\n" : FormatPreview(*preview);
    std::fwrite(text.data(), 1, text.size(), stdout);
    PrintGaps(*preview);
    if (NumberOf(*preview, "recipients") == 0) {
      return core::Status(core::StatusCode::kNotFound, as_json ? "nothing matches" : "");
    }
    if (request.dry_run) return core::OkStatus();
    std::fflush(stdout);
    if (!Confirmed(*preview)) {
      return core::Status(core::StatusCode::kNotFound, "nothing was purged");
    }
  }
  return ActCommand(client, "purge", order, as_json);
}

}  // namespace outbox::tools
