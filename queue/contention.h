// Contention: changing a word that shards share, and how often another shard was faster. The count
// tells what more cores would cost before one has them: `atomic_retries_total`.
#ifndef OUTBOX_QUEUE_CONTENTION_H_
#define OUTBOX_QUEUE_CONTENTION_H_

#include <cstdint>

namespace outbox::queue {

// Of this thread, which is one shard. (A simulation runs all shards on one thread: nothing is ever
// tried again there.)
inline thread_local uint64_t contention_retries = 0;

// compare_exchange_weak, counted when it fails. The caller looks at `seen` again then.
template <typename Atomic, typename Value>
bool TryChange(Atomic* word, Value* seen, Value wanted) {
  if (word->compare_exchange_weak(*seen, wanted)) return true;
  ++contention_retries;
  return false;
}

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_CONTENTION_H_
