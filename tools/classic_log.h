// ClassicLog: the event log in the form that programs know which read Postfix's log.
//
//     2026-11-22T20:16:00.104000+00:00 relay.example.com outbox/smtp[4711]: 1K0WCJNDQSZ00:
//     to=<bob@a.test>, relay=192.0.2.25[192.0.2.25]:25, delay=0.01, delays=0/0.01/0/0, dsn=2.0.0,
//     status=sent (250 2.0.0 Ok)
//
// (one line). The shards write every event as JSON; the helper thread that writes the file makes
// these lines of it, so that the form costs the mail path nothing. docs/operations.md says which
// event becomes which line. What peers say cannot pass for a line, nor for a member of one.
// Stateless; any thread.
#ifndef OUTBOX_TOOLS_CLASSIC_LOG_H_
#define OUTBOX_TOOLS_CLASSIC_LOG_H_

#include <string>
#include <string_view>

#include "tools/event_fields.h"

namespace outbox::tools {

class ClassicLog {
 public:
  // `name`: what stands before "/smtp[...]"; "postfix" for programs that insist on it.
  ClassicLog(std::string hostname, std::string name, int process_id);

  // Appends what becomes of whole lines of JSON: none, one or several lines each.
  void Translate(std::string_view events, std::string* out) const;

 private:
  void TranslateOne(const EventFields& event, std::string* out) const;
  void Begin(const EventFields& event, const char* program, std::string* out) const;
  void Accepted(const EventFields& event, bool generated, std::string* out) const;
  void Resubmitted(const EventFields& event, std::string* out) const;
  void Envelope(const EventFields& event, int64_t recipients, std::string* out) const;
  void Route(const EventFields& event, std::string* out) const;
  void Status(const EventFields& event, std::string* out) const;
  void Recipient(const EventFields& event, const std::string& to, const std::string& status,
                 std::string* out) const;
  void Rejected(const EventFields& event, std::string* out) const;
  void AuthFailed(const EventFields& event, std::string* out) const;
  void UserRefused(const EventFields& event, std::string* out) const;
  void HostSaid(const EventFields& event, std::string* out) const;
  void Other(const EventFields& event, std::string* out) const;

  const std::string hostname_;
  const std::string name_;
  const std::string process_;  // "[4711]: "
};

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_CLASSIC_LOG_H_
