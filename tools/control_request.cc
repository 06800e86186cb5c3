#include "tools/control_request.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <string_view>

#include "core/domain_name.h"
#include "core/idna.h"
#include "core/limits.h"
#include "core/time.h"
#include "queue/message_id.h"
#include "tools/route_order_request.h"

namespace outbox::tools {
namespace {

using nlohmann::json;

// What a command takes besides "command".
enum Members : uint32_t {
  kNothing = 0,
  kId = 1,
  kFilter = 2,  // state, domain, sender, ...: see ReadFilter
  kAll = 4,
  kDomain = 8,
  kView = 16,  // columns, sort, descending, limit, count, by
  kRecipient = 32,
  kTalk = 64,       // host, reply, since, until, failed, limit
  kRoute = 128,     // sender, recipient, source, header, size; or destination
  kOrder = 256,     // dry_run
  kEnvelope = 512,  // to, from, via, via_route
  kSuspend = 1024,  // domain or site, all, for, reason
  kLimit = 2048,
  kReason = 4096,
  kPurge = 8192,  // now, dry_run
};

struct CommandInfo {
  const char* name;
  ControlCommand command;
  uint32_t members;
};

constexpr CommandInfo kCommands[] = {
    {"stats", ControlCommand::kStats, kNothing},
    {"queue", ControlCommand::kQueue, kId | kFilter | kView},
    {"why", ControlCommand::kWhy, kId | kDomain | kRecipient},
    {"retry", ControlCommand::kRetry, kId | kFilter | kAll},
    {"remove", ControlCommand::kRemove, kId | kFilter | kAll | kReason},
    {"hold", ControlCommand::kHold, kId | kFilter | kAll},
    {"release", ControlCommand::kRelease, kId | kFilter | kAll},
    {"clear", ControlCommand::kClear, kId | kFilter | kAll | kOrder},
    {"reroute", ControlCommand::kReroute, kId | kFilter | kAll | kOrder | kEnvelope},
    {"purge", ControlCommand::kPurge, kId | kFilter | kAll | kReason | kPurge},
    {"undo", ControlCommand::kUndo, kId | kFilter | kAll | kReason},
    {"bounce", ControlCommand::kBounce, kId | kFilter | kAll | kReason},
    {"route", ControlCommand::kRoute, kRoute},
    {"reload", ControlCommand::kReload, kNothing},
    {"log", ControlCommand::kLog, kId | kDomain},
    {"talk", ControlCommand::kTalk, kId | kDomain | kTalk},
    {"report", ControlCommand::kReport, kNothing},
    {"suspend", ControlCommand::kSuspend, kSuspend},
    {"resume", ControlCommand::kResume, kSuspend},
    {"suspended", ControlCommand::kSuspended, kNothing},
    {"sites", ControlCommand::kSites, kLimit},
    {"stop", ControlCommand::kStop, kNothing},
};

// A pattern or a word longer than this is no address.
constexpr size_t kTextBytes = 1024;
constexpr double kSecondsMax = 100.0 * 365 * 86400;
constexpr double kUnixSecondsMax = 4102444800;  // the year 2100

core::Status Bad(std::string what) {
  return core::Status(core::StatusCode::kInvalidArgument, std::move(what));
}

core::Status Expected(std::string_view member, const char* what) {
  return Bad("\"" + std::string(member) + "\": expected " + what);
}

// A string that is neither empty nor too long.
const std::string* TextOf(const json& value) {
  const auto* const text = value.get_ptr<const json::string_t*>();
  return text == nullptr || text->empty() || text->size() > kTextBytes ? nullptr : text;
}

std::optional<uint64_t> WholeNumber(const json& value) {
  if (value.is_number_unsigned()) return value.get<uint64_t>();
  const bool whole = value.is_number_integer() && value.get<int64_t>() >= 0;
  return whole ? std::optional<uint64_t>(value.get<uint64_t>()) : std::nullopt;
}

class Parser {
 public:
  explicit Parser(uint32_t members) : members_(members) {}

  core::Status Read(const json& request, ControlRequest* out) {
    for (const auto& [member, value] : request.items()) {
      if (member == "command") continue;
      const core::Status status = ReadMember(member, value, out);
      if (!status.ok()) return status;
    }
    if (Takes(kOrder)) {
      const core::Status order = FinishRouteOrder(!Takes(kEnvelope), &out->order);
      if (!order.ok()) return order;
    }
    const core::Status status = Check(*out);
    // What has been purged before is meant as well where everything goes at once.
    const bool at_once = out->command == ControlCommand::kRemove ||
                         (out->command == ControlCommand::kPurge && out->now);
    if (at_once && !states_given_) out->filter.states = queue::kAllStates;
    return status;
  }

