#include "tools/report.h"

#include <algorithm>
#include <utility>

#include "core/idna.h"
#include "queue/address_match.h"

namespace outbox::tools {
namespace {

constexpr size_t kRoutesShown = 5;
// Of a route that holds.
constexpr std::string_view kHoldDestination = "hold:";

std::string DomainOf(const std::string& address) {
  const size_t at = address.rfind('@');
  return at == std::string::npos ? "(no domain)" : core::DomainKey(address.substr(at + 1));
}

bool IsArrival(const std::string& event) {
  return event == "accepted" || event == "generated" || event == "resubmitted";
}

bool IsOutcome(const LogFact& fact) {
  const std::string& event = fact.event;
  if (event == "rerouted") return !fact.into.empty();  // else it is on its way still
  return event == "delivered" || event == "deferred" || event == "bounced" || event == "expired" ||
         event == "removed" || event == "discarded" || event == "purged" || event == "undone";
}

}  // namespace

MessageReport* MailReport::MessageOf(const std::string& id) {
  const auto [place, is_new] = places_.emplace(id, dropped_ + messages_.size());
  if (!is_new) return &messages_[place->second - dropped_];
  if (messages_.size() >= kReportMessages) {
    Count(messages_.front(), &older_);
    places_.erase(messages_.front().id);
    messages_.pop_front();
    ++dropped_;
  }
  messages_.emplace_back().id = id;
  return &messages_.back();
}

RecipientReport* MailReport::RecipientOf(MessageReport* message, const std::string& address) {
  for (RecipientReport& one : message->recipients) {
    if (one.address == address) return &one;
  }
  RecipientReport& added = message->recipients.emplace_back();
  added.address = address;
  added.route = message->route;
  added.destination = message->destination;
  return &added;
}

void MailReport::Add(const LogFact& fact) {
  if (fact.time_ns < filter_.since_ns || fact.time_ns > filter_.until_ns) return;
  if (!filter_.id.empty()) {
    if (fact.id != filter_.id && fact.about != filter_.id && !places_.contains(fact.id) &&
        !places_.contains(fact.about)) {
      return;
    }
    if (lines_.size() < kReportLines) lines_.push_back(fact);
  }
  if (!MayMean(fact) && !places_.contains(fact.id)) return;
  MessageReport* const message = MessageOf(fact.id);
  if (fact.has_sender && !message->sender_known) {
    message->sender = fact.sender;
    message->sender_known = true;
  }
  if (!fact.client.empty()) message->client = fact.client;
  if (!fact.about.empty()) {
    message->about = fact.about;
    message->sender_known = true;  // the null reverse-path
  }
  if (fact.size > 0) message->size = fact.size;
  if (IsArrival(fact.event)) {
    if (message->accepted_ns == 0) message->accepted_ns = fact.time_ns;
    message->announced = std::max(message->announced, fact.recipients);
  }
  if (!fact.route.empty()) AddRoute(fact, message);
  if (fact.event == "removed" && fact.to.empty()) EndPurged(fact, message);
  for (const std::string& to : fact.to) {
    RecipientReport* const recipient = RecipientOf(message, to);
    recipient->time_ns = std::max(recipient->time_ns, fact.time_ns);
    AddOutcome(fact, recipient);
  }
}

// When a purge is final the message is not read again for its names: they were told before.
void MailReport::EndPurged(const LogFact& fact, MessageReport* message) {
  int64_t left = fact.recipients;
  for (RecipientReport& recipient : message->recipients) {
    if (recipient.state != "purged" || left == 0) continue;
    --left;
    recipient.state = "removed";
    recipient.time_ns = std::max(recipient.time_ns, fact.time_ns);
  }
}

void MailReport::AddRoute(const LogFact& fact, MessageReport* message) {
  if (IsArrival(fact.event)) {
    message->route = fact.route;
    message->destination = fact.destination;
  }
  for (const std::string& to : fact.to) {
    RecipientReport* const recipient = RecipientOf(message, to);
    recipient->route = fact.route;
    recipient->destination = fact.destination;
    if (recipient->state == "waiting" || recipient->state == "held") {
      recipient->state = fact.destination == kHoldDestination ? "held" : "waiting";
    }
    if (!fact.was.empty()) recipient->was = fact.was;
  }
}

void MailReport::AddOutcome(const LogFact& fact, RecipientReport* recipient) {
  if (fact.event == "delayed") recipient->told = true;
  if (fact.event == "attempt_failed" || fact.event == "refused") {
    if (recipient->final()) return;  // another shard's line, which comes late
    recipient->mailhost = fact.mailhost;
    recipient->reply = fact.reply;
    return;
  }
  if (!IsOutcome(fact)) return;
  if (recipient->final() && fact.event == "deferred") return;
  if (fact.event == "undone") {  // it waits again
    if (recipient->state == "purged") {
      recipient->state = recipient->destination == kHoldDestination ? "held" : "waiting";
    }
    return;
  }
  recipient->state = fact.event;
  recipient->into = fact.into;
  if (!fact.mailhost.empty()) recipient->mailhost = fact.mailhost;
  if (!fact.reply.empty()) recipient->reply = fact.reply;
  if (recipient->destination.empty()) recipient->destination = fact.destination;
  recipient->delay_ms = fact.delay_ms;
  recipient->next_attempt = fact.next_attempt;
  if (fact.event == "deferred" || fact.event == "bounced") ++recipient->failures;
}

bool MailReport::WantsAddress(const std::string& recipient) const {
  return (filter_.domain.empty() || DomainOf(recipient) == filter_.domain) &&
         (filter_.recipient.empty() || queue::MatchesAddress(filter_.recipient, recipient));
}

bool MailReport::WantsSender(const std::string& sender) const {
  return filter_.sender.empty() || queue::MatchesSender(filter_.sender, sender);
}

// Of a line about a message that is not known yet: it may be one of those that are meant. Of the
// others, which may be millions, nothing is kept.
bool MailReport::MayMean(const LogFact& fact) const {
  if (filter_.domain.empty() && filter_.recipient.empty() && filter_.sender.empty()) return true;
  if (fact.has_sender && !WantsSender(fact.sender)) return false;
  // Who does not know all its recipients does not know that none is meant; nor its sender, in the
  // classic form.
  const bool names_all = fact.recipients <= static_cast<int64_t>(fact.to.size());
  if (IsArrival(fact.event) && (fact.to.empty() || !names_all)) return true;
  if (!filter_.sender.empty() && !fact.has_sender) return false;
  return std::any_of(fact.to.begin(), fact.to.end(),
                     [this](const std::string& to) { return WantsAddress(to); });
}

bool MailReport::Wants(const MessageReport& message, const RecipientReport& recipient) const {
  const bool known = filter_.sender.empty() || message.sender_known;
  return known && WantsAddress(recipient.address) && WantsSender(message.sender) &&
         (!filter_.failed || recipient.failed());
}

void MailReport::Count(const MessageReport& message,
                       std::map<std::string, DomainReport>* domains) const {
  for (const RecipientReport& recipient : message.recipients) {
    if (!Wants(message, recipient)) continue;
    std::string name = DomainOf(recipient.address);
    if (domains->size() >= kReportDomains && !domains->contains(name)) name = "(others)";
    DomainReport& domain = (*domains)[name];
    ++domain.recipients;
    domain.failures += recipient.failures;
    if (recipient.state == "delivered") {
      ++domain.delivered;
      domain.delay_sum_ms += std::max<int64_t>(0, recipient.delay_ms);
      domain.delay_max_ms = std::max(domain.delay_max_ms, recipient.delay_ms);
    } else if (recipient.state == "bounced") {
      ++domain.bounced;
    } else if (recipient.state == "expired") {
      ++domain.expired;
    } else if (recipient.state == "removed" || recipient.state == "rerouted") {
      ++domain.removed;
    } else if (recipient.state == "discarded") {
      ++domain.discarded;
    } else {
      ++domain.waiting;
    }
    if (!recipient.route.empty() && domain.routes.size() < kRoutesShown) {
      domain.routes.insert(recipient.route);
    }
    if (recipient.failed() && recipient.time_ns >= domain.last_failure_ns) {
      domain.last_failure_ns = recipient.time_ns;
      domain.last_failure = recipient.reply;
    }
  }
}

std::map<std::string, DomainReport> MailReport::Domains() const {
  std::map<std::string, DomainReport> domains = older_;
  for (const MessageReport& message : messages_) Count(message, &domains);
  return domains;
}

}  // namespace outbox::tools
