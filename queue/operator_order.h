// OperatorOrder: how an operator wants recipients to end, and in whose name.
//
// They share one way (queue/home_purge.cc): a ticket that is out is recalled first, and who has
// been delivered by then is delivered.
#ifndef OUTBOX_QUEUE_OPERATOR_ORDER_H_
#define OUTBOX_QUEUE_OPERATOR_ORDER_H_

#include <cstdint>
#include <string>

namespace outbox::queue {

enum class FinalOrder : uint8_t {
  kRemove,  // gone at once; nobody is told
  kPurge,   // the same after a time for second thoughts
  kBounce,  // returned to their senders now
};

struct OrderDetails {
  int64_t undo_ns = 0;      // kPurge: until it is final; 0: at once
  std::string reason = {};  // kBounce: the sender reads it; else for the log, may be empty
  std::string by = {};      // who has given it, "uid 1000"; empty: not known
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_OPERATOR_ORDER_H_
