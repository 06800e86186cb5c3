// outbox: the operator's command. Speaks to a running outboxd through its control socket.
#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tools/control_client.h"
#include "tools/outbox_commands.h"
#include "tools/outbox_options.h"

namespace outbox::tools {
namespace {

// docs/operations.md lists these.
enum ExitCode { kExitOk = 0, kExitFailure = 1, kExitUsage = 2, kExitUnreachable = 3 };

int ExitOf(const core::Status& status) {
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) return kExitFailure;
  if (status.ok()) return kExitOk;
  if (!status.message().empty()) std::fprintf(stderr, "outbox: %s\n", status.message().c_str());
  return status.code() == core::StatusCode::kUnavailable ? kExitUnreachable : kExitFailure;
}

// What can be done without the daemon. Nothing: it must be asked.
std::optional<int> RunAlone(const CLI::App& app, const Arguments& arguments) {
  if (app.got_subcommand("dkim")) return ExitOf(DkimCommand(app, arguments.dkim));
  if (app.got_subcommand("report") && !arguments.logs.empty()) {
    return ExitOf(ReportCommand(ReportTarget(arguments)));
  }
  if (app.got_subcommand("route") && !arguments.config_file.empty()) {
    ControlClient client;  // which knows the hosts, if it is there
    const bool connected = client.Connect(arguments.control).ok();
    return ExitOf(RouteTestCommand(connected ? &client : nullptr, RouteQuestionOf(arguments),
                                   arguments.config_file, arguments.json));
  }
  return std::nullopt;
}

core::Status ReportOfDaemon(ControlClient* client, const Arguments& arguments) {
  ReportRequest request = ReportTarget(arguments);
  core::Result<std::vector<std::string>> files = LogFiles(client, request.filter.since_ns);
  if (!files.ok()) return files.status();
  request.files = std::move(*files);
  return ReportCommand(request);
}

// A command is done, after which one expects that mail goes: if some is suspended, that is said.
core::Status Noting(ControlClient* client, core::Status done, bool json) {
  if (done.ok() && !json) NoteSuspensions(client);
  return done;
}

int Run(const CLI::App& app, const Arguments& arguments) {
  if (const std::optional<int> done = RunAlone(app, arguments)) return *done;
  ControlClient client;
  const core::Status connected = client.Connect(arguments.control);
  if (!connected.ok()) {
    std::fprintf(stderr, "outbox: %s\n", connected.message().c_str());
    return kExitUnreachable;
  }
  const bool json = arguments.json;
  const nlohmann::json filter = FilterOf(arguments);
  if (app.got_subcommand("stats")) return ExitOf(StatsCommand(&client, json));
  if (app.got_subcommand("queue")) {
    return ExitOf(Noting(&client, QueueCommand(&client, filter, arguments.view, json), json));
  }
  if (app.got_subcommand("why")) {
    return ExitOf(WhyCommand(&client, *WhyTarget(arguments.target), json));
  }
  // What a purge would take is what a bounce would return.
  const bool look = app.got_subcommand("bounce") && arguments.dry_run;
  if (app.got_subcommand("purge") || look) {
    const PurgeRequest purge = {.filter = filter,
                                .reason = arguments.reason,
                                .dry_run = arguments.dry_run,
                                .now = arguments.now,
                                .yes = arguments.yes};
    return ExitOf(PurgeCommand(&client, purge, json));
  }
  for (const char* const command : {"undo", "bounce"}) {
    if (!app.got_subcommand(command)) continue;
    nlohmann::json order = filter;
    if (order.empty()) order["all"] = true;  // undo
    if (!arguments.reason.empty()) order["reason"] = arguments.reason;
    return ExitOf(ActCommand(&client, command, order, json));
  }
  for (const char* const command : {"remove", "hold"}) {
    if (app.got_subcommand(command)) return ExitOf(ActCommand(&client, command, filter, json));
  }
  for (const char* const command : {"retry", "release"}) {
    if (!app.got_subcommand(command)) continue;
    return ExitOf(Noting(&client, ActCommand(&client, command, filter, json), json));
  }
  for (const char* const command : {"clear", "reroute"}) {
    if (!app.got_subcommand(command)) continue;
    return ExitOf(
        Noting(&client, ActCommand(&client, command, RouteOrderOf(arguments), json), json));
  }
  if (app.got_subcommand("route")) {
    return ExitOf(RouteTestCommand(&client, RouteQuestionOf(arguments), "", json));
  }
  if (app.got_subcommand("log")) return ExitOf(LogCommand(&client, filter, json));
  if (app.got_subcommand("talk")) {
    return ExitOf(TalkCommand(&client, TalkTarget(arguments), json));
  }
  if (app.got_subcommand("report")) return ExitOf(ReportOfDaemon(&client, arguments));
  if (app.got_subcommand("suspend")) {
    return ExitOf(SuspendCommand(&client, SuspendTarget(arguments), json));
  }
  if (app.got_subcommand("resume")) {
    return ExitOf(ResumeCommand(&client, SuspendTarget(arguments), json));
  }
  if (app.got_subcommand("suspended")) return ExitOf(SuspendedCommand(&client, json));
  if (app.got_subcommand("sites")) return ExitOf(SitesCommand(&client, arguments.limit, json));
  if (app.got_subcommand("reload")) return ExitOf(ReloadCommand(&client, json));
  return ExitOf(StopCommand(&client, arguments.wait_seconds, json));
}

// What the parser cannot know is wrong.
void Check(const CLI::App& app, const Arguments& arguments) {
  for (const char* const command :
       {"retry", "hold", "release", "purge", "undo", "bounce", "clear", "reroute"}) {
    if (!app.got_subcommand(command)) continue;
    const nlohmann::json filter = FilterOf(arguments);
    if (arguments.all && filter.size() > 1) {
      throw CLI::ValidationError(std::string(command) + ": --all goes without an ID or a filter");
    }
    if (filter.empty() && std::string_view(command) != "undo") {
      throw CLI::RequiredError(std::string(command) +
                               ": an ID, a filter such as --domain, or --all");
    }
  }
  for (const char* const command : {"suspend", "resume"}) {
    const bool all = arguments.all && *command == 'r';
    if (app.got_subcommand(command) &&
        arguments.domain.empty() + arguments.site.empty() + !all != 2) {
      throw CLI::RequiredError(std::string(command) + ": a DOMAIN, or --site NAME" +
                               (*command == 'r' ? ", or --all" : ""));
    }
  }
  if (app.got_subcommand("bounce") && arguments.reason.empty() && !arguments.dry_run) {
    throw CLI::RequiredError("bounce: --reason, which the senders read,");
  }
  core::Status status;
  if (app.got_subcommand("purge") && !arguments.yes && !arguments.dry_run &&
      (arguments.json || !CanAsk())) {
    throw CLI::RequiredError("purge: nobody can be asked here: --yes, or --dry-run to look only,");
  }
  if (app.got_subcommand("queue")) status = CheckQueueView(arguments.view);
  if (app.got_subcommand("why")) status = WhyTarget(arguments.target).status();
  if (!status.ok()) throw CLI::ValidationError(status.message());
}

// Whoever has mistyped a command hears which; the parser misses a command only.
std::string UnknownCommand(const CLI::App& app, int argc, char** argv) {
  for (int i = 1; i < argc && app.get_subcommands().empty(); ++i) {
    const std::string_view word = argv[i];
    if (word == "--control") {
      ++i;
    } else if (!word.starts_with('-')) {
      return std::string(word);
    }
  }
  return "";
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
    outbox::tools::Check(app, arguments);
  } catch (const CLI::RequiredError& error) {
    const std::string unknown = outbox::tools::UnknownCommand(app, argc, argv);
    if (unknown.empty()) return app.exit(error) == 0 ? kExitOk : kExitUsage;
    std::fprintf(stderr, "outbox: \"%s\" is no command; outbox --help lists them\n",
                 unknown.c_str());
    return kExitUsage;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitOk : kExitUsage;
  }
  if (app.got_subcommand("completion")) {
    const std::string script = outbox::tools::CompletionScript(app, arguments.shell);
    return std::fputs(script.c_str(), stdout) >= 0 && std::fflush(stdout) == 0 ? kExitOk : 1;
  }
  if (app.got_subcommand("doctor")) {
    return outbox::tools::DoctorCommand(app, arguments.control, arguments.doctor);
  }
  // `outbox queue | head` ends quietly by SIGPIPE's default action.
  std::signal(SIGPIPE, SIG_DFL);
  return outbox::tools::Run(app, arguments);
}
