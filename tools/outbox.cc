// outbox: the operator's command. Speaks to a running outboxd through its control socket.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <string>
#include <vector>

#include "core/domain_name.h"
#include "core/byte_size.h"
#include "core/duration.h"
#include "core/time.h"
#include "tools/control_client.h"
#include "tools/doctor/doctor_command.h"
#include "tools/moment.h"
#include "tools/outbox_commands.h"

namespace outbox::tools {
namespace {

// docs/operations.md lists these.
enum ExitCode { kExitOk = 0, kExitFailure = 1, kExitUsage = 2, kExitUnreachable = 3 };

constexpr const char* kActs[] = {"retry", "remove", "hold", "release"};

struct Arguments {
  std::string control = "/run/outbox/control.sock";
  bool json = false;
  int wait_seconds = 60;
  // What mail is meant.
  std::string target;  // a message's id, or a domain where one is allowed
  bool all = false;
  bool follow = false;
  std::vector<std::string> states;
  std::string domain;
  std::string sender;
  std::string recipient;
  std::string mailhost;
  std::string older_than;
  std::string younger_than;
  DoctorArguments doctor;
  // talk
  std::string host;
  std::string since;
  std::string until;
  std::string reply;
  bool failed = false;
  uint32_t limit = 0;  // the command's own
  // report
  bool domains = false;
  std::vector<std::string> logs;
  // Of a message that is not sent (route test); `sender` and `recipient` as well.
  std::string source;
  std::vector<std::string> headers;
  std::string size;
  std::string config_file;
};

constexpr uint32_t kTalksShown = 20;
constexpr uint32_t kReportRows = 100;

int64_t WallNow() {
  std::timespec now = {};
  std::timespec_get(&now, TIME_UTC);
  return now.tv_sec * core::kNsPerSecond + now.tv_nsec;
}

// A message's id has no dot, a domain has one or is a literal; "localhost" is no id either.
bool IsId(const std::string& text) {
  return text.size() == 13 && text.find_first_not_of(
                                  "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
                                  "abcdefghjkmnpqrstvwxyz") == std::string::npos;
}

// The members of a request that say which mail is meant.
nlohmann::json Filter(const Arguments& arguments) {
  nlohmann::json filter = nlohmann::json::object();
  if (!arguments.target.empty()) filter["id"] = arguments.target;
  if (arguments.all) filter["all"] = true;
  if (!arguments.states.empty()) filter["state"] = arguments.states;
  if (!arguments.domain.empty()) filter["domain"] = arguments.domain;
  if (!arguments.sender.empty()) filter["sender"] = arguments.sender;
  if (!arguments.recipient.empty()) filter["recipient"] = arguments.recipient;
  if (!arguments.mailhost.empty()) filter["mailhost"] = arguments.mailhost;
  for (const auto& [name, text] : {std::pair("older_than", &arguments.older_than),
                                   std::pair("younger_than", &arguments.younger_than)}) {
    if (text->empty()) continue;
    const core::Result<int64_t> ns = core::ParseDuration(*text);
    if (ns.ok()) filter[name] = static_cast<double>(*ns) / 1e9;
  }
  return filter;
}

// The members of a request that say which dialogues are meant.
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
    const core::Result<int64_t> moment = ParseMoment(*text, WallNow());
    if (moment.ok()) filter[name] = static_cast<double>(*moment) / 1e9;
  }
  return filter;
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

nlohmann::json WhyTarget(const Arguments& arguments) {
  return {{IsId(arguments.target) ? "id" : "domain", arguments.target}};
}

ReportRequest ReportTarget(const Arguments& arguments) {
  ReportRequest request;
  request.files = arguments.logs;
  request.id = arguments.target;
  std::transform(request.id.begin(), request.id.end(), request.id.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  });
  request.domain = core::ToLower(arguments.domain);
  request.failed = arguments.failed;
  request.by_domain = arguments.domains;
  request.json = arguments.json;
  request.limit = arguments.limit == 0 ? kReportRows : arguments.limit;
  if (!arguments.since.empty()) request.since_ns = *ParseMoment(arguments.since, WallNow());
  if (!arguments.until.empty()) request.until_ns = *ParseMoment(arguments.until, WallNow());
  return request;
}

int Report(const core::Status& status) {
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) return kExitFailure;
  if (status.ok()) return kExitOk;
  if (!status.message().empty()) std::fprintf(stderr, "outbox: %s\n", status.message().c_str());
  return status.code() == core::StatusCode::kUnavailable ? kExitUnreachable : kExitFailure;
}

