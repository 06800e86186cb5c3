#include "tools/outbox_dkim.h"

#include <cstdio>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "core/config.h"
#include "core/config_dkim.h"
#include "core/domain_name.h"
#include "core/idna.h"
#include "core/limits.h"
#include "dkim/signing_table.h"
#include "tools/config_file.h"
#include "tools/dkim_keys.h"

namespace outbox::tools {
namespace {

std::string CheckDkimDomain(const std::string& text) {
  if (core::IsQualifiedDomainName(core::DomainKey(text))) return "";
  return "\"" + text + "\" " + core::WithIdnaReason("is no domain", text) +
         "; expected for example \"example.com\"";
}

std::string CheckDkimSelector(const std::string& text) {
  if (core::IsDomainName(text)) return "";
  return "\"" + text + "\" is no selector; expected for example \"s2026\"";
}

core::Status KeygenCommand(const DkimArguments& arguments) {
  const bool rsa = arguments.type == "rsa";
  const auto key = MakeDkimKey(rsa ? dkim::KeyType::kRsa : dkim::KeyType::kEd25519, arguments.bits,
                               arguments.file);
  if (!key.ok()) return core::Status(key.status().code(), "dkim: " + key.status().message());
  const std::string selector = core::ToLower(arguments.selector);
  const std::string line = DkimZoneLine(selector, core::DomainKey(arguments.domain), **key);
  std::printf("%s\n", line.c_str());
  return core::OkStatus();
}

// Each name once, of those that sign for `domain`, or of all that can be known.
std::vector<std::string> ZoneLines(std::shared_ptr<const core::Config> config,
                                   const std::string& domain) {
  std::vector<std::string> lines;
  std::set<std::string> known;
  const auto add = [&](const core::DkimConfig& rule, std::string_view signs) {
    std::string line = DkimZoneLine(rule.selector, signs, *rule.key);
    if (known.insert(line).second) lines.push_back(std::move(line));
  };
  if (!domain.empty()) {
    const auto table = dkim::SigningTable::Make(config);
    if (table == nullptr) return lines;
    const dkim::Selection selection = table->Select(domain);
    for (const dkim::Selection::One& one : selection.all()) add(*one.rule, one.domain);
    return lines;
  }
  for (const core::DkimConfig& rule : config->dkim) {
    for (const std::string& pattern : rule.domains) {
      const std::string_view signs = core::SigningDomainOf(rule, pattern);
      if (!signs.empty()) add(rule, signs);
    }
  }
  return lines;
}

core::Status RecordCommand(const DkimArguments& arguments) {
  const LoadedConfig loaded = LoadSigningConfig(arguments.config);
  if (loaded.config == nullptr) {
    std::string text;
    for (const std::string& error : loaded.errors) text += (text.empty() ? "" : "\n") + error;
    return core::Status(core::StatusCode::kInvalidArgument, text);
  }
  const std::string domain = core::DomainKey(arguments.domain);
  const std::vector<std::string> lines = ZoneLines(loaded.config, domain);
  if (lines.empty()) {
    return core::Status(core::StatusCode::kNotFound,
                        "dkim: no [[dkim]] of " + arguments.config + " signs " +
                            (domain.empty() ? "for a domain that it names" : "for " + domain));
  }
  for (const std::string& line : lines) std::printf("%s\n", line.c_str());
  return core::OkStatus();
}

}  // namespace

void AddDkim(CLI::App* app, DkimArguments* arguments) {
  CLI::App* const dkim =
      app->add_subcommand("dkim", "keys that sign mail: make one, print what to publish");
  dkim->require_subcommand(1);
  dkim->footer(
      "Examples:\n"
      "  outbox dkim keygen --domain example.com --selector s2026 --out s2026.pem\n"
      "  outbox dkim record example.com");
  CLI::App* const record =
      dkim->add_subcommand("record", "print the DNS records of the keys, as lines of a zone file");
  record->add_option("DOMAIN", arguments->domain, "of authors; default: all that are configured")
      ->check(CheckDkimDomain);
  record->add_option("--config", arguments->config, "configuration file (TOML)")
      ->capture_default_str();
  record->footer(
      "Examples:\n"
      "  outbox dkim record\n"
      "  outbox dkim record example.com --config new.toml");
  CLI::App* const keygen =
      dkim->add_subcommand("keygen", "make a key, in a new file of mode 0600; print its record");
  keygen->add_option("--domain", arguments->domain, "that it is for")
      ->required()
      ->check(CheckDkimDomain);
  keygen->add_option("--selector", arguments->selector, "below which it will be published")
      ->required()
      ->check(CheckDkimSelector);
  keygen->add_option("--type", arguments->type, "rsa or ed25519")
      ->check(CLI::IsMember({"rsa", "ed25519"}))
      ->capture_default_str();
  keygen->add_option("--bits", arguments->bits, "of an RSA key")
      ->check(CLI::Range(core::kDkimRsaBitsMin, core::kDkimRsaBitsMax))
      ->capture_default_str();
  keygen->add_option("--out", arguments->file, "the file of the private key; must not be there")
      ->required();
  keygen->footer(
      "Examples:\n"
      "  outbox dkim keygen --domain example.com --selector s2026 --out s2026.pem\n"
      "  outbox dkim keygen --domain example.com --selector e2026 --type ed25519 --out e2026.pem");
}

core::Status DkimCommand(const CLI::App& app, const DkimArguments& arguments) {
  return app.get_subcommand("dkim")->got_subcommand("keygen") ? KeygenCommand(arguments)
                                                              : RecordCommand(arguments);
}

}  // namespace outbox::tools
