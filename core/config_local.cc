#include "core/config_local.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "core/config_rules.h"
#include "core/domain_name.h"
#include "core/idna.h"
#include "core/limits.h"
#include "core/mailbox_name.h"

namespace outbox::core {
namespace {

// RFC 5321 4.5.3.1: a path has 256 octets with its brackets, and a local part 64.
constexpr size_t kAddressOctetsMax = 254;
constexpr size_t kLocalDomainOctetsMax = kAddressOctetsMax - 64 - 1;

// Reads one [local].
class LocalReader {
 public:
  LocalReader(ConfigReader* reader, Config* config, ConfigProblems* problems)
      : reader_(reader), config_(*config), local_(config->local), problems_(problems) {}

  void Read() {
    ReadDomains();
    ReadAliases();
    ReadPlace();
    ReadMailboxes();
    ReadSubaddress();
    ReadUndelivered();
  }

 private:
  void Expect(const ConfigText& at, std::string_view what, std::string_view expected) {
    std::string text = "\"" + at.text + "\" ";
    text.append(what).append("; expected ").append(expected);
    problems_->Add(at.position, std::move(text));
  }

  void ReadDomains() {
    reader_->Require("domains",
                     "the domains whose mailboxes are here, for example "
                     "[\"example.org\"]");
    std::vector<ConfigText> texts;
    if (!reader_->Texts("domains", "an array of domains", kConfigLocalDomains, &texts)) return;
    for (const ConfigText& text : texts) AddDomain(text, &local_.domains);
  }

  // No patterns: whoever may name any domain could make us take mail for all of them.
  bool AddDomain(const ConfigText& text, std::vector<std::string>* domains) {
    const std::string domain = DomainKey(text.text);
    if (!IsDomainName(domain)) {
      Expect(text, WithIdnaReason("is not a local domain", text.text),
             "a whole domain name, for example \"example.org\"");
    } else if (domain.size() > kLocalDomainOctetsMax) {
      // What is rewritten to it must still be an address.
      Expect(text, "is too long for a local domain",
             "at most " + std::to_string(kLocalDomainOctetsMax) +
                 " octets in its ASCII form, which leave room for every mailbox");
    } else if (const auto [first, is_new] = lines_.emplace(domain, text.position.line); !is_new) {
      Expect(text, "stands in line " + std::to_string(first->second) + ", too", "each domain once");
    } else {
      domains->push_back(domain);
      return true;
    }
    return false;
  }

  void ReadAliases() {
    const TomlValue* table = reader_->Table("aliases");
    if (table == nullptr) return;
    if (table->items.size() > kConfigLocalDomains) {
      problems_->Add(table->position, "\"aliases\" has " + std::to_string(table->items.size()) +
                                          " domains; expected at most " +
                                          std::to_string(kConfigLocalDomains));
      return;
    }
    for (const TomlValue& alias : table->items) {
      if (alias.kind != TomlValue::Kind::kString) {
        problems_->Add(alias.position, "\"" + alias.key + "\" is " + TomlKindName(alias.kind) +
                                           "; expected the local domain that it stands for");
        continue;
      }
      const std::string domain = DomainKey(alias.string);
      std::vector<std::string> name;
      if (!AddDomain({alias.key, alias.key_position}, &name)) continue;
      if (std::find(local_.domains.begin(), local_.domains.end(), domain) == local_.domains.end()) {
        Expect({alias.string, alias.position}, "is not a local domain", "one of \"domains\"");
      } else {
        local_.aliases.emplace_back(std::move(name[0]), domain);
      }
    }
  }