int Run(const CLI::App& app, const Arguments& arguments) {
  ReportRequest report = ReportTarget(arguments);
  const bool is_report = app.got_subcommand("report");
  // The log can be read without the daemon.
  if (is_report && !report.files.empty()) return Report(ReportCommand(report));
  ControlClient client;
  const core::Status connected = client.Connect(arguments.control);
  const bool by_file = app.got_subcommand("route") && !arguments.config_file.empty();
  if (by_file) {
    return Report(RouteTestCommand(connected.ok() ? &client : nullptr, RouteQuestionOf(arguments),
                                   arguments.config_file, arguments.json));
  }
  if (!connected.ok()) {
    std::fprintf(stderr, "outbox: %s\n", connected.message().c_str());
    return kExitUnreachable;
  }
  const bool json = arguments.json;
  if (is_report) {
    const core::Result<std::vector<std::string>> files = LogFiles(&client, report.since_ns);
    if (!files.ok()) return Report(files.status());
    report.files = *files;
    return Report(ReportCommand(report));
  }
  if (app.got_subcommand("stats")) return Report(StatsCommand(&client, json));
  if (app.got_subcommand("queue")) return Report(QueueCommand(&client, Filter(arguments), json));
  if (app.got_subcommand("why")) return Report(WhyCommand(&client, WhyTarget(arguments), json));
  for (const char* const command : kActs) {
    if (app.got_subcommand(command)) {
      return Report(ActCommand(&client, command, Filter(arguments), json));
    }
  }
  if (app.got_subcommand("route")) {
    return Report(RouteTestCommand(&client, RouteQuestionOf(arguments), "", json));
  }
  if (app.got_subcommand("log")) return Report(LogCommand(&client, Filter(arguments), json));
  if (app.got_subcommand("talk")) {
    return Report(TalkCommand(&client, TalkTarget(arguments), json));
  }
  if (app.got_subcommand("reload")) return Report(ReloadCommand(&client, json));
  return Report(StopCommand(&client, arguments.wait_seconds));
}

std::string CheckDuration(const std::string& text) {
  const core::Result<int64_t> ns = core::ParseDuration(text);
  return ns.ok() ? std::string() : ns.status().message();
}

std::string CheckMoment(const std::string& text) {
  const core::Result<int64_t> moment = ParseMoment(text, WallNow());
  return moment.ok() ? std::string() : moment.status().message();
}

std::string CheckSize(const std::string& text) {
  const core::Result<uint64_t> size = core::ParseByteSize(text);
  if (!size.ok()) return size.status().message();
  return *size > 0 ? std::string() : "a message has at least a byte";
}

CLI::App* AddCommand(CLI::App* app, Arguments* arguments, const char* name, const char* help) {
  CLI::App* const command = app->add_subcommand(name, help);
  command->add_flag("--json", arguments->json, "as JSON, one object a line");
  return command;
}

void AddFilter(CLI::App* command, Arguments* arguments) {
  command
      ->add_option("--state", arguments->states,
                   "unrouted, resolving, ready, sending, deferred, delayed, held; several allowed")
      ->delimiter(',');
  command->add_option("--domain", arguments->domain, "recipient domain; * stands for anything");
  command->add_option("--sender", arguments->sender, "envelope sender, \"<>\" for none; or with *");
  command->add_option("--recipient", arguments->recipient, "envelope recipient; or with *");
  command->add_option("--mailhost", arguments->mailhost, "host that it is at, or was; or with *");
  command->add_option("--older-than", arguments->older_than, "queued for longer: 30m, 2h, 1d")
      ->check(CheckDuration);
  command->add_option("--younger-than", arguments->younger_than, "queued for less than that")
      ->check(CheckDuration);
}

void AddPeriod(CLI::App* command, Arguments* arguments) {
  command
      ->add_option("--since", arguments->since,
                   "not before: so long ago (30m, 2h, 1d), or \"2026-11-22 20:15\"")
      ->check(CheckMoment);
  command->add_option("--until", arguments->until, "not after; likewise")->check(CheckMoment);
}

