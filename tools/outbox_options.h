// What is typed behind `outbox`: the commands, their options and their help.
#ifndef OUTBOX_TOOLS_OUTBOX_OPTIONS_H_
#define OUTBOX_TOOLS_OUTBOX_OPTIONS_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tools/doctor/doctor_command.h"
#include "tools/outbox_commands.h"
#include "tools/outbox_dkim.h"

namespace outbox::tools {

// How mail is to be routed again.
struct RerouteArguments {
  bool dry_run = false;
  std::vector<std::string> to;
  std::string from;
  std::vector<std::string> via;
  std::string via_route;
};

struct Arguments {
  std::string control = "/run/outbox/control.sock";
  bool json = false;
  int wait_seconds = 60;
  // What mail is meant.
  std::string target;  // a message's id; or an address, or a domain, where these are allowed
  bool all = false;
  bool follow = false;
  std::vector<std::string> states;
  std::string domain;
  std::string sender;
  std::string recipient;
  std::string mailhost;
  std::string send_from;  // a filter's `source`
  std::string route;
  std::string reply;
  std::string older_than;
  std::string younger_than;
  std::string size_over;
  std::string size_under;
  // purge, undo, bounce
  bool dry_run = false;
  bool now = false;
  bool yes = false;
  std::string reason;  // suspend, too
  QueueView view;  // queue
  // talk, report
  std::string host;
  std::string since;
  std::string until;
  bool failed = false;
  uint32_t limit = 0;  // 0: the command's own
  bool domains = false;
  // suspend, resume; `domain` as well
  std::string site;
  std::string duration;
  std::vector<std::string> logs;
  // Of a message that is not sent (route test); `sender` and `recipient` as well.
  std::string source;
  std::vector<std::string> headers;
  std::string size;
  std::string config_file;
  RerouteArguments reroute;  // clear, reroute
  DoctorArguments doctor;
  DkimArguments dkim;
  std::string shell;  // completion
};

// A command of `app` with --json and its examples; the options that say which mail is meant.
CLI::App* AddCommand(CLI::App* app, Arguments* arguments, const char* name, const char* help,
                     const char* examples);
void AddFilter(CLI::App* command, Arguments* arguments);
// `clear` and `reroute` (outbox_reroute_options.cc).
void AddRedirects(CLI::App* app, Arguments* arguments);
nlohmann::json RouteOrderOf(const Arguments& arguments);

// A message's id.
bool IsId(const std::string& text);
// A time as `--since` takes it. kInvalidArgument: it is none.
core::Result<int64_t> MomentOf(const std::string& text);

// `arguments` outlives the parsing.
void AddCommands(CLI::App* app, Arguments* arguments);

// The members of a request that say which mail is meant.
nlohmann::json FilterOf(const Arguments& arguments);
// What `outbox why` is about, by its looks. kInvalidArgument: a part of an id.
core::Result<nlohmann::json> WhyTarget(const std::string& target);
// The members of a request that say which dialogues are meant.
nlohmann::json TalkTarget(const Arguments& arguments);
// The members of a request to suspend or resume.
nlohmann::json SuspendTarget(const Arguments& arguments);
nlohmann::json RouteQuestionOf(const Arguments& arguments);
ReportRequest ReportTarget(const Arguments& arguments);

// A completion script for "bash" or "zsh", made from the commands and options of `app`.
std::string CompletionScript(const CLI::App& app, const std::string& shell);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_OUTBOX_OPTIONS_H_
