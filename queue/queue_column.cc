#include "queue/queue_column.h"

#include <cstddef>

namespace outbox::queue {
namespace {

using enum QueueColumn;

// A domain that is routed by MX is known without its message's meta (QueueFilter::DomainOf); the
// others are not.
constexpr QueueColumnInfo kTable[kQueueColumns] = {
    {kId, "id", "id", false, false},
    {kState, "state", "state", false, true},
    {kAge, "age", "age_seconds", false, true},
    {kTries, "tries", "attempts", false, true},
    {kNext, "next", "next_attempt", false, false},
    {kSender, "sender", "sender", true, true},
    {kRecipient, "recipient", "recipient", true, false},
    {kDomain, "domain", "domain", true, true},
    {kMailhost, "mailhost", "mailhost", false, true},
    {kSize, "size", "size", false, false},
    {kReply, "reply", "last_reply", false, true},
    {kRoute, "route", "route", true, true},
    {kSource, "source", "source", false, true},
};

}  // namespace

std::span<const QueueColumnInfo> QueueColumnTable() { return kTable; }

const QueueColumnInfo& InfoOf(QueueColumn column) { return kTable[static_cast<size_t>(column)]; }

std::optional<QueueColumn> ParseQueueColumn(std::string_view name) {
  for (const QueueColumnInfo& info : kTable) {
    if (name == info.name) return info.column;
  }
  return std::nullopt;
}

}  // namespace outbox::queue