 private:
  core::Status ReadMember(const std::string& member, const json& value, ControlRequest* out) {
    if (member == "id" && Takes(kId)) return ReadId(value, &out->filter);
    if (member == "all" && Takes(kAll)) {
      all_ = value == true;
      return all_ ? core::OkStatus() : Expected(member, "true");
    }
    if (Takes(kSuspend)) return ReadSuspendMember(member, value, &out->suspend);
    if (Takes(kRoute)) return ReadRouteMember(member, value, &out->route);
    if (member == "reason" && Takes(kReason)) return ReadReason(value, &out->reason);
    if ((member == "now" || member == "dry_run") && Takes(kPurge)) {
      if (!value.is_boolean()) return Expected(member, "true or false");
      (member == "now" ? out->now : out->dry_run) = value.get<bool>();
      return core::OkStatus();
    }
    if (member == "domain" && Takes(kDomain)) return ReadDomain(value, &out->domain);
    if (member == "recipient" && Takes(kRecipient)) return ReadAddress(value, &out->filter);
    std::optional<core::Status> read;
    if (Takes(kFilter)) read = ReadFilter(member, value, &out->filter);
    if (!read.has_value() && Takes(kView)) read = ReadView(member, value, out);
    if (!read.has_value() && Takes(kOrder)) {
      read = ReadRouteOrder(member, value, Takes(kEnvelope), &out->order);
    }
    if (member == "limit" && Takes(kLimit)) read = ReadView(member, value, out);
    if (!read.has_value() && Takes(kTalk)) read = ReadTalk(member, value, &out->talk);
    return read.has_value() ? *read : Bad("unknown member \"" + member.substr(0, 64) + "\"");
  }

  // Nothing: it is no member of a filter.
  std::optional<core::Status> ReadFilter(const std::string& member, const json& value,
                                         queue::QueueFilter* filter) {
    if (std::string* const pattern = PatternOf(member, filter)) {
      const std::string* const text = TextOf(value);
      if (text == nullptr) return Expected(member, "a pattern of 1 to 1024 bytes");
      *pattern = member == "domain"                            ? queue::DomainPattern(*text)
                 : member == "sender" || member == "recipient" ? queue::AddressPattern(*text)
                                                               : *text;
      return core::OkStatus();
    }
    if (member == "state") return ReadStates(value, filter);
    if (member == "older_than") return ReadSeconds(member, value, &filter->age_min_ns);
    if (member == "younger_than") return ReadSeconds(member, value, &filter->age_max_ns);
    if (member == "size_over") return ReadBytes(member, value, &filter->size_min);
    if (member == "size_under") return ReadBytes(member, value, &filter->size_max);
    return std::nullopt;
  }

  std::optional<core::Status> ReadView(const std::string& member, const json& value,
                                       ControlRequest* out) {
    if (member == "columns") return ReadColumns(value, &out->columns);
    if (member == "sort") return ReadColumn(member, value, /*groups=*/false, &out->sort);
    if (member == "by") return ReadColumn(member, value, /*groups=*/true, &out->by);
    if (member == "descending" || member == "count") {
      if (!value.is_boolean()) return Expected(member, "true or false");
      (member == "count" ? out->count : out->descending) = value.get<bool>();
      return core::OkStatus();
    }
    if (member == "limit") {
      const std::optional<uint64_t> number = WholeNumber(value);
      if (number.value_or(0) == 0 || *number > UINT32_MAX) {
        return Expected(member, "a whole number from 1 on");
      }
      out->limit = static_cast<uint32_t>(*number);
      return core::OkStatus();
    }
    return std::nullopt;
  }

  core::Status ReadColumn(const std::string& member, const json& value, bool groups,
                          std::optional<queue::QueueColumn>* column) {
    const std::string* const text = TextOf(value);
    const auto found = text == nullptr ? std::nullopt : queue::ParseQueueColumn(*text);
    if (found.has_value() && (!groups || queue::InfoOf(*found).groups)) {
      *column = *found;
      return core::OkStatus();
    }
    std::string known = "\"" + member + "\": expected one of";
    for (const queue::QueueColumnInfo& info : queue::QueueColumnTable()) {
      if (!groups || info.groups) known += std::string(" ") + info.name;
    }
    return Bad(known);
  }

  core::Status ReadColumns(const json& value, queue::QueueColumns* columns) {
    if (!value.is_array() || value.empty()) return Expected("columns", "an array of columns");
    *columns = 0;
    for (const json& one : value) {
      std::optional<queue::QueueColumn> column;
      const core::Status status = ReadColumn("columns", one, /*groups=*/false, &column);
      if (!status.ok()) return status;
      *columns = static_cast<queue::QueueColumns>(*columns | queue::ColumnBit(*column));
    }
    return core::OkStatus();
  }

