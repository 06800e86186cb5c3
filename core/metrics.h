// Metrics: what a shard counts. One thread writes, any thread reads.
//
// Every number has a row in OUTBOX_METRICS: its kind, its name (which is what `outbox stats --json`
// and monitoring show) and a sentence of help. A shard owns one ShardMetrics and writes it with
// plain relaxed stores, without a locked instruction; who answers a question adds up the shards.
// The numbers of one reading need not be of one instant.
//
// Where a name speaks of mail it counts recipients, except where it says messages.
#ifndef OUTBOX_CORE_METRICS_H_
#define OUTBOX_CORE_METRICS_H_

#include <atomic>
#include <cstdint>
#include <span>
#include <string_view>

#include "core/duration_histogram.h"

namespace outbox::core {

// A counter only grows. A gauge goes up and down; a shard's own part of it may be below zero (what
// one shard adds another may take away), the sum is not, but for an instant.
enum class MetricKind : uint8_t { kCounter, kGauge };

// clang-format off
#define OUTBOX_METRICS(X)                                                                          \
  /* The ledger: accepted + generated + recovered = delivered + bounced + expired + discarded */   \
  /* + removed + queued. */                                                                        \
  X(kCounter, accepted_total, "recipients acknowledged to a client with 250 after DATA")           \
  X(kCounter, recovered_total, "recipients found in the spool at the start")                       \
  X(kCounter, generated_total, "recipients of messages that we made (delivery status)")            \
  X(kCounter, delivered_total, "recipients that the next hop took over")                           \
  X(kCounter, bounced_total, "recipients that were refused for good")                              \
  X(kCounter, expired_total, "recipients given up after retry_until")                              \
  X(kCounter, archive_lost_total, "of the two before, copies for an archive")                      \
  X(kCounter, discarded_total, "recipients discarded by policy")                                   \
  X(kCounter, removed_total, "recipients removed by an operator")                                  \
  X(kGauge, queued, "recipients that are not final yet")                                           \
  X(kGauge, purged, "of these, recipients that are purged, which can still be undone")             \
  X(kGauge, sending, "recipients in a transaction now")                                            \
  X(kCounter, deferred_total, "times that a recipient was put off to a later attempt")             \
  X(kCounter, delayed_total, "recipients whose sender was told of a delay")                        \
  X(kCounter, attempts_total, "attempts to deliver a ticket")                                      \
  /* Receiving. */                                                                                 \
  X(kGauge, connections_in, "inbound connections now")                                             \
  X(kCounter, connections_in_total, "inbound connections accepted")                                \
  X(kCounter, accept_failures_total, "times that a connection could not be accepted")              \
  X(kCounter, connections_refused_total, "inbound connections refused by a connection limit")      \
  X(kCounter, messages_accepted_total, "messages acknowledged with 250 after DATA")                \
  X(kCounter, messages_refused_total, "messages refused after DATA")                               \
  X(kCounter, rejected_total, "recipients refused at RCPT")                                        \
  X(kCounter, no_room_total, "commands answered with 452 for want of disk or memory")              \
  X(kCounter, protocol_errors_in_total, "inbound sessions closed for what the client sent")        \
  X(kCounter, timeouts_in_total, "inbound sessions whose client kept silent or did not read")     \
  X(kCounter, tls_in_total, "inbound TLS handshakes that succeeded")                               \
  X(kCounter, tls_in_resumed_total, "of these, those that resumed a session")                      \
  X(kCounter, tls_in_failed_total, "inbound TLS handshakes that failed")                           \
  X(kCounter, auth_in_total, "clients that have authenticated themselves")                         \
  X(kCounter, auth_in_failed_total, "passwords that were wrong, and names that nobody has")        \
  X(kCounter, auth_in_refused_total, "passwords not looked at: too many, or too many wrong")       \
  X(kCounter, auth_in_senders_refused_total, "return paths that a user may not use")               \
  X(kCounter, auth_in_rate_refused_total, "commands refused by a user's rate")                     \
  X(kCounter, bytes_in_total, "bytes of messages received from clients")                           \
  X(kCounter, signed_total, "messages that got a DKIM signature")                                  \
  X(kCounter, not_signed_total, "messages that were to get a DKIM signature and did not")          \
  /* Sending. */                                                                                   \
  X(kGauge, connections_out, "outbound connections now")                                           \
  X(kCounter, connections_out_total, "outbound connections that were made")                        \
  X(kCounter, connect_failures_total, "outbound connections that could not be made")               \
  X(kCounter, shortages_total, "outbound connections that this machine had no means to make")      \
  X(kCounter, sessions_refused_total, "outbound sessions that the peer refused to open")           \
  X(kCounter, messages_delivered_total, "transactions that the next hop accepted")                 \
  X(kCounter, lost_connections_total, "transactions that the end of their session cut short")      \
  X(kCounter, timeouts_out_total, "outbound sessions ended by a timeout")                          \
  X(kCounter, tls_out_total, "outbound TLS handshakes that succeeded")                             \
  X(kCounter, tls_out_resumed_total, "of these, those that resumed a session")                     \
  X(kCounter, tls_out_failed_total, "outbound TLS handshakes that failed")                         \
  X(kCounter, auth_out_total, "outbound sessions that the host has taken our user in")             \
  X(kCounter, auth_out_failed_total, "outbound sessions in which it has not, or could not be told")\
  X(kCounter, bytes_out_total, "bytes of messages given to outbound sessions")                     \
  X(kCounter, site_slowdowns_total, "times that a reply has lowered the limits of a site")         \
  X(kCounter, site_suspensions_total, "times that a reply has suspended a site")                   \
  X(kCounter, hot_windows_total, "messages sent straight from the hot tail of the log")            \
  X(kCounter, hot_extents_total, "pieces of big messages sent from the memory they came into")     \
  X(kCounter, fetches_total, "reads of message bodies from the spool")                             \
  /* The spool. */                                                                                 \
  X(kGauge, spool_bytes, "disk space taken by the spool")                                          \
  X(kGauge, disk_low, "logs that take no new mail for want of disk: 452 4.3.1")                    \
  X(kGauge, spool_live_bytes, "bytes of the spool that are still needed")                          \
  X(kGauge, messages_queued, "messages with a recipient that is not final")                        \
  X(kCounter, commits_total, "group commits written")                                              \
  X(kCounter, commit_records_total, "records in these commits")                                    \
  X(kCounter, commit_bytes_total, "bytes in these commits")                                        \
  X(kCounter, commit_errors_total, "commits that the disk refused")                                \
  X(kCounter, reclaimed_bytes_total, "bytes of live records moved by reclaim")                     \
  X(kGauge, recovering, "logs of the spool that are still being read after the start")             \
  X(kCounter, spool_damages_total, "damaged records found")                                        \
  /* The machine room. */                                                                          \
  X(kGauge, memory_bytes, "memory allocated by the process")                                       \
  X(kGauge, timers, "timers set")                                                                  \
  X(kGauge, tickets, "tickets: a message and a destination")                                       \
  X(kGauge, shelved, "of these, kept back by their home until others have been tried")             \
  X(kGauge, destinations, "destinations known")                                                    \
  X(kCounter, lanes_opened_total, "times that a busy destination was opened to all shards")        \
  X(kCounter, turns_total, "turns of the loop")                                                    \
  X(kCounter, uring_enters_total, "system calls into io_uring")                                    \
  X(kCounter, uring_overflows_total, "turns that found the completion queue overrun")              \
  X(kCounter, receives_parked_total, "receives that waited for a buffer")                          \
  X(kCounter, mailbox_messages_total, "items sent to other shards")                                \
  X(kCounter, mailbox_full_total, "items that had to wait for a full mailbox")                     \
  X(kCounter, wakes_total, "times that another shard was woken")                                   \
  X(kCounter, atomic_retries_total, "times that another shard changed a shared word first")        \
  X(kCounter, log_dropped_total, "events dropped because the log could not keep up")          \
  X(kCounter, talk_lost_total, "failed dialogues that could not be written to the disk")
// clang-format on

// One number of one shard.
class MetricCell {
 public:
  // Writer.
  void Add(int64_t amount = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  void Subtract(int64_t amount = 1) { Add(-amount); }
  void Set(int64_t value) { value_.store(value, std::memory_order_relaxed); }
  // Anyone.
  int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_ = 0;
};

// All numbers of one shard: metrics.delivered_total.Add(3). On cache lines of its own.
struct alignas(64) ShardMetrics {
#define OUTBOX_METRIC_CELL(kind, name, help) MetricCell name;
  OUTBOX_METRICS(OUTBOX_METRIC_CELL)
#undef OUTBOX_METRIC_CELL
  // From the turn that began to write a commit to the turn that saw it on the disk.
  DurationHistogram commit_time;
  // Of the turns in which an operator's command was at work: the processor time that it took of
  // them, and that they took in all, the kernel's part included.
  DurationHistogram command_time;
  DurationHistogram command_turn_time;
};

struct MetricInfo {
  std::string_view name;
  std::string_view help;
  MetricKind kind;
  MetricCell ShardMetrics::* cell;
};

// All rows, in the order above.
std::span<const MetricInfo> MetricTable();

// The sum over all shards.
int64_t SumMetric(const MetricInfo& metric, std::span<const ShardMetrics* const> shards);

}  // namespace outbox::core

#endif  // OUTBOX_CORE_METRICS_H_