  void ReadPlace() {
    std::vector<ConfigText> texts;
    const bool has_via = reader_->Texts("via", "an array of LMTP servers", kConfigViaHosts, &texts);
    ConfigText maildir;
    const bool has_maildir = reader_->Text("maildir", &maildir);
    if (reader_->Has("via") == reader_->Has("maildir")) {
      problems_->Add(reader_->PositionOf("maildir"),
                     "[local] says " + std::string(reader_->Has("via") ? "both" : "neither") +
                         " \"via\" and \"maildir\"; expected one: via = "
                         "\"lmtp:/run/dovecot/lmtp\" or maildir = \"/var/mail/{domain}/{user}\"");
    }
    if (has_via) {
      for (const ConfigText& text : texts) AddLmtp(text);
      if (const char* expected = WhyNoViaList(local_.lmtp)) {
        problems_->Add(reader_->PositionOf("via"),
                       std::string("\"via\" cannot be used as it is; expected ") + expected);
      }
    }
    if (!has_maildir) return;
    if (const char* expected = WhyNoMaildirTemplate(maildir.text)) {
      Expect(maildir, "is not a place for mailboxes", expected);
    } else {
      local_.maildir = maildir.text;
    }
  }

  void AddLmtp(const ConfigText& text) {
    ViaHost host;
    if (!ParseViaHost(text.text, &host) || !host.lmtp) {
      Expect(text, "is not an LMTP server", "\"lmtp:127.0.0.1:24\" or \"lmtp:/run/dovecot/lmtp\"");
    } else if (IsOwnListener(host, config_)) {
      Expect(text, "is our own listener, and mail would go round in a circle", "another host");
    } else {
      local_.lmtp.push_back(std::move(host));
    }
  }

  void ReadMailboxes() {
    std::vector<ConfigText> texts;
    ConfigText file;
    const bool has_list =
        reader_->Texts("mailboxes", "an array of names", kConfigMailboxes, &texts);
    const bool has_file = reader_->Text("mailbox_file", &file);
    reader_->Boolean("ask", &local_.ask);
    const int sources = int{reader_->Has("mailboxes")} + int{reader_->Has("mailbox_file")} +
                        int{reader_->Has("ask") && (local_.ask || !reader_->Has("mailboxes"))};
    if (sources != 1) {
      problems_->Add(reader_->position(),
                     "[local] names " + std::to_string(sources) +
                         " sources of mailboxes; expected one: \"mailboxes\", \"mailbox_file\" or "
                         "ask = true, which asks the LMTP server");
    }
    if (local_.ask && reader_->Has("maildir")) {
      problems_->Add(reader_->PositionOf("ask"),
                     "\"ask\" is for LMTP servers, and a Maildir cannot be asked; expected "
                     "\"mailboxes\" or \"mailbox_file\"");
    }
    for (const ViaHost& host : local_.lmtp) {
      if (!local_.ask || host.is_address || !host.path.empty()) continue;
      problems_->Add(reader_->PositionOf("via"),
                     "\"ask\" does not look names up; expected the address of \"" + host.host +
                         "\", or a unix socket");
    }
    if (has_list) {
      for (const ConfigText& text : texts) AddMailbox(text);
    }
    if (!has_file) return;
    if (file.text.empty() || file.text.size() > 4000 || file.text.find('\0') != std::string::npos) {
      Expect(file, "is not a path that can be used", "1 to 4000 bytes");
    } else {
      local_.mailbox_file = file.text;
    }
  }

  void AddMailbox(const ConfigText& text) {
    const std::string name = AddressKey(text.text);
    const size_t at = name.find('@');
    if (!IsMailboxName(name)) {
      Expect(text, WithIdnaReason("is not the name of a mailbox", DomainPart(text.text)),
             "\"alice\" or \"alice@example.org\"");
    } else if (at != std::string::npos && std::find(local_.domains.begin(), local_.domains.end(),
                                                    name.substr(at + 1)) == local_.domains.end()) {
      Expect(text, "is in no local domain", "one of \"domains\" behind the @");
    } else {
      local_.mailboxes.push_back(name);
    }
  }

  void ReadSubaddress() {
    ConfigText text;
    if (!reader_->Text("subaddress", &text)) return;
    if (!text.text.empty() && text.text != "+" && text.text != "-" && text.text != "_" &&
        text.text != "=" && text.text != ".") {
      Expect(text, "cannot part a user from a detail",
             "\"+\", \"-\", \"_\", \"=\", \".\", or \"\" for none");
      return;
    }
    local_.subaddress = text.text;
  }

