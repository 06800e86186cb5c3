#include "tools/suspend_request.h"

#include <algorithm>
#include <utility>

#include "core/config_rules.h"
#include "core/idna.h"
#include "core/limits.h"
#include "core/time.h"

namespace outbox::tools {
namespace {

using nlohmann::json;

constexpr size_t kNameBytes = 1024;
constexpr double kLongestSeconds = 10.0 * 365 * 86400;

core::Status NotGood(std::string what) {
  return core::Status(core::StatusCode::kInvalidArgument, std::move(what));
}

bool IsPrintable(const std::string& text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return (c >= 0 && c < ' ') || c == 127; });
}

}  // namespace

core::Status ReadSuspendMember(const std::string& member, const json& value,
                               SuspendRequest* request) {
  const std::string text = value.is_string() ? value.get<std::string>() : std::string();
  if (member == "domain" || member == "site") {
    const std::string pattern = core::DomainKey(text);
    request->site = member == "site";
    if (!request->name.empty()) return NotGood("expected one of \"domain\" and \"site\"");
    if (!request->site && !core::IsRoutePattern(pattern)) {
      return NotGood("\"domain\": expected \"example.net\", \"*.example.net\" or \"*\"");
    }
    if (request->site && (text.empty() || text.size() > kNameBytes || !IsPrintable(text))) {
      return NotGood("\"site\": expected the name of a site");
    }
    request->name = request->site ? text : pattern;
  } else if (member == "all") {
    if (value != true) return NotGood("\"all\": expected true");
    request->all = true;
  } else if (member == "for") {
    if (!value.is_number() || value.get<double>() < 1 || value.get<double>() > kLongestSeconds) {
      return NotGood("\"for\": expected seconds, a number from 1 on");
    }
    request->for_ns =
        static_cast<int64_t>(value.get<double>() * static_cast<double>(core::kNsPerSecond));
  } else if (member == "reason") {
    if (!value.is_string() || text.size() > core::kSuspensionReasonBytes || !IsPrintable(text)) {
      return NotGood("\"reason\": expected a line of at most " +
                     std::to_string(core::kSuspensionReasonBytes) + " bytes");
    }
    request->reason = text;
  } else {
    return NotGood("unknown member \"" + member.substr(0, 64) + "\"");
  }
  return core::OkStatus();
}

core::Status CheckSuspendRequest(const SuspendRequest& request, bool resume) {
  if (!resume && request.all) {
    return NotGood("\"all\": not with \"suspend\"; \"domain\": \"*\" is all");
  }
  if (resume && (request.for_ns != 0 || !request.reason.empty())) {
    return NotGood("\"for\", \"reason\": not with \"resume\"");
  }
  if (request.name.empty() == request.all) return core::OkStatus();
  return NotGood(resume ? "expected one of \"domain\", \"site\" and \"all\": true"
                        : "expected one of \"domain\" and \"site\"");
}

json SuspensionJson(const queue::Suspension& suspension) {
  json out = {{suspension.site ? "site" : "domain", suspension.name},
              {"since", suspension.since_wall_ns / core::kNsPerSecond},
              {"until", suspension.until_wall_ns == 0
                            ? json(nullptr)
                            : json(suspension.until_wall_ns / core::kNsPerSecond)},
              {"by", suspension.by},
              {"reason", suspension.reason}};
  return out;
}

}  // namespace outbox::tools
