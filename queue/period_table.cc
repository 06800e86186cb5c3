#include "queue/period_table.h"

#include <cstring>

#include "core/time.h"

namespace outbox::queue {

const PeriodSet* PeriodTable::Find() {
  std::unique_ptr<PeriodSet>& set = sets_[key_];
  if (set == nullptr) {
    set = std::make_unique<PeriodSet>();
    const auto word = [this](size_t i) {
      uint32_t seconds = 0;
      std::memcpy(&seconds, key_.data() + i * sizeof(seconds), sizeof(seconds));
      return seconds;
    };
    for (size_t i = 2; i < key_.size() / sizeof(uint32_t); ++i) {
      set->retry_ns.push_back(int64_t{word(i)} * core::kNsPerSecond);
    }
    set->notify_after_ns =
        word(0) == Periods::kNotifyNever ? core::kNever : int64_t{word(0)} * core::kNsPerSecond;
    set->retry_until_ns = int64_t{word(1)} * core::kNsPerSecond;
  }
  last_key_ = key_;
  last_ = set.get();
  return last_;
}

}  // namespace outbox::queue