  void ReadUndelivered() {
    static constexpr std::string_view kRules[] = {"reject", "report", "forward", "relay",
                                                  "discard"};
    ConfigText rule;
    if (reader_->Text("undelivered", &rule)) {
      const auto* const found = std::find(std::begin(kRules), std::end(kRules), rule.text);
      if (found == std::end(kRules)) {
        Expect(rule, "is no rule for mail without a mailbox",
               "\"reject\", \"report\", \"forward\", \"relay\" or \"discard\"");
      } else {
        local_.undelivered = static_cast<Undelivered>(found - std::begin(kRules));
      }
    }
    ReadForwardTo();
    ReadRelayTo();
  }

  // The key of a rule is there when the rule is, and else not.
  bool Belongs(std::string_view key, Undelivered rule, std::string_view example) {
    const bool wanted = local_.undelivered == rule;
    if (wanted == reader_->Has(key)) return wanted;
    problems_->Add(reader_->PositionOf(wanted ? "undelivered" : key),
                   "\"" + std::string(key) + "\" " +
                       (wanted ? "is missing; expected it with this rule, for example "
                               : "has no use without its rule; expected also ") +
                       std::string(example));
    return false;
  }

  void ReadForwardTo() {
    ConfigText text;
    const bool has = reader_->Text("forward_to", &text);
    if (!Belongs("forward_to", Undelivered::kForward,
                 has ? "undelivered = \"forward\"" : "forward_to = \"postmaster@example.org\"") ||
        !has) {
      return;
    }
    const size_t at = text.text.rfind('@');
    const std::string_view user = std::string_view(text.text).substr(0, at);
    const std::string name = AddressKey(text.text);
    if (at == std::string::npos || !IsMailboxUser(user) ||
        !IsQualifiedDomainName(std::string_view(name).substr(at + 1))) {
      Expect(text, WithIdnaReason("is not an address to forward to", DomainPart(text.text)),
             "for example \"postmaster@example.org\"");
      return;
    }
    if (name.size() > kAddressOctetsMax || text.text.size() > kAddressOctetsMax) {
      Expect(text, "is too long for an address",
             "at most " + std::to_string(kAddressOctetsMax) + " octets, also in its ASCII form");
      return;
    }
    local_.forward_to = text.text;
    const bool is_local = std::find(local_.domains.begin(), local_.domains.end(),
                                    name.substr(at + 1)) != local_.domains.end();
    if (!is_local || local_.mailboxes.empty()) return;
    const auto& names = local_.mailboxes;
    if (std::find(names.begin(), names.end(), name) == names.end() &&
        std::find(names.begin(), names.end(), name.substr(0, at)) == names.end()) {
      Expect(text, "is itself no mailbox, and mail would go round in a circle",
             "one of \"mailboxes\", or an address elsewhere");
    }
  }

  void ReadRelayTo() {
    std::vector<ConfigText> texts;
    const bool has = reader_->Texts("relay_to", "an array of hosts", kConfigViaHosts, &texts);
    if (!Belongs("relay_to", Undelivered::kRelay,
                 has ? "undelivered = \"relay\"" : "relay_to = \"mail.example.org\"")) {
      return;
    }
    for (const ConfigText& text : texts) {
      ViaHost host;
      if (!ParseViaHost(text.text, &host)) {
        Expect(text, "is not a host to send to", "\"mail.example.net\" or \"192.0.2.25:2525\"");
      } else if (IsOwnListener(host, config_)) {
        Expect(text, "is our own listener, and mail would go round in a circle", "another host");
      } else {
        local_.relay_to.push_back(std::move(host));
      }
    }
    if (const char* expected = WhyNoViaList(local_.relay_to)) {
      problems_->Add(reader_->PositionOf("relay_to"),
                     std::string("\"relay_to\" cannot be used as it is; expected ") + expected);
    }
  }

  ConfigReader* const reader_;
  Config& config_;
  LocalConfig& local_;
  ConfigProblems* const problems_;
  std::map<std::string, uint32_t> lines_;  // of domains and aliases
};

}  // namespace

void ReadLocalKeys(ConfigReader* reader, Config* config, ConfigProblems* problems) {
  LocalReader(reader, config, problems).Read();
}

}  // namespace outbox::core
