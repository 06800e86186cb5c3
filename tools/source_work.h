// SourceWork: which messages smtp_source still has to send, and what became of those it sent.
//
// One object for all connections of a run. A message that was refused for now, or whose connection
// broke, comes back and is sent again under the same id, until the run ends.
#ifndef OUTBOX_TOOLS_SOURCE_WORK_H_
#define OUTBOX_TOOLS_SOURCE_WORK_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/status.h"
#include "tools/load_message.h"
#include "tools/load_report.h"

namespace outbox::tools {

struct SourceOptions {
  std::string to = "127.0.0.1:2525";
  std::string from;  // local address to connect from; empty: any
  uint32_t connections = 20;
  uint64_t messages = 1000;
  uint64_t first_id = 1;
  std::string size = "4KiB";
  uint64_t domains = 1;
  uint32_t recipients = 1;
  std::string suffix = "load.test";
  std::string sender = "news@sender.load.test";
  bool pipelining = false;
  bool chunking = false;        // BDAT instead of DATA
  uint64_t per_connection = 0;  // messages; 0: no limit
  double rate = 0;              // messages a second; 0: as fast as it goes
  uint32_t retry_ms = 100;      // before a new connection after a failure
  double seconds_max = 0;       // end then, whatever is left; 0: no limit
  uint64_t failures_max = 1'000'000;
  bool progress = false;
  std::string result_file;
  std::string ids_file;
};

class SourceWork {
 public:
  // `options` outlives this object.
  explicit SourceWork(const SourceOptions& options);
  ~SourceWork();
  SourceWork(const SourceWork&) = delete;
  SourceWork& operator=(const SourceWork&) = delete;

  // Opens the file of accepted ids, if one is wanted.
  core::Status Open();
  // Writes the ids that were accepted since the last call, in one write, so that the file never
  // knows less than a turn ago.
  core::Status FlushIds();

  // The next message to send: nothing when none is left, or not yet (the rate; see next_due_ns).
  std::optional<uint64_t> Take(int64_t now_ns);
  // True when there is something to take now or later.
  bool has_more() const { return !again_.empty() || next_ < end_; }
  // When the rate lets the next message go. Meaningful while has_more().
  int64_t next_due_ns() const { return next_due_ns_; }
  bool done() const { return finished_ == options_.messages; }
  bool too_many_failures() const;

  void Accepted(uint64_t id, int64_t now_ns, int64_t latency_ns);
  void RefusedForNow(uint64_t id, std::string_view reply);
  void RefusedForGood(uint64_t id, std::string_view reply);
  // The connection broke. `content_sent`: the message may have been accepted without our knowing.
  void Interrupted(uint64_t id, bool content_sent);
  void CountConnection() { ++connections_; }
  void CountConnectionFailure(std::string_view why);

  uint64_t accepted() const { return accepted_; }
  const BodyPool& bodies() const { return bodies_; }
  const SourceOptions& options() const { return options_; }
  nlohmann::json ToJson() const;

 private:
  void Remember(std::string_view error);

  const SourceOptions& options_;
  BodyPool bodies_;
  core::DurationCounts latency_;
  std::vector<uint64_t> again_;
  uint64_t next_;
  uint64_t end_;
  int64_t next_due_ns_ = 0;
  uint64_t finished_ = 0;  // accepted or refused for good
  uint64_t accepted_ = 0;
  uint64_t deferred_ = 0;
  uint64_t rejected_ = 0;
  uint64_t ambiguous_ = 0;
  uint64_t connections_ = 0;
  uint64_t connection_failures_ = 0;
  int64_t first_ns_ = 0;
  int64_t last_ns_ = 0;
  std::vector<std::string> errors_;  // the first few different ones
  int ids_fd_ = -1;
  std::string ids_;
};

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_SOURCE_WORK_H_
