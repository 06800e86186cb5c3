// PeriodTable: the sets of periods that queued messages have, each kept once.
//
// Accepting stores the three periods with the message (they outlive a reload); in memory a ticket
// holds a pointer to its set. There are as many sets as routes differ in their periods, over the
// time that the process has run. Shard-local.
#ifndef OUTBOX_QUEUE_PERIOD_TABLE_H_
#define OUTBOX_QUEUE_PERIOD_TABLE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/string_map.h"
#include "queue/message_meta.h"

namespace outbox::queue {

struct PeriodSet {
  std::vector<int64_t> retry_ns;  // at least one
  int64_t notify_after_ns = 0;    // kNever: never
  int64_t retry_until_ns = 0;
};

class PeriodTable {
 public:
  // The set of a group. Stays in place for the life of the table.
  const PeriodSet* Intern(const GroupView& group) {
    return Intern(group.periods(), group.retry_count(),
                  [&group](uint32_t i) { return group.retry_s(i); });
  }
  // `retry_s(i)`: the steps of the schedule, `count` of them, in seconds.
  template <typename RetryS>
  const PeriodSet* Intern(const Periods& periods, uint32_t count, RetryS&& retry_s) {
    key_.clear();
    AppendWord(periods.notify_after_s);
    AppendWord(periods.retry_until_s);
    for (uint32_t i = 0; i < count; ++i) AppendWord(retry_s(i));
    return last_ != nullptr && key_ == last_key_ ? last_ : Find();
  }
  size_t size() const { return sets_.size(); }

 private:
  void AppendWord(uint32_t word) {
    key_.append(reinterpret_cast<const char*>(&word), sizeof(word));
  }
  // The set with key_.
  const PeriodSet* Find();

  core::StringMap<std::unique_ptr<PeriodSet>> sets_;  // by encoded periods
  std::string key_;                                   // scratch
  std::string last_key_;
  const PeriodSet* last_ = nullptr;  // most messages have the periods of the one before
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_PERIOD_TABLE_H_
