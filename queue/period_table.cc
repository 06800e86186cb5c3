#include "queue/period_table.h"

#include <cstring>

#include "core/time.h"

namespace outbox::queue {
namespace {

void AppendWord(uint32_t word, std::string* out) {
  char bytes[sizeof(word)];
  std::memcpy(bytes, &word, sizeof(word));
  out->append(bytes, sizeof(word));
}

}  // namespace

const PeriodSet* PeriodTable::Intern(const GroupView& group) {
  key_.clear();
  AppendWord(group.periods().notify_after_s, &key_);
  AppendWord(group.periods().retry_until_s, &key_);
  for (uint32_t i = 0; i < group.retry_count(); ++i) AppendWord(group.retry_s(i), &key_);
  if (last_ != nullptr && key_ == last_key_) return last_;
  std::unique_ptr<PeriodSet>& set = sets_[key_];
  if (set == nullptr) {
    set = std::make_unique<PeriodSet>();
    for (uint32_t i = 0; i < group.retry_count(); ++i) {
      set->retry_ns.push_back(int64_t{group.retry_s(i)} * core::kNsPerSecond);
    }
    set->notify_after_ns = group.periods().notify_after_s == Periods::kNotifyNever
                               ? core::kNever
                               : int64_t{group.periods().notify_after_s} * core::kNsPerSecond;
    set->retry_until_ns = int64_t{group.periods().retry_until_s} * core::kNsPerSecond;
  }
  last_key_ = key_;
  last_ = set.get();
  return last_;
}

}  // namespace outbox::queue
