// What the daemon is asked, of what was typed behind `outbox`.
#include <algorithm>
#include <ctime>
#include <string>

#include "core/byte_size.h"
#include "core/duration.h"
#include "core/idna.h"
#include "core/time.h"
#include "queue/address_match.h"
#include "tools/moment.h"
#include "tools/outbox_options.h"

namespace outbox::tools {
namespace {

constexpr uint32_t kTalksShown = 20;
constexpr uint32_t kReportRows = 100;
constexpr size_t kIdCharacters = 13;

bool IsIdText(const std::string& text) {
  return text.find_first_not_of(
             "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
             "abcdefghjkmnpqrstvwxyz") == std::string::npos;
}

}  // namespace

bool IsId(const std::string& text) { return text.size() == kIdCharacters && IsIdText(text); }

core::Result<int64_t> MomentOf(const std::string& text) {
  std::timespec now = {};
  std::timespec_get(&now, TIME_UTC);
  return ParseMoment(text, now.tv_sec * core::kNsPerSecond + now.tv_nsec);
}

nlohmann::json FilterOf(const Arguments& arguments) {
  nlohmann::json filter = nlohmann::json::object();
  if (arguments.all) filter["all"] = true;
  if (!arguments.states.empty()) filter["state"] = arguments.states;
  for (const auto& [name, text] :
       {std::pair("id", &arguments.target), std::pair("domain", &arguments.domain),
        std::pair("sender", &arguments.sender), std::pair("recipient", &arguments.recipient),
        std::pair("mailhost", &arguments.mailhost), std::pair("source", &arguments.send_from),
        std::pair("route", &arguments.route), std::pair("reply", &arguments.reply)}) {
    if (!text->empty()) filter[name] = *text;
  }
  for (const auto& [name, text] : {std::pair("older_than", &arguments.older_than),
                                   std::pair("younger_than", &arguments.younger_than)}) {
    if (text->empty()) continue;
    const core::Result<int64_t> ns = core::ParseDuration(*text);
    if (ns.ok()) filter[name] = static_cast<double>(*ns) / 1e9;
  }
  for (const auto& [name, text] : {std::pair("size_over", &arguments.size_over),
                                   std::pair("size_under", &arguments.size_under)}) {
    if (text->empty()) continue;
    const core::Result<uint64_t> bytes = core::ParseByteSize(*text);
    if (bytes.ok()) filter[name] = *bytes;
  }
  return filter;
}

// A message's id has no dot; a domain has one, or is a literal, or one word that begins with a
// letter. Ids begin with a digit.
core::Result<nlohmann::json> WhyTarget(const std::string& target) {
  if (target.find('@') != std::string::npos) return nlohmann::json{{"recipient", target}};
  if (!IsIdText(target)) return nlohmann::json{{"domain", target}};
  if (target.size() == kIdCharacters) return nlohmann::json{{"id", target}};
  if (target.empty() || target[0] < '0' || target[0] > '9') {
    return nlohmann::json{{"domain", target}};
  }
  return core::Status(core::StatusCode::kInvalidArgument,
                      "\"" + target + "\": a message id has " + std::to_string(kIdCharacters) +
                          " characters, and this has " + std::to_string(target.size()));
}

nlohmann::json TalkTarget(const Arguments& arguments) {
  nlohmann::json filter = {{"limit", arguments.limit == 0 ? kTalksShown : arguments.limit}};
  if (!arguments.target.empty()) filter["id"] = arguments.target;
  if (!arguments.domain.empty()) filter["domain"] = arguments.domain;
  if (!arguments.host.empty()) filter["host"] = arguments.host;
  if (!arguments.reply.empty()) filter["reply"] = arguments.reply;
  if (arguments.failed) filter["failed"] = true;
  for (const auto& [name, text] :
       {std::pair("since", &arguments.since), std::pair("until", &arguments.until)}) {
    if (text->empty()) continue;
    const core::Result<int64_t> moment = MomentOf(*text);
    if (moment.ok()) filter[name] = static_cast<double>(*moment) / 1e9;
  }
  return filter;
}

nlohmann::json SuspendTarget(const Arguments& arguments) {
  nlohmann::json what = nlohmann::json::object();
  if (!arguments.domain.empty()) what["domain"] = arguments.domain;
  if (!arguments.site.empty()) what["site"] = arguments.site;
  if (arguments.all) what["all"] = true;
  if (!arguments.reason.empty()) what["reason"] = arguments.reason;
  if (const core::Result<int64_t> ns = core::ParseDuration(arguments.duration); ns.ok()) {
    what["for"] = static_cast<double>(*ns) / 1e9;
  }
  return what;
}

nlohmann::json RouteQuestionOf(const Arguments& arguments) {
  nlohmann::json question = {{"sender", arguments.sender.empty() ? "<>" : arguments.sender},
                             {"recipient", arguments.recipient}};
  if (!arguments.source.empty()) question["source"] = arguments.source;
  if (!arguments.headers.empty()) question["header"] = arguments.headers;
  if (const core::Result<uint64_t> size = core::ParseByteSize(arguments.size); size.ok()) {
    question["size"] = *size;
  }
  return question;
}

ReportRequest ReportTarget(const Arguments& arguments) {
  ReportRequest request;
  request.files = arguments.logs;
  ReportFilter& filter = request.filter;
  filter.id = arguments.target;
  std::transform(filter.id.begin(), filter.id.end(), filter.id.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  filter.domain = core::DomainKey(arguments.domain);
  filter.sender = queue::AddressPattern(arguments.sender);
  filter.recipient = queue::AddressPattern(arguments.recipient);
  filter.failed = arguments.failed;
  request.by_domain = arguments.domains;
  request.json = arguments.json;
  request.limit = arguments.limit == 0 ? kReportRows : arguments.limit;
  if (!arguments.since.empty()) filter.since_ns = *MomentOf(arguments.since);
  if (!arguments.until.empty()) filter.until_ns = *MomentOf(arguments.until);
  return request;
}

}  // namespace outbox::tools
