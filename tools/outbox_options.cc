#include "tools/outbox_options.h"

#include "core/byte_size.h"
#include "core/duration.h"

namespace outbox::tools {
namespace {

std::string CheckDuration(const std::string& text) {
  const core::Result<int64_t> ns = core::ParseDuration(text);
  return ns.ok() ? std::string() : ns.status().message();
}

std::string CheckByteSize(const std::string& text) {
  const core::Result<uint64_t> bytes = core::ParseByteSize(text);
  return bytes.ok() ? std::string() : bytes.status().message();
}

std::string CheckSize(const std::string& text) {
  const core::Result<uint64_t> size = core::ParseByteSize(text);
  if (!size.ok()) return size.status().message();
  return *size > 0 ? std::string() : "a message has at least a byte";
}

std::string CheckMoment(const std::string& text) {
  const core::Result<int64_t> moment = MomentOf(text);
  return moment.ok() ? std::string() : moment.status().message();
}

std::string CheckId(const std::string& text) {
  return IsId(text) ? std::string() : "expected a message id of 13 characters";
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
  CLI::App* const why =
      AddCommand(app, arguments, "why", "why mail is where it is, and what will bring it further",
                 "  outbox why 1K0WCJNDQSZ00\n"
                 "  outbox why bob@example.net\n"
                 "  outbox why example.net");
  why->add_option("ID|RECIPIENT|DOMAIN", arguments->target,
                  "a message, a recipient's address, or a recipient domain")
      ->required();
}

// What ends mail, and what takes that back.
void AddOrders(CLI::App* app, Arguments* arguments) {
  CLI::App* const purge = AddCommand(
      app, arguments, "purge", "take mail out of the queue; undo takes it back for a time",
      "  outbox purge --sender 'virus@*' --dry-run\n"
      "  outbox purge --sender 'virus@*' --yes --reason 'virus of Monday'\n"
      "  outbox purge --domain example.net --older-than 2d\n"
      "  outbox purge --state purged --now --yes");
  purge->add_flag("--dry-run", arguments->dry_run, "only show what would go");
  purge->add_flag("--now", arguments->now,
                  "for good and at once, also what was purged before: the disk space comes back");
  purge->add_flag("--yes", arguments->yes, "do not ask");
  CLI::App* const undo =
      AddCommand(app, arguments, "undo", "take back what was purged, if it is not final yet",
                 "  outbox undo\n"
                 "  outbox undo --domain example.net\n"
                 "  outbox undo 1K0WCJNDQSZ00");
  CLI::App* const bounce =
      AddCommand(app, arguments, "bounce", "return mail to its senders now",
                 "  outbox bounce --domain example.net --dry-run\n"
                 "  outbox bounce --domain example.net --reason 'This domain has closed.'\n"
                 "  outbox bounce --mailhost 'mx.example.net*' --reason 'No reply for days.'");
  bounce->add_flag("--dry-run", arguments->dry_run, "only show what would be returned");
  for (CLI::App* const command : {purge, undo, bounce}) {
    command->add_option("ID", arguments->target, "of one message");
    command->add_flag("--all", arguments->all, "everything");
    AddFilter(command, arguments);
    command->add_option("--reason", arguments->reason,
                        command == bounce ? "what the senders are told; required" : "for the log");
  }
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
      AddCommand(app, arguments, "remove", "take a message out of the queue for good, untold",
                 "  outbox remove 1K0WCJNDQSZ00\n"
                 "  outbox remove 1K0WCJNDQSZ00 --recipient bob@example.net");
  remove->add_option("ID", arguments->target, "of the message")->required();
  remove->add_option("--recipient", arguments->recipient, "only this one; or with *");
  AddOrders(app, arguments);
  CLI::App* const hold =
      AddCommand(app, arguments, "hold", "keep mail in the queue until it is released",
                 "  outbox hold 1K0WCJNDQSZ00\n"
                 "  outbox hold --sender '*@example.com' --size-over 10MiB");
  CLI::App* const release =
      AddCommand(app, arguments, "release", "let go what is held, by a route or by hold",
                 "  outbox release 1K0WCJNDQSZ00 --recipient bob@example.net\n"
                 "  outbox release --route quarantine --older-than 1h\n"
                 "  outbox release --all");
  for (CLI::App* const command : {hold, release}) {
    command->add_option("ID", arguments->target, "of one message");
    command->add_flag("--all", arguments->all, "everything");
    AddFilter(command, arguments);
  }
}

void AddSites(CLI::App* app, Arguments* arguments) {
  CLI::App* const sites = AddCommand(app, arguments, "sites",
                                     "the sites that mail goes to, and their limits at this moment",
                                     "  outbox sites\n"
                                     "  outbox sites --json --limit 1000");
  sites->add_option("--limit", arguments->limit, "so many, those in trouble first (100)")
      ->check(CLI::Range(1u, 65'536u));
  CLI::App* const suspend = AddCommand(
      app, arguments, "suspend", "send nothing to a domain or a site for a time; its mail waits",
      "  outbox suspend example.net --for 2h --reason 'their maintenance'\n"
      "  outbox suspend '*.example.net'\n"
      "  outbox suspend --site google --for 30m");
  suspend->add_option("DOMAIN", arguments->domain,
                      "recipient domain; or \"*.example.net\", or \"*\" for all");
  suspend->add_option("--site", arguments->site, "a site instead, by its name (outbox sites)");
  suspend->add_option("--for", arguments->duration, "30m, 2h, 1d; else until it is resumed")
      ->check(CheckDuration);
  suspend->add_option("--reason", arguments->reason, "for who asks why");
  CLI::App* const resume =
      AddCommand(app, arguments, "resume", "send again what was suspended; one message goes first",
                 "  outbox resume example.net\n"
                 "  outbox resume --site google\n"
                 "  outbox resume --all");
  resume->add_option("DOMAIN", arguments->domain, "as it was suspended");
  resume->add_option("--site", arguments->site,
                     "a site; what its replies have lowered (on_reply) ends as well");
  resume->add_flag("--all", arguments->all, "everything");
  AddCommand(app, arguments, "suspended", "what is suspended, by whom, why and until when",
             "  outbox suspended");
}

void AddRoute(CLI::App* app, Arguments* arguments) {
  CLI::App* const route = app->add_subcommand("route", "the routing table");
  route->require_subcommand(1);
  route->footer(
      "Examples:\n"
      "  outbox route test alice@example.com bob@example.net");
  CLI::App* const test =
      AddCommand(route, arguments, "test", "where a message would go; nothing is sent",
                 "  outbox route test alice@example.com bob@example.net\n"
                 "  outbox route test '<>' bob@example.net --size 12MiB --header 'X-Class: bulk'\n"
                 "  outbox route test alice@example.com bob@example.net --config new.toml");
  test->add_option("SENDER", arguments->sender, "envelope sender, \"<>\" for none")->required();
  test->add_option("RECIPIENT", arguments->recipient, "envelope recipient")->required();
  test->add_option("--source", arguments->source, "address of the client");
  test->add_option("--header", arguments->headers, "a field, \"Name: value\"; several allowed")
      ->allow_extra_args(false);
  test->add_option("--size", arguments->size, "of the message: 12MiB")->check(CheckSize);
  test->add_option("--config", arguments->config_file,
                   "by this file, instead of what outboxd runs with");
}

void AddLog(CLI::App* app, Arguments* arguments) {
  CLI::App* const log = AddCommand(app, arguments, "log", "events as they happen",
                                   "  outbox log --follow\n"
                                   "  outbox log --follow --domain example.net --json");
  log->add_flag("--follow", arguments->follow, "print events from now on")->required();
  log->add_option("--id", arguments->target, "of one message");
  log->add_option("--domain", arguments->domain, "about recipients of this domain");
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
      AddCommand(app, arguments, "talk", "what was said to mail hosts, and by them",
                 "  outbox talk 1K0WCJNDQSZ00\n"
                 "  outbox talk --host mx.example.net --failed --since 2h\n"
                 "  outbox talk --reply 'mailbox full' --limit 5");
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
      AddCommand(app, arguments, "report", "what became of recent mail, from the event log",
                 "  outbox report 1K0WCJNDQSZ00\n"
                 "  outbox report --recipient bob@example.net --since 2d\n"
                 "  outbox report --failed --since 1d\n"
                 "  outbox report --domains --since '2026-11-22 20:15'\n"
                 "  zcat outbox.log.2.gz | outbox report --log -");
  report->add_option("ID", arguments->target, "of one message, with its story")->check(CheckId);
  report->add_flag("--domains", arguments->domains, "a line a domain instead of a recipient");
  report->add_option("--domain", arguments->domain, "recipients of this domain");
  report->add_option("--sender", arguments->sender, "envelope sender, \"<>\" for none; or with *");
  report->add_option("--recipient", arguments->recipient, "envelope recipient; or with *");
  report->add_flag("--failed", arguments->failed, "what has failed, and is not delivered");
  AddPeriod(report, arguments);
  report->add_option("--limit", arguments->limit, "so many recipients, the newest (100)")
      ->check(CLI::Range(1, 10'000'000));
  report
      ->add_option("--log", arguments->logs,
                   "a file of the log, or -, instead of the daemon's; several, the oldest first")
      ->allow_extra_args(false);
}

void AddCompletion(CLI::App* app, Arguments* arguments) {
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

}  // namespace

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
                   "unrouted, resolving, ready, sending, deferred, delayed, held, purged; several "
                   "allowed")
      ->delimiter(',')
      ->allow_extra_args(false);
  command->add_option("--domain", arguments->domain, "recipient domain; * stands for anything");
  command->add_option("--sender", arguments->sender, "envelope sender, \"<>\" for none; or with *");
  command->add_option("--recipient", arguments->recipient, "envelope recipient; or with *");
  command->add_option("--mailhost", arguments->mailhost, "host that it is at, or was; or with *");
  command->add_option("--route", arguments->route, "route when it was accepted; or with *");
  command->add_option("--source", arguments->send_from,
                      "[[source]] that it is sent from; or with *");
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

void AddCommands(CLI::App* app, Arguments* arguments) {
  app->footer(
      "outbox COMMAND --help shows the options of a command, with examples.\n"
      "Exit codes: 0 done; 1 refused, nothing matched, not written, or the doctor has\n"
      "found a failure; 2 usage; 3 the daemon cannot be reached or does not answer.\n"
      "Colours: only on a terminal, and not with NO_COLOR.");
  AddCommand(app, arguments, "stats", "counters and gauges",
             "  outbox stats\n"
             "  outbox --control /run/outbox/stats.sock stats --json");
  AddQueue(app, arguments);
  AddWhy(app, arguments);
  AddActions(app, arguments);
  AddRedirects(app, arguments);
  AddSites(app, arguments);
  AddRoute(app, arguments);
  AddCommand(app, arguments, "reload", "read the configuration file again: all of it or nothing",
             "  outboxd --check --config /etc/outbox/outbox.toml && outbox reload");
  AddLog(app, arguments);
  AddTalk(app, arguments);
  AddReport(app, arguments);
  AddDoctor(app, &arguments->doctor);
  AddDkim(app, &arguments->dkim);
  CLI::App* const stop = AddCommand(app, arguments, "stop", "stop the daemon cleanly",
                                    "  outbox stop\n"
                                    "  outbox stop --wait 0");
  stop->add_option("--wait", arguments->wait_seconds, "seconds to wait for its end; 0: do not wait")
      ->check(CLI::Range(0, 3600))
      ->capture_default_str();
  AddCompletion(app, arguments);
}

}  // namespace outbox::tools
