// What `outbox clear` and `outbox reroute` take.
#include <string>

#include "tools/outbox_options.h"

namespace outbox::tools {

nlohmann::json RouteOrderOf(const Arguments& arguments) {
  nlohmann::json order = FilterOf(arguments);
  const RerouteArguments& reroute = arguments.reroute;
  if (reroute.dry_run) order["dry_run"] = true;
  if (!reroute.to.empty()) order["to"] = reroute.to;
  if (!reroute.from.empty()) order["from"] = reroute.from;
  if (!reroute.via.empty()) order["via"] = reroute.via;
  if (!reroute.via_route.empty()) order["via_route"] = reroute.via_route;
  return order;
}

void AddRedirects(CLI::App* app, Arguments* arguments) {
  RerouteArguments* const reroute = &arguments->reroute;
  CLI::App* const clear =
      AddCommand(app, arguments, "clear",
                 "forget how mail was routed: the routes of today, a fresh answer of the DNS, now",
                 "  outbox clear 1K0WCJNDQSZ00\n"
                 "  outbox clear --route old-smarthost\n"
                 "  outbox clear --all --dry-run");
  CLI::App* const again =
      AddCommand(app, arguments, "reroute",
                 "another envelope, route or hosts; with neither, back to the original envelope",
                 "  outbox reroute 1K0WCJNDQSZ00 --to carol@example.org\n"
                 "  outbox reroute --sender 'old@*' --from new@example.com\n"
                 "  outbox reroute --domain example.net --via backup.example.org:2525,[::1]:25\n"
                 "  outbox reroute --state deferred --via-route smarthost --dry-run\n"
                 "  outbox reroute 1K0WCJNDQSZ00");
  for (CLI::App* const command : {clear, again}) {
    command->add_option("ID", arguments->target, "of one message");
    command->add_flag("--all", arguments->all, "everything that is queued");
    command->add_flag("--dry-run", reroute->dry_run, "only say how much is meant");
    AddFilter(command, arguments);
  }
  again->add_option("--to", reroute->to, "a new recipient in place of those meant; several allowed")
      ->allow_extra_args(false);
  again->add_option("--from", reroute->from, "a new return path, \"<>\" for none");
  CLI::Option* const via =
      again
          ->add_option("--via", reroute->via,
                       "through these hosts: HOST[:PORT],...; the first one that takes it")
          ->delimiter(',')
          ->allow_extra_args(false);
  again
      ->add_option("--via-route", reroute->via_route,
                   "through the route of this name, whatever it matches")
      ->excludes(via);
}

}  // namespace outbox::tools
