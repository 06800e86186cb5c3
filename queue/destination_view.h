// DestinationView: a destination as its owner shard sees it, for an operator who asks why.
//
// A copy of the facts at one moment; times are wall clock. Made on the owner's shard, read
// anywhere.
#ifndef OUTBOX_QUEUE_DESTINATION_VIEW_H_
#define OUTBOX_QUEUE_DESTINATION_VIEW_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "queue/suspension_list.h"
#include "queue/wait_reason.h"

namespace outbox::queue {

// What keeps the mail that is ready at a destination from being sent this very moment.
using DestinationLimit = WaitReason;

struct HostView {
  std::string name;
  int64_t down_until_wall_ns = 0;  // tried last until then; 0: is not
  std::string_view trouble;        // why, HostTroubleName; empty: it is not
};

struct DestinationView {
  std::string key;
  uint32_t shard = 0;
  bool lanes = false;        // so busy that every shard sends its own part
  uint64_t ready = 0;        // tickets that wait for a delivery
  uint64_t sending = 0;      // tickets in an attempt
  uint64_t resolving = 0;    // tickets that wait for the DNS
  uint32_t connections = 0;  // of this shard, open or being opened
  std::vector<HostView> hosts;
  std::string trouble;  // why its hosts are not known, or are left alone: a sentence; or empty
  int64_t asked_again_wall_ns = 0;  // the DNS, with kUnresolved
  // The site, over all shards.
  bool has_site = false;
  std::string site;       // its name
  std::string site_rate;  // "100/min"; empty: no limit
  int64_t rate_until_wall_ns = 0;
  uint32_t site_connections = 0;
  uint32_t site_limit = 0;
  uint32_t site_window = 0;    // connections that the slow start allows; 0: the limit
  uint32_t site_failures = 0;  // in a row
  int64_t blocked_until_wall_ns = 0;
  int64_t user_refused_until_wall_ns = 0;  // kUser
  // Why it gets less, or nothing.
  int64_t paused_until_wall_ns = 0;   // kPaused
  int64_t lowered_until_wall_ns = 0;  // kSlowed; it recovers then
  std::string site_rate_now;          // "10/min", while it is not what is configured
  std::string site_reply;             // that has lowered it, and of whom
  std::string site_reply_host;
  std::optional<Suspension> suspension;  // kSuspended
  uint32_t shard_connections_max = 0;    // what kOutbound is about
  bool in_line = false;                  // for one of them
  bool machine_short = false;
  std::string source;  // that its key names; empty: none
  std::string source_addresses;
  std::string source_helo;
  bool source_lost = false;  // kSource
  bool trial = false;        // one of its messages looks whether it is let in again: kCanary
  DestinationLimit limit = DestinationLimit::kNone;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_DESTINATION_VIEW_H_