  core::Status ReadBytes(const std::string& member, const json& value, uint64_t* bytes) {
    const std::optional<uint64_t> number = WholeNumber(value);
    if (!number.has_value()) return Expected(member, "bytes, a whole number from 0 on");
    *bytes = *number;
    return core::OkStatus();
  }

  core::Status ReadAddress(const json& value, queue::QueueFilter* filter) {
    const std::string* const text = TextOf(value);
    if (text == nullptr || queue::DomainOf(*text).empty() || text->front() == '@') {
      return Expected("recipient", "an address, for example \"bob@example.net\"");
    }
    filter->recipient = queue::AddressPattern(*text);
    return core::OkStatus();
  }

  // Nothing: it is no member of `talk`.
  static std::optional<core::Status> ReadTalk(const std::string& member, const json& value,
                                              TalkFilter* talk) {
    if (member == "host" || member == "reply") {
      const std::string* const text = TextOf(value);
      if (text == nullptr) return Expected(member, "a text of 1 to 1024 bytes");
      (member == "host" ? talk->host : talk->reply) = core::ToLower(*text);
      return core::OkStatus();
    }
    if (member == "since" || member == "until") {
      if (!value.is_number() || value.get<double>() < 0 || value.get<double>() > kUnixSecondsMax) {
        return Expected(member, "Unix time, seconds");
      }
      const int64_t ms = static_cast<int64_t>(value.get<double>() * 1000);
      (member == "since" ? talk->since_ms : talk->until_ms) = ms;
      return core::OkStatus();
    }
    if (member == "failed") {
      talk->failed = value == true;
      return talk->failed ? core::OkStatus() : Expected(member, "true");
    }
    if (member != "limit") return std::nullopt;
    if (!value.is_number_unsigned() || value.get<uint64_t>() < 1 ||
        value.get<uint64_t>() > kTalksMax) {
      return Expected(member, "a number from 1 to 10000");
    }
    talk->limit = value.get<uint32_t>();
    return core::OkStatus();
  }

  core::Status ReadId(const json& value, queue::QueueFilter* filter) {
    const std::string* const text = TextOf(value);
    const std::optional<uint64_t> id =
        text == nullptr ? std::nullopt : queue::ParseMessageId(*text);
    if (!id.has_value() || *id == 0) return Expected("id", "a message id of 13 characters");
    filter->id = *id;
    return core::OkStatus();
  }

  // It comes to stand in a line of the log, and in what a sender reads.
  core::Status ReadReason(const json& value, std::string* reason) {
    const std::string* const text = TextOf(value);
    const auto control = [](char c) { return (c >= 0 && c < ' ') || c == 0x7f; };
    if (text == nullptr || text->size() > core::kOrderReasonBytes ||
        std::any_of(text->begin(), text->end(), control)) {
      return Expected(
          "reason",
          ("one line of 1 to " + std::to_string(core::kOrderReasonBytes) + " bytes").c_str());
    }
    *reason = *text;
    return core::OkStatus();
  }

  core::Status ReadDomain(const json& value, std::string* domain) {
    const std::string* const text = TextOf(value);
    if (text == nullptr) return Expected("domain", "a domain");
    *domain = core::DomainKey(*text);
    if (core::IsDomainName(*domain) || core::IsAddressLiteral(*text)) return core::OkStatus();
    return Expected("domain",
                    core::WithIdnaReason("a domain, for example \"example.net\"", *text).c_str());
  }

  core::Status ReadStates(const json& value, queue::QueueFilter* filter) {
    const json list = value.is_array() ? value : json::array({value});
    filter->states = 0;
    states_given_ = true;
    for (const json& one : list) {
      const std::string* const text = TextOf(one);
      const auto state = text == nullptr ? std::nullopt : queue::ParseRecipientState(*text);
      if (!state.has_value()) {
        std::string known = "\"state\": expected one of";
        for (const queue::RecipientStateInfo& info : queue::RecipientStateTable()) {
          known += std::string(" ") + info.name;
        }
        return Bad(known);
      }
      filter->states = static_cast<queue::StateBits>(filter->states | queue::StateBit(*state));
    }
    return filter->states != 0 ? core::OkStatus() : Expected("state", "at least one");
  }

  core::Status ReadSeconds(const std::string& member, const json& value, int64_t* ns) {
    if (value.is_number()) {
      const double seconds = value.get<double>();
      if (seconds >= 0 && seconds <= kSecondsMax) {
        *ns = static_cast<int64_t>(seconds * static_cast<double>(core::kNsPerSecond));
        return core::OkStatus();
      }
    }
    return Expected(member, "seconds, a number from 0 on");
  }

