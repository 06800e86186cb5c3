#include "tools/doctor/doctor_command.h"

#include <algorithm>
#include <cstdio>

#include "core/domain_name.h"
#include "core/idna.h"
#include "core/ip_address.h"
#include "tools/doctor/doctor.h"

namespace outbox::tools {
namespace {

std::string CheckAddress(const std::string& text) {
  const core::Result<core::IpAddress> address = core::IpAddress::Parse(text);
  return address.ok() ? std::string() : address.status().message();
}

std::string CheckDomainName(const std::string& text) {
  if (core::IsQualifiedDomainName(core::DomainKey(text))) return "";
  return "\"" + text + "\" " + core::WithIdnaReason("is no domain", text) +
         "; expected for example \"example.com\"";
}

std::string CheckSelector(const std::string& text) {
  if (core::IsDomainName(text)) return "";
  return "\"" + text + "\" is no selector; expected for example \"s2026\"";
}

std::string CheckGroup(const std::string& text) {
  const auto& groups = DoctorGroups();
  if (text == "dns" || text == "system") return "";
  if (std::find(groups.begin(), groups.end(), text) != groups.end()) return "";
  std::string expected = "dns, system";
  for (const std::string& group : groups) expected += ", " + group;
  return "\"" + text + "\" is nothing that is looked at; expected one of " + expected;
}

}  // namespace

void AddDoctor(CLI::App* app, DoctorArguments* arguments) {
  CLI::App* const command = app->add_subcommand(
      "doctor", "is everything as mail needs it: DNS, machine, files; needs no daemon");
  command->add_option("--config", arguments->config, "configuration file (TOML)")
      ->capture_default_str();
  command
      ->add_option("--address", arguments->addresses,
                   "address that mail is sent from; several allowed; default: as routes choose")
      ->check(CheckAddress)
      ->allow_extra_args(false);
  command
      ->add_option("--domain", arguments->domains,
                   "sender domain; several allowed; default: that of hostname")
      ->check(CheckDomainName)
      ->allow_extra_args(false);
  command->add_option("--selector", arguments->selectors, "DKIM selector; several allowed")
      ->check(CheckSelector)
      ->allow_extra_args(false);
  command
      ->add_option("--only", arguments->only,
                   "look at these alone: dns, system, or groups of the report (spf, files, ...)")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(CheckGroup);
  command->add_flag("--json", arguments->json, "as JSON, one object a line");
  command->footer(
      "Examples:\n"
      "  outbox doctor\n"
      "  outbox doctor --only dns --domain example.com --selector s2026\n"
      "  outbox doctor --config new.toml --address 192.0.2.1 --json");
}

int DoctorCommand(const CLI::App& app, const std::string& control,
                  const DoctorArguments& arguments) {
  for (const auto* const list : {&arguments.addresses, &arguments.domains, &arguments.selectors}) {
    if (list->size() <= kDoctorListMax) continue;
    std::fprintf(stderr, "doctor: %zu addresses, domains or selectors at a time at most\n",
                 kDoctorListMax);
    return 2;
  }
  DoctorOptions options;
  options.config_file = arguments.config;
  options.config_given = app.get_subcommand("doctor")->count("--config") > 0;
  if (app.count("--control") > 0) options.control = control;
  for (const std::string& address : arguments.addresses) {
    options.addresses.push_back(core::IpAddress::Parse(address).value());
  }
  for (const std::string& domain : arguments.domains) {
    options.domains.push_back(core::DomainKey(domain));
  }
  options.selectors = arguments.selectors;
  options.only = arguments.only;
  const Report report = Examine(options);
  const std::string text = arguments.json ? FormatReportJson(report) : FormatReport(report);
  const bool written = std::fputs(text.c_str(), stdout) >= 0 && std::fflush(stdout) == 0;
  return written && report.Count(Level::kFail) == 0 ? 0 : 1;
}

}  // namespace outbox::tools
