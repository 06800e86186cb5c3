// OperatorWork: something an operator has asked for that takes a shard more than one turn.
//
// Shard-local; kept and ticked by ShardOperator (queue/shard_operator.h) until done().
#ifndef OUTBOX_QUEUE_OPERATOR_WORK_H_
#define OUTBOX_QUEUE_OPERATOR_WORK_H_

namespace outbox::queue {

class OperatorWork {
 public:
  virtual ~OperatorWork() = default;
  // A bounded piece of it. Once a turn.
  virtual void Tick() = 0;
  // The loop must not sleep now.
  virtual bool wants_turn() const = 0;
  virtual bool done() const = 0;
  // The shard stops: done() follows within a few ticks.
  virtual void Stop() = 0;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_OPERATOR_WORK_H_
