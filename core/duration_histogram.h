// DurationHistogram: how long something took, many times. One thread writes, any thread reads.
//
// Durations in microseconds fall into buckets that grow with the value: 32 a power of two, so one
// is at most 3 % wide. DurationCounts is the same as a plain value: what a reader adds up the
// shards' histograms into, and what a program of one thread uses.
#ifndef OUTBOX_CORE_DURATION_HISTOGRAM_H_
#define OUTBOX_CORE_DURATION_HISTOGRAM_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace outbox::core {

// The buckets; every int64_t of nanoseconds has one.
struct DurationBuckets {
  static constexpr uint64_t kFine = 32;  // a power of two
  static constexpr int kFineBits = 5;
  static constexpr size_t kCount = 1600;

  // Negative durations count as zero.
  static size_t Of(int64_t ns) {
    const uint64_t us = static_cast<uint64_t>(std::max<int64_t>(ns, 0)) / 1000;
    if (us < kFine) return us;
    const int exponent = static_cast<int>(std::bit_width(us)) - 1;
    const uint64_t above = static_cast<uint64_t>(exponent - kFineBits) + 1;
    return above * kFine + ((us >> (exponent - kFineBits)) & (kFine - 1));
  }
  static uint64_t LowerBoundUs(size_t bucket) {
    if (bucket < kFine) return bucket;
    return (kFine + bucket % kFine) << (bucket / kFine - 1);
  }
};

class DurationCounts {
 public:
  void Add(int64_t ns) {
    ++buckets_[DurationBuckets::Of(ns)];
    ++total_;
    max_ns_ = std::max(max_ns_, ns);
  }
  void Add(size_t bucket, uint64_t count) {
    buckets_[bucket] += count;
    total_ += count;
  }
  void RaiseMax(int64_t ns) { max_ns_ = std::max(max_ns_, ns); }

  uint64_t total() const { return total_; }
  uint64_t count(size_t bucket) const { return buckets_[bucket]; }
  int64_t max_ns() const { return max_ns_; }
  // The lower bound of the bucket in which the `fraction` of all durations is reached; 0 when there
  // are none.
  uint64_t PercentileUs(double fraction) const {
    const double wanted = fraction * static_cast<double>(total_);
    uint64_t seen = 0;
    for (size_t i = 0; i < buckets_.size(); ++i) {
      seen += buckets_[i];
      if (seen > 0 && static_cast<double>(seen) >= wanted) return DurationBuckets::LowerBoundUs(i);
    }
    return 0;
  }

 private:
  std::array<uint64_t, DurationBuckets::kCount> buckets_ = {};
  uint64_t total_ = 0;
  int64_t max_ns_ = 0;
};

class DurationHistogram {
 public:
  // Writer.
  void Add(int64_t ns) {
    std::atomic<uint64_t>& bucket = buckets_[DurationBuckets::Of(ns)];
    bucket.store(bucket.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    if (ns > max_ns_.load(std::memory_order_relaxed)) {
      max_ns_.store(ns, std::memory_order_relaxed);
    }
  }
  // Anyone. What is added meanwhile may be missing in part.
  void AddTo(DurationCounts* sum) const {
    for (size_t i = 0; i < buckets_.size(); ++i) {
      const uint64_t count = buckets_[i].load(std::memory_order_relaxed);
      if (count > 0) sum->Add(i, count);
    }
    sum->RaiseMax(max_ns_.load(std::memory_order_relaxed));
  }

 private:
  std::array<std::atomic<uint64_t>, DurationBuckets::kCount> buckets_ = {};
  std::atomic<int64_t> max_ns_ = 0;
};

}  // namespace outbox::core

#endif  // OUTBOX_CORE_DURATION_HISTOGRAM_H_
