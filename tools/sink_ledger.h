// SinkLedger: what smtp_sink knows of the messages that arrived.
//
// Counts recipients, not only messages, since a relay may hand over the recipients of one message
// in several transactions. A recipient of a message counts as delivered once, when it first arrives
// intact; again is a duplicate; a wrong hash is corrupted and delivers nothing.
#ifndef OUTBOX_TOOLS_SINK_LEDGER_H_
#define OUTBOX_TOOLS_SINK_LEDGER_H_

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/status.h"
#include "tools/load_message.h"
#include "tools/load_report.h"

namespace outbox::tools {

// The recipients of one transaction, as far as they are ours.
struct SinkRecipients {
  uint64_t id = 0;           // of the message that the first one names
  uint64_t mask = 0;         // bit k: recipient number k
  uint32_t accepted = 0;     // all that we said 250 to
  uint32_t misdirected = 0;  // of ours, those of another message than the first
};

class SinkLedger {
 public:
  // Latency is that of the messages from this id on: not of those that warmed a relay up.
  void CountLatencyFrom(uint64_t id) { latency_from_ = id; }
  void AddRecipient(std::string_view address, SinkRecipients* recipients);
  // One whole message. `head` is its header section, `hash` that of everything behind it.
  void AddMessage(const SinkRecipients& recipients, std::string_view head, uint64_t hash,
                  uint64_t bytes, int64_t now_ns);

  void CountConnection() {
    ++connections_;
    connections_max_ = std::max(connections_max_, ++connections_open_);
  }
  void CountConnectionEnd() { --connections_open_; }
  void CountDeferred() { ++deferred_; }
  void CountRejected() { ++rejected_; }
  void CountProtocolError() { ++protocol_errors_; }

  uint64_t messages() const { return messages_; }
  nlohmann::json ToJson() const;
  // One line "<id>.<k>" for each recipient that was delivered, in order.
  core::Status WriteIds(const std::string& path) const;

 private:
  std::vector<uint64_t> delivered_;  // by message id: a mask of recipient numbers
  core::DurationCounts latency_;         // from the source's sending of the content to its end here
  uint64_t latency_from_ = 0;
  uint64_t messages_ = 0;
  uint64_t bytes_ = 0;
  uint64_t unique_messages_ = 0;
  uint64_t unique_recipients_ = 0;
  uint64_t duplicates_ = 0;
  uint64_t corrupted_ = 0;
  uint64_t misdirected_ = 0;
  uint64_t unidentified_ = 0;
  uint64_t deferred_ = 0;
  uint64_t rejected_ = 0;
  uint64_t protocol_errors_ = 0;
  uint64_t connections_ = 0;
  uint64_t connections_open_ = 0;
  uint64_t connections_max_ = 0;  // open at the same time
  int64_t first_ns_ = 0;
  int64_t last_ns_ = 0;
};

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_SINK_LEDGER_H_