void AddTalk(CLI::App* app, Arguments* arguments) {
  CLI::App* const talk =
      AddCommand(app, arguments, "talk", "what was said to mail hosts, and by them");
  talk->add_option("ID", arguments->target, "about one message");
  talk->add_option("--domain", arguments->domain, "about recipients of this domain");
  talk->add_option("--host", arguments->host, "with a mail host whose name or address has this");
  talk->add_option("--reply", arguments->reply, "in which the host said this");
  talk->add_flag("--failed", arguments->failed, "of attempts that failed");
  AddPeriod(talk, arguments);
  talk->add_option("--limit", arguments->limit, "so many, the newest (20)")
      ->check(CLI::Range(1, 10'000));
}

void AddReport(CLI::App* app, Arguments* arguments) {
  CLI::App* const report =
      AddCommand(app, arguments, "report", "what became of recent mail, from the event log");
  report->add_option("ID", arguments->target, "of one message, with its story")
      ->check([](const std::string& text) {
        return IsId(text) ? std::string() : "expected a message id of 13 characters";
      });
  report->add_flag("--domains", arguments->domains, "a line a domain instead of a recipient");
  report->add_option("--domain", arguments->domain, "recipients of this domain");
  report->add_flag("--failed", arguments->failed, "what has failed, and is not delivered");
  AddPeriod(report, arguments);
  report->add_option("--limit", arguments->limit, "so many recipients, the newest (100)")
      ->check(CLI::Range(1, 10'000'000));
  report
      ->add_option("--log", arguments->logs,
                   "a file of the log, or -, instead of the daemon's; several, the oldest first")
      ->allow_extra_args(false);
}

void AddHolding(CLI::App* app, Arguments* arguments) {
  for (const auto& [name, help] :
       {std::pair("hold", "keep mail in the queue until it is released"),
        std::pair("release", "let go what is held, by a route or by hold")}) {
    CLI::App* const command = AddCommand(app, arguments, name, help);
    command->add_option("ID", arguments->target, "of one message");
    command->add_flag("--all", arguments->all, "everything");
    AddFilter(command, arguments);
  }
}

void AddRoute(CLI::App* app, Arguments* arguments) {
  CLI::App* const route = app->add_subcommand("route", "the routing table");
  route->require_subcommand(1);
  CLI::App* const test =
      AddCommand(route, arguments, "test", "where a message would go; nothing is sent");
  test->add_option("SENDER", arguments->sender, "envelope sender, \"<>\" for none")->required();
  test->add_option("RECIPIENT", arguments->recipient, "envelope recipient")->required();
  test->add_option("--source", arguments->source, "address of the client");
  test->add_option("--header", arguments->headers, "a field, \"Name: value\"; several allowed")
      ->allow_extra_args(false);
  test->add_option("--size", arguments->size, "of the message: 12MiB")->check(CheckSize);
  test->add_option("--config", arguments->config_file,
                   "by this file, instead of what outboxd runs with");
}

void AddCommands(CLI::App* app, Arguments* arguments) {
  AddCommand(app, arguments, "stats", "counters and gauges");
  CLI::App* const queue = AddCommand(app, arguments, "queue", "the queued recipients");
  queue->add_option("ID", arguments->target, "of one message");
  AddFilter(queue, arguments);
  CLI::App* const why = AddCommand(app, arguments, "why", "why mail is where it is");
  why->add_option("ID|DOMAIN", arguments->target, "a message, or a recipient domain")->required();
  CLI::App* const retry =
      AddCommand(app, arguments, "retry", "try mail now, whatever it was waiting for");
  retry->add_option("ID", arguments->target, "of one message");
  retry->add_flag("--all", arguments->all, "everything that is queued");
  AddFilter(retry, arguments);
  CLI::App* const remove =
      AddCommand(app, arguments, "remove", "take a message out of the queue; nobody is told");
  remove->add_option("ID", arguments->target, "of the message")->required();
  remove->add_option("--recipient", arguments->recipient, "only this one; or with *");
  AddHolding(app, arguments);
  AddRoute(app, arguments);
  CLI::App* const log = AddCommand(app, arguments, "log", "events as they happen");
  log->add_flag("--follow", arguments->follow, "print events from now on")->required();
  log->add_option("--id", arguments->target, "of one message");
  log->add_option("--domain", arguments->domain, "about recipients of this domain");
  AddDoctor(app, &arguments->doctor);
  AddTalk(app, arguments);
  AddReport(app, arguments);
  AddCommand(app, arguments, "reload", "read the configuration file again: all of it or nothing");
  CLI::App* const stop = app->add_subcommand("stop", "stop the daemon cleanly");
  stop->add_option("--wait", arguments->wait_seconds, "seconds to wait for its end; 0: do not wait")
      ->check(CLI::Range(0, 3600))
      ->capture_default_str();
}

}  // namespace
}  // namespace outbox::tools

int main(int argc, char** argv) {
  using outbox::tools::kExitOk;
  using outbox::tools::kExitUsage;
  outbox::tools::Arguments arguments;
  CLI::App app{"outbox: looks after a running outboxd."};
  app.require_subcommand(1);
  app.set_version_flag("--version", "outbox " OUTBOX_VERSION);
  app.add_option("--control", arguments.control, "the daemon's control socket")
      ->envname("OUTBOX_CONTROL")
      ->capture_default_str();
  outbox::tools::AddCommands(&app, &arguments);
  try {
    app.parse(argc, argv);
    for (const char* const command : {"retry", "hold", "release"}) {
      if (app.got_subcommand(command) && outbox::tools::Filter(arguments).empty()) {
        throw CLI::RequiredError(std::string(command) +
                                 ": an ID, a filter such as --domain, or --all");
      }
    }
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitOk : kExitUsage;
  }
  if (app.got_subcommand("doctor")) {
    return outbox::tools::DoctorCommand(app, arguments.control, arguments.doctor);
  }
  // `outbox queue | head` ends quietly by SIGPIPE's default action.
  std::signal(SIGPIPE, SIG_DFL);
  return outbox::tools::Run(app, arguments);
}
