#include "core/config_archive.h"

#include <map>
#include <utility>

#include "core/idna.h"
#include "core/mailbox_name.h"

namespace outbox::core {
namespace {

std::string DomainOf(const std::string& mailbox) { return mailbox.substr(mailbox.find('@') + 1); }

}  // namespace

void ArchiveReader::Read(const TomlValue& table) {
  ConfigReader reader(table, "[archive]", problems_);
  reader.Require("to", "a mailbox in a domain of [local], for example \"archive@example.org\"");
  if (ConfigText text; reader.Text("to", &text)) Take(std::move(text), &config_.archive.to);
  reader.Boolean("notices", &config_.archive.notices);
  reader.Finish();
}

void ArchiveReader::ReadRoute(ConfigReader* reader, RouteConfig* route) {
  const bool leaves = route->action == RouteAction::kSend || route->action == RouteAction::kHold;
  if (leaves) route->archive = config_.archive.to;
  ConfigText text;
  if (!reader->Text("archive", &text)) return;
  if (route->action == RouteAction::kReject) {
    problems_->Add(text.position,
                   "\"archive\" is for mail that is accepted, and this route refuses its own; "
                   "expected it in another route");
  } else if (text.text.empty()) {
    route->archive.clear();
  } else {
    Take(std::move(text), &route->archive);
  }
}

void ArchiveReader::Take(ConfigText text, std::string* mailbox) {
  const std::string name = AddressKey(text.text);
  const size_t at = name.find('@');
  if (!IsMailboxName(name) || at == std::string::npos) {
    problems_->Expect(text,
                      WithIdnaReason("is not the mailbox of an archive", DomainPart(text.text)),
                      "for example \"archive@example.org\", or in a route \"\" for none");
    return;
  }
  *mailbox = name;
  mailboxes_.push_back(std::move(text));
}

void ArchiveReader::Check() {
  // Each domain, and the one that it is or stands for.
  std::map<std::string_view, std::string_view> domains;
  for (const std::string& domain : config_.local.domains) domains.emplace(domain, domain);
  for (const auto& [alias, domain] : config_.local.aliases) domains.emplace(alias, domain);
  for (const ConfigText& text : mailboxes_) {
    if (domains.contains(DomainOf(AddressKey(text.text)))) continue;
    problems_->Expect(text, "is no local mailbox, and copies do not leave this side",
                      domains.empty() ? "a [local] with its domain"
                                      : "an address in one of the domains of [local]");
  }
  const auto settle = [&domains](std::string* mailbox) {
    const auto found = domains.find(DomainOf(*mailbox));
    if (found == domains.end() || found->first == found->second) return;
    *mailbox = mailbox->substr(0, mailbox->find('@') + 1).append(found->second);
  };
  settle(&config_.archive.to);
  for (RouteConfig& route : config_.routes) settle(&route.archive);
}

}  // namespace outbox::core
