// What `outbox clear` and `outbox reroute` say.
#include <string>

#include "tools/outbox_commands.h"
#include "tools/outbox_text.h"

namespace outbox::tools {
namespace {

std::string Of(const nlohmann::json& line, const char* member) {
  return Counted(NumberOf(line, member), "recipient", "recipients");
}

}  // namespace

std::string RedirectText(const std::string& command, bool dry_run, const nlohmann::json& line) {
  const int64_t found = NumberOf(line, "found");
  const int64_t unreadable = NumberOf(line, "unreadable");
  if (found == 0 && unreadable == 0) return "nothing in the queue matches\n";
  if (dry_run) return Of(line, "found") + (found == 1 ? " matches" : " match") + "; nothing done\n";
  std::string text = Of(line, "done");
  text += command == "clear" ? " routed by the routes of today, and going now" : " re-routed";
  if (NumberOf(line, "made") > 0) text += "; in their place " + Of(line, "made");
  if (const int64_t kept = NumberOf(line, "kept"); kept > 0) {
    text +=
        "; " + std::to_string(kept) + " had come to their end before, or another order has them";
  }
  if (const int64_t failed = NumberOf(line, "failed"); failed > 0) {
    text += "; " + std::to_string(failed) + " stay as they were (see the log)";
  }
  if (unreadable > 0) {
    text += "; " + std::to_string(unreadable) + " cannot be read from the spool (see the log)";
  }
  if (const int64_t waiting = NumberOf(line, "waiting"); waiting > 0) {
    text += "; " + std::to_string(waiting) + " as they were, since outboxd stops";
  }
  return text + "\n";
}

}  // namespace outbox::tools
