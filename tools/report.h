// MailReport: what became of recent mail, made of the lines of the event log.
//
// Takes the lines in any order that is roughly that of time, since shards write them independently,
// and puts together what belongs to a recipient: where he was routed and by which rule, the
// attempts, the outcome. Only the newest messages are kept one by one (kReportMessages); the older
// ones still count for their domains.
#ifndef OUTBOX_TOOLS_REPORT_H_
#define OUTBOX_TOOLS_REPORT_H_

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "tools/log_fact.h"

namespace outbox::tools {

// Messages that are kept one by one, and lines about one message.
inline constexpr size_t kReportMessages = 200'000;
inline constexpr size_t kReportLines = 10'000;
// Domains in a report; the mail of further ones is added up as "(others)".
inline constexpr size_t kReportDomains = 100'000;

// An empty member is any.
struct ReportFilter {
  std::string id;      // in capital letters; with the notices about it, and what took its place
  std::string domain;  // of the recipient, lower case
  // As `outbox queue` has them: "<>", and * for anything (queue/address_match.h).
  std::string sender;
  std::string recipient;
  int64_t since_ns = 0;
  int64_t until_ns = INT64_MAX;
  bool failed = false;  // what was put off and waits, or is given up
};

// What became of one recipient until now.
struct RecipientReport {
  std::string address;
  // held (by a route), delivered, deferred, bounced, expired, purged, removed, discarded, rerouted
  std::string state = "waiting";
  int64_t time_ns = 0;  // of its newest line
  std::string route;    // the rule that decides where it goes
  std::string destination;
  std::string was;   // the destination before it was routed again
  std::string into;  // the message that took its place
  std::string mailhost;
  std::string reply;  // the last one
  std::string next_attempt;
  int64_t delay_ms = -1;  // from its acceptance to its newest outcome
  int64_t failures = 0;   // attempts that put it off, or refused it
  bool told = false;      // its sender was told of a delay

  bool final() const {
    return state != "waiting" && state != "held" && state != "deferred" && state != "purged";
  }
  bool failed() const {
    return state == "bounced" || state == "expired" || (state == "deferred" && failures > 0);
  }
};

struct MessageReport {
  std::string id;
  int64_t accepted_ns = 0;  // 0: before the log's beginning
  std::string sender;
  bool sender_known = false;
  std::string client;
  std::string about;  // it is a notice about this message, or took its place
  std::string route;  // of all its recipients, if they have one in common
  std::string destination;
  int64_t size = 0;
  int64_t announced = 0;  // recipients at its acceptance
  std::vector<RecipientReport> recipients;
};

struct DomainReport {
  int64_t recipients = 0;
  int64_t delivered = 0;
  int64_t waiting = 0;  // with those that are deferred
  int64_t bounced = 0;
  int64_t expired = 0;
  int64_t removed = 0;
  int64_t discarded = 0;
  int64_t failures = 0;
  int64_t delay_sum_ms = 0;  // of those that are delivered
  int64_t delay_max_ms = 0;
  std::set<std::string> routes;  // at most some
  std::string last_failure;
  int64_t last_failure_ns = 0;
};

class MailReport {
 public:
  explicit MailReport(ReportFilter filter) : filter_(std::move(filter)) {}

  void Add(const LogFact& fact);

  // The messages, the oldest first.
  const std::deque<MessageReport>& messages() const { return messages_; }
  // The filter leaves this one. Messages that it does not mean are not taken in the first place.
  bool Wants(const MessageReport& message, const RecipientReport& recipient) const;
  // By domain, all that was added.
  std::map<std::string, DomainReport> Domains() const;
  // With a filter for one message: the lines about it.
  const std::vector<LogFact>& lines() const { return lines_; }

 private:
  bool MayMean(const LogFact& fact) const;
  bool WantsAddress(const std::string& recipient) const;
  bool WantsSender(const std::string& sender) const;
  MessageReport* MessageOf(const std::string& id);
  static RecipientReport* RecipientOf(MessageReport* message, const std::string& address);
  static void EndPurged(const LogFact& fact, MessageReport* message);
  void AddRoute(const LogFact& fact, MessageReport* message);
  static void AddOutcome(const LogFact& fact, RecipientReport* recipient);
  void Count(const MessageReport& message, std::map<std::string, DomainReport>* domains) const;

  const ReportFilter filter_;
  std::deque<MessageReport> messages_;
  uint64_t dropped_ = 0;                              // messages from the front
  std::unordered_map<std::string, uint64_t> places_;  // by id, counted from the very first
  std::map<std::string, DomainReport> older_;         // of those that were dropped
  std::vector<LogFact> lines_;
};

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_REPORT_H_
