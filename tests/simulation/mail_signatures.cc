#include "tests/simulation/mail_signatures.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "tests/dkim/check_signatures.h"
#include "tests/dkim/rfc_keys.h"

namespace outbox::simulation {
namespace {

constexpr char kAll[] = "*.example";

const dkim::TestKeys& Keys() {
  static const auto* const keys =
      new dkim::TestKeys{{"ed", dkim::RfcEd25519Key()}, {"rsa", dkim::RfcRsaKey()}};
  return *keys;
}

// Of "From: name@domain" or "From: words <name@domain>" in the header section.
std::string_view AuthorDomain(std::string_view content) {
  const size_t header = std::min(content.find("\r\n\r\n"), content.size());
  const size_t field = content.substr(0, header).find("\r\nFrom: ");
  if (field == std::string_view::npos) return {};
  const std::string_view line =
      content.substr(field + 2, content.find("\r\n", field + 2) - field - 2);
  const std::string_view domain = line.substr(line.rfind('@') + 1);
  return domain.substr(0, domain.find('>'));
}

std::string Joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text.empty() ? "none" : text;
}

}  // namespace

MailSignatures::MailSignatures(core::Random* random) {
  std::vector<std::string> domains = {kAll};
  if (random->Chance(1, 2)) domains = {"d0.example", "d2.example", "d3.example", "relay.example"};
  // Most of the time the slow one: its way is the longer one.
  std::vector<std::string> selectors = {"rsa"};
  if (random->Chance(1, 3)) selectors.push_back("ed");
  if (random->Chance(1, 5)) selectors = {"ed"};
  for (const std::string& selector : selectors) {
    core::DkimConfig entry;
    entry.domains = domains;
    entry.selector = selector;
    entry.relaxed_header = random->Chance(1, 2);
    entry.relaxed_body = random->Chance(1, 2);
    entry.headers = {"from", "to", "subject", "x-ledger-id"};
    entry.oversign = {"from"};
    entry.key = Keys().at(selector);
    entries_.push_back(std::move(entry));
  }
}

std::vector<std::string> MailSignatures::Wanted(std::string_view domain) const {
  std::vector<std::string> wanted;
  for (const core::DkimConfig& entry : entries_) {
    const bool all = entry.domains[0] == kAll;
    const auto named = std::find(entry.domains.begin(), entry.domains.end(), domain);
    if (!all && named == entry.domains.end()) continue;
    wanted.push_back(entry.selector + " d=" + (all ? "example" : std::string(domain)));
  }
  return wanted;
}

std::string MailSignatures::WrongWith(const TakenMessage& message) const {
  std::vector<std::string> found = dkim::CheckSignatures(message.content, Keys());
  std::vector<std::string> wanted = Wanted(AuthorDomain(message.content));
  if (wanted.empty()) {  // the author has no key; the sender may
    wanted = Wanted(message.reverse_path.substr(message.reverse_path.rfind('@') + 1));
  }
  std::sort(found.begin(), found.end());
  std::sort(wanted.begin(), wanted.end());
  if (found == wanted || (switched_ && found.empty())) return {};
  return "mail to " + message.recipients[0] + " has the signatures " + Joined(found) +
         " instead of " + Joined(wanted);
}

}  // namespace outbox::simulation