  static std::string* PatternOf(const std::string& member, queue::QueueFilter* filter) {
    if (member == "domain") return &filter->domain;
    if (member == "sender") return &filter->sender;
    if (member == "recipient") return &filter->recipient;
    if (member == "mailhost") return &filter->mailhost;
    if (member == "route") return &filter->route;
    if (member == "source") return &filter->source;
    if (member == "reply") return &filter->reply;
    return nullptr;
  }

  // What changes mail must say which mail.
  core::Status Check(const ControlRequest& request) const {
    const bool something = !request.filter.empty();
    switch (request.command) {
      case ControlCommand::kRetry:
      case ControlCommand::kRemove:
      case ControlCommand::kHold:
      case ControlCommand::kRelease:
      case ControlCommand::kClear:
      case ControlCommand::kReroute:
      case ControlCommand::kPurge:
      case ControlCommand::kUndo:
      case ControlCommand::kBounce:
        if (something == all_) return Bad("expected either a filter or \"all\": true");
        return CheckOrder(request);
      case ControlCommand::kRoute:
        return CheckRouteQuestion(request.route);
      case ControlCommand::kSuspend:
      case ControlCommand::kResume:
        return CheckSuspendRequest(request.suspend, request.command == ControlCommand::kResume);
      case ControlCommand::kWhy:
        if ((request.filter.id != 0) + !request.filter.recipient.empty() +
                !request.domain.empty() !=
            1) {
          return Bad("expected one of \"id\", \"recipient\" and \"domain\"");
        }
        return core::OkStatus();
      case ControlCommand::kQueue:
        return CheckView(request);
      default:
        return core::OkStatus();
    }
  }

  core::Status CheckOrder(const ControlRequest& request) const {
    const bool purged = states_given_ && (request.filter.states &
                                          queue::StateBit(queue::RecipientState::kPurged)) != 0;
    switch (request.command) {
      case ControlCommand::kRemove:
        return core::OkStatus();
      case ControlCommand::kUndo:
        return states_given_ ? Bad("\"state\": not here: what is purged is taken back")
                             : core::OkStatus();
      case ControlCommand::kPurge:
        return purged && !request.now && !request.dry_run
                   ? Bad("\"state\": purged already; expected \"now\": true with it")
                   : core::OkStatus();
      case ControlCommand::kBounce:
        if (request.reason.empty()) return Expected("reason", "a text, which the sender reads");
        // The notice is ASCII (RFC 3464).
        if (!std::all_of(request.reason.begin(), request.reason.end(),
                         [](char c) { return c >= ' ' && c <= '~'; })) {
          return Expected("reason", "a text without accents or umlauts, which the sender reads");
        }
        break;
      default:
        break;
    }
    return purged ? Bad("\"state\": what is purged must be taken back first, by \"undo\"")
                  : core::OkStatus();
  }

  static core::Status CheckView(const ControlRequest& request) {
    const bool census = request.count || request.by.has_value();
    if (census && request.sort.has_value()) return Bad("\"sort\": not with \"count\" or \"by\"");
    if (request.descending && !request.sort.has_value()) {
      return Bad("\"descending\": expected together with \"sort\"");
    }
    const uint32_t most = request.by.has_value()     ? core::kQueueGroupsShownMax
                          : request.sort.has_value() ? core::kSortedLinesMax
                                                     : UINT32_MAX;
    if (request.limit > most) return Expected("limit", ("at most " + std::to_string(most)).c_str());
    return core::OkStatus();
  }

  bool Takes(uint32_t members) const { return (members_ & members) != 0; }

  const uint32_t members_;
  bool all_ = false;
  bool states_given_ = false;
};

}  // namespace

core::Result<ControlRequest> ParseControlRequest(const json& request) {
  const auto found = request.find("command");
  const std::string* const name = found == request.end() ? nullptr : TextOf(*found);
  const auto* const info =
      std::find_if(std::begin(kCommands), std::end(kCommands),
                   [name](const CommandInfo& one) { return name != nullptr && *name == one.name; });
  if (info == std::end(kCommands)) {
    std::string known;
    for (const CommandInfo& one : kCommands) known += std::string(" ") + one.name;
    const std::string given = name == nullptr ? "" : " \"" + name->substr(0, 64) + "\"";
    return Bad("unknown command" + given + "; known are" + known);
  }
  ControlRequest out;
  out.command = info->command;
  const core::Status status = Parser(info->members).Read(request, &out);
  if (!status.ok()) return status;
  if (out.filter.id != 0) out.talk.id = queue::FormatMessageId(out.filter.id);
  out.talk.domain = out.domain;
  return out;
}

bool IsForStatsSocket(ControlCommand command) { return command == ControlCommand::kStats; }

}  // namespace outbox::tools
