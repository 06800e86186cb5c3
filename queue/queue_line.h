// QueueLine: one queued recipient, as a listing shows it; and the order of lines by a column.
#ifndef OUTBOX_QUEUE_QUEUE_LINE_H_
#define OUTBOX_QUEUE_QUEUE_LINE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>

#include "io/io.h"
#include "queue/message_meta.h"
#include "queue/queue_column.h"
#include "queue/queue_walk.h"
#include "queue/recipient_state.h"

namespace outbox::queue {

struct HomeTicket;  // queue/home_ticket.h
class LiveHosts;

// Where a line stands among others. Text is compared in lower case.
struct QueueSortKey {
  int64_t number = 0;
  std::string text;
  // Equal ones stand in the order of their messages.
  uint64_t id = 0;
  uint32_t index = 0;  // of the recipient in its message

  // Comes before `other`, in the order that is asked for.
  bool Before(const QueueSortKey& other, bool descending) const {
    if (number != other.number) return (number < other.number) != descending;
    if (text != other.text) return (text < other.text) != descending;
    return std::tie(id, index) < std::tie(other.id, other.index);
  }
};

struct QueueLine {
  uint64_t id = 0;
  std::string sender;
  std::string recipient;
  std::string domain;
  std::string route;       // when the message was accepted
  std::string source;      // that it is sent from (queue/destination_key.h); empty: none
  std::string mailhost;    // that it is being sent to, or that spoke last; may be empty
  std::string last_reply;  // "450 4.2.1 mailbox busy"; empty: none
  RecipientState state = RecipientState::kReady;
  uint32_t attempts = 0;
  int64_t next_attempt_wall_ns = 0;  // 0: nothing is to be waited for
  int64_t age_ns = 0;
  uint64_t size = 0;
  QueueSortKey key;  // of a sorted listing
};

// A recipient that is looked at. Without its meta the strings are not known.
struct QueueItem {
  const HomeTicket* ticket = nullptr;
  uint32_t index = 0;  // of the recipient
  const MetaView* meta = nullptr;
  const WalkPart::Recipient* recipient = nullptr;  // with meta
};

// The line of an item; of its strings those that `columns` name.
QueueLine MakeQueueLine(const QueueItem& item, const io::Io& io, const LiveHosts* live,
                        QueueColumns columns = kAllQueueColumns);

// The domain of an item, if it is known without its meta; else empty.
std::string_view KnownDomain(const HomeTicket& ticket);
// The item must be read from the spool before the columns are known.
bool NeedsMeta(const HomeTicket& ticket, QueueColumns columns);

// Sets number and text (whose memory is used again), id and index.
void MakeSortKey(const QueueItem& item, QueueColumn column, const io::Io& io, const LiveHosts* live,
                 QueueSortKey* key);

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_QUEUE_LINE_H_
