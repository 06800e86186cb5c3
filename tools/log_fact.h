// LogFact: one line of the event log, in whichever of its two forms, as `outbox report` uses it.
#ifndef OUTBOX_TOOLS_LOG_FACT_H_
#define OUTBOX_TOOLS_LOG_FACT_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace outbox::tools {

struct LogFact {
  int64_t time_ns = 0;  // wall time
  std::string event;    // its name in JSON; of a classic line the one that it was made of
  std::string id;
  // Of a notice: the message that it is about; of one that took the place of another: that one.
  std::string about;
  std::string into;  // of recipients that were re-routed: the message that took their place
  std::string client;
  std::string sender;
  bool has_sender = false;
  int64_t size = 0;
  int64_t recipients = 0;
  std::vector<std::string> to;  // those that are named
  std::string route;
  std::string destination;
  std::string was;  // the destination before, of a message that was routed again
  std::string mailhost;
  std::string reply;  // with code and status
  int64_t delay_ms = -1;
  std::string next_attempt;
  std::string by;      // who has ordered it
  std::string reason;  // and why
};

// False: it is no line of the log, or says nothing about a message.
bool ParseLogFact(std::string_view line, LogFact* fact);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_LOG_FACT_H_
