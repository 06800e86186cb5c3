#include "queue/local_domains.h"

#include <utility>

#include "core/check.h"
#include "core/domain_name.h"
#include "core/idna.h"
#include "core/mailbox_name.h"
#include "queue/destination_key.h"

namespace outbox::queue {
namespace {

// The lists are in maps of their own.
core::LocalConfig WithoutLists(core::LocalConfig config) {
  config.domains = {};
  config.aliases = {};
  config.mailboxes = {};
  return config;
}

std::string NoMailboxKey(const core::LocalConfig& config) {
  switch (config.undelivered) {
    case core::Undelivered::kRelay:
      return ViaKey(config.relay_to);
    case core::Undelivered::kDiscard:
      return std::string(kDiscardKey);
    case core::Undelivered::kReject:
    case core::Undelivered::kReport:
    case core::Undelivered::kForward:  // what is forwarded to nobody
      break;
  }
  return std::string(kNoMailboxKey);
}

}  // namespace

LocalDomains::LocalDomains(const core::LocalConfig& config)
    : config_(WithoutLists(config)),
      key_(config.maildir.empty() ? ViaKey(config.lmtp) : MaildirKey(config.maildir)),
      no_mailbox_key_(NoMailboxKey(config)) {
  for (const std::string& domain : config.domains) domains_[domain] = domain;
  for (const auto& [alias, domain] : config.aliases) domains_[alias] = domain;
  if (config.ask || !config.mailbox_file.empty()) return;
  auto list = std::make_shared<MailboxList>();
  for (const std::string& name : config.mailboxes) list->Add(name);
  list_ = std::move(list);
}

bool LocalDomains::OwnsDomainOf(std::string_view recipient) const {
  const size_t at = recipient.rfind('@');
  if (at == std::string_view::npos) return false;
  core::ToALabels(recipient.substr(at + 1), &lower_);
  return Owns(lower_);
}

LocalAnswer LocalDomains::Find(std::string_view recipient) const {
  CHECK(OwnsDomainOf(recipient));
  const std::string& domain = domains_.find(lower_)->second;
  const std::string_view written = recipient.substr(0, recipient.rfind('@'));
  const auto answer = [&](LocalStanding standing, std::string_view user) {
    address_.assign(user).append("@").append(domain);
    return LocalAnswer{standing, address_};
  };
  if (!core::IsMailboxUser(written)) return answer(LocalStanding::kNoMailbox, written);
  lower_ = core::ToLower(written);
  const std::string_view user = lower_;
  const size_t part =
      config_.subaddress.empty() ? std::string_view::npos : user.find(config_.subaddress, 1);
  const std::string_view base = user.substr(0, part);
  if (config_.ask) return answer(LocalStanding::kAsk, base);
  if (list_ == nullptr) return answer(LocalStanding::kNotKnown, base);
  if (list_->Has(user, domain)) return answer(LocalStanding::kMailbox, user);
  if (list_->Has(base, domain)) return answer(LocalStanding::kMailbox, base);
  return answer(LocalStanding::kNoMailbox, written);
}

}  // namespace outbox::queue
