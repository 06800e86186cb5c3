// The columns of a listing: what is shown of a queued recipient, and what it is sorted and counted
// by. One table says it all.
#ifndef OUTBOX_QUEUE_QUEUE_COLUMN_H_
#define OUTBOX_QUEUE_QUEUE_COLUMN_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace outbox::queue {

enum class QueueColumn : uint8_t {
  kId,
  kState,
  kAge,
  kTries,
  kNext,
  kSender,
  kRecipient,
  kDomain,
  kMailhost,
  kSize,
  kReply,
  kRoute,
  kSource,
};
inline constexpr int kQueueColumns = 13;

// A set of them, a bit each.
using QueueColumns = uint16_t;
inline constexpr QueueColumns kAllQueueColumns = (1u << kQueueColumns) - 1;
constexpr QueueColumns ColumnBit(QueueColumn column) {
  return static_cast<QueueColumns>(1u << static_cast<uint8_t>(column));
}

struct QueueColumnInfo {
  QueueColumn column;
  const char* name;    // what operators call it
  const char* member;  // of a line in the protocol
  bool strings;        // lies in the message's meta: on disk, if it is not in the hot tail
  bool groups;         // few messages enough have the same: recipients can be counted by it
};

// All columns, in the order of the enum.
std::span<const QueueColumnInfo> QueueColumnTable();
const QueueColumnInfo& InfoOf(QueueColumn column);
// The column with this name, or nothing.
std::optional<QueueColumn> ParseQueueColumn(std::string_view name);

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_QUEUE_COLUMN_H_
