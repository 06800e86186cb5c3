#include "tools/outbox_options.h"

#include "core/byte_size.h"
#include "core/duration.h"
#include "core/time.h"

namespace outbox::tools {
namespace {

constexpr size_t kIdCharacters = 13;

bool IsIdText(const std::string& text) {
  return text.find_first_not_of(
             "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
             "abcdefghjkmnpqrstvwxyz") == std::string::npos;
}

std::string CheckDuration(const std::string& text) {
  const core::Result<int64_t> ns = core::ParseDuration(text);
  return ns.ok() ? std::string() : ns.status().message();
}

std::string CheckByteSize(const std::string& text) {
  const core::Result<uint64_t> bytes = core::ParseByteSize(text);
  return bytes.ok() ? std::string() : bytes.status().message();
}

CLI::App* AddCommand(CLI::App* app, Arguments* arguments, const char* name, const char* help,
                     const char* examples) {
  CLI::App* const command = app->add_subcommand(name, help);
  command->add_flag("--json", arguments->json, "as JSON, one object a line");
  command->footer(std::string("Examples:\n") + examples);
  return command;
}

void AddFilter(CLI::App* command, Arguments* arguments) {
  command
      ->add_option("--state", arguments->states,
                   "unrouted, resolving, ready, sending, deferred, delayed, held; several allowed")
      ->delimiter(',')
      ->allow_extra_args(false);
  command->add_option("--domain", arguments->domain, "recipient domain; * stands for anything");
  command->add_option("--sender", arguments->sender, "envelope sender, \"<>\" for none; or with *");
  command->add_option("--recipient", arguments->recipient, "envelope recipient; or with *");
  command->add_option("--mailhost", arguments->mailhost, "host that it is at, or was; or with *");
  command->add_option("--route", arguments->route, "route when it was accepted; or with *");
  command->add_option("--reply", arguments->reply, "a text in what was said last; or with *");
  command->add_option("--older-than", arguments->older_than, "queued for longer: 30m, 2h, 1d")
      ->check(CheckDuration);
  command->add_option("--younger-than", arguments->younger_than, "queued for less than that")
      ->check(CheckDuration);
  command->add_option("--size-over", arguments->size_over, "of so many bytes or more: 500KiB, 1MiB")
      ->check(CheckByteSize);
  command->add_option("--size-under", arguments->size_under, "of so many bytes or fewer")
      ->check(CheckByteSize);
}

std::string Joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

void AddQueue(CLI::App* app, Arguments* arguments) {
  CLI::App* const queue =
      AddCommand(app, arguments, "queue", "the queued recipients, or how many there are",
                 "  outbox queue --state deferred --domain '*.example.net'\n"
                 "  outbox queue --sort age:desc --limit 20\n"
                 "  outbox queue --columns id,age,recipient,reply --reply 'mailbox full'\n"
                 "  outbox queue --by domain\n"
                 "  outbox queue --shape --older-than 1h");
  queue->add_option("ID", arguments->target, "of one message");
  AddFilter(queue, arguments);
  QueueView* const view = &arguments->view;
  queue
      ->add_option("--columns", view->columns,
                   "what to show, of " + Joined(QueueColumnNames()) +
                       "; by default OUTBOX_COLUMNS of the environment")
      ->delimiter(',')
      ->allow_extra_args(false);
  queue->add_option("--sort", view->sort, "COLUMN or COLUMN:desc; the first 100 unless --limit");
  queue->add_option("--limit", view->limit, "no more lines than that")
      ->check(CLI::Range(1u, UINT32_MAX));
  queue->add_flag("--count", view->count, "only how many");
  queue->add_option("--by", view->by, "how many by one of " + Joined(QueueGroupNames()))
      ->check(CLI::IsMember(QueueGroupNames()));
  queue->add_flag("--shape", view->shape,
                  "how many by domain (or --by) and age in minutes, as qshape(1) shows them");
}

void AddWhy(CLI::App* app, Arguments* arguments) {
  CLI::App* const why = AddCommand(app, arguments, "why",
                                   "why mail is where it is, and what will bring it further",
                                   "  outbox why 1K0WCJNDQSZ00\n"
                                   "  outbox why bob@example.net\n"
                                   "  outbox why example.net");
  why->add_option("ID|RECIPIENT|DOMAIN", arguments->target,
                  "a message, a recipient's address, or a recipient domain")
      ->required();
}

void AddActions(CLI::App* app, Arguments* arguments) {
  CLI::App* const retry =
      AddCommand(app, arguments, "retry", "try mail now, whatever it was waiting for",
                 "  outbox retry 1K0WCJNDQSZ00\n"
                 "  outbox retry --domain example.net\n"
                 "  outbox retry --all");
  retry->add_option("ID", arguments->target, "of one message");
  retry->add_flag("--all", arguments->all, "everything that is queued");
  AddFilter(retry, arguments);
  CLI::App* const remove =
      AddCommand(app, arguments, "remove", "take a message out of the queue; nobody is told",
                 "  outbox remove 1K0WCJNDQSZ00\n"
                 "  outbox remove 1K0WCJNDQSZ00 --recipient bob@example.net");
  remove->add_option("ID", arguments->target, "of the message")->required();
  remove->add_option("--recipient", arguments->recipient, "only this one; or with *");
}

}  // namespace

void AddCommands(CLI::App* app, Arguments* arguments) {
  app->footer(
      "outbox COMMAND --help shows the options of a command, with examples.\n"
      "Exit codes: 0 done; 1 refused, nothing matched, or not written; 2 usage; 3 the daemon\n"
      "cannot be reached or does not answer. Colours: only on a terminal, and not with NO_COLOR.");
  AddCommand(app, arguments, "stats", "counters and gauges",
             "  outbox stats\n"
             "  outbox --control /run/outbox/stats.sock stats --json");
  AddQueue(app, arguments);
  AddWhy(app, arguments);
  AddActions(app, arguments);
  CLI::App* const log = AddCommand(app, arguments, "log", "events as they happen",
                                   "  outbox log --follow\n"
                                   "  outbox log --follow --domain example.net --json");
  log->add_flag("--follow", arguments->follow, "print events from now on")->required();
  log->add_option("--id", arguments->target, "of one message");
  log->add_option("--domain", arguments->domain, "about recipients of this domain");
  AddCommand(app, arguments, "reload", "read the configuration file again: all of it or nothing",
             "  outboxd --check --config /etc/outbox/outbox.toml && outbox reload");
  CLI::App* const stop = AddCommand(app, arguments, "stop", "stop the daemon cleanly",
                                    "  outbox stop\n"
                                    "  outbox stop --wait 0");
  stop->add_option("--wait", arguments->wait_seconds, "seconds to wait for its end; 0: do not wait")
      ->check(CLI::Range(0, 3600))
      ->capture_default_str();
  CLI::App* const completion =
      app->add_subcommand("completion", "print what makes a shell complete these commands");
  completion->footer(
      "Examples:\n"
      "  outbox completion bash >/usr/share/bash-completion/completions/outbox\n"
      "  outbox completion zsh >/usr/share/zsh/vendor-completions/_outbox\n"
      "  source <(outbox completion bash)");
  completion->add_option("SHELL", arguments->shell, "bash or zsh")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh"}));
}

nlohmann::json FilterOf(const Arguments& arguments) {
  nlohmann::json filter = nlohmann::json::object();
  if (arguments.all) filter["all"] = true;
  if (!arguments.states.empty()) filter["state"] = arguments.states;
  for (const auto& [name, text] : {std::pair("id", &arguments.target),
                                   std::pair("domain", &arguments.domain),
                                   std::pair("sender", &arguments.sender),
                                   std::pair("recipient", &arguments.recipient),
                                   std::pair("mailhost", &arguments.mailhost),
                                   std::pair("route", &arguments.route),
                                   std::pair("reply", &arguments.reply)}) {
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

}  // namespace outbox::tools
