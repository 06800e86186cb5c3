#include "tools/source_work.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace outbox::tools {
namespace {

constexpr size_t kErrorsMax = 8;

}  // namespace

SourceWork::SourceWork(const SourceOptions& options)
    : options_(options),
      bodies_(ParseSizes(options.size), options.chunking),
      next_(options.first_id),
      end_(options.first_id + options.messages) {}

SourceWork::~SourceWork() {
  if (ids_fd_ >= 0) close(ids_fd_);
}

core::Status SourceWork::Open() {
  if (options_.ids_file.empty()) return core::OkStatus();
  ids_fd_ = open(options_.ids_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (ids_fd_ < 0) return core::Status::FromErrno(errno, options_.ids_file);
  return core::OkStatus();
}

core::Status SourceWork::FlushIds() {
  if (ids_.empty()) return core::OkStatus();
  const ssize_t written = write(ids_fd_, ids_.data(), ids_.size());
  const bool whole = written == static_cast<ssize_t>(ids_.size());
  ids_.clear();
  if (!whole) return core::Status::FromErrno(written < 0 ? errno : EIO, options_.ids_file);
  return core::OkStatus();
}

std::optional<uint64_t> SourceWork::Take(int64_t now_ns) {
  if (!has_more()) return std::nullopt;
  if (options_.rate > 0) {
    if (next_due_ns_ == 0) next_due_ns_ = now_ns;  // nothing is owed at the beginning
    if (now_ns < next_due_ns_) return std::nullopt;
    const auto interval_ns = static_cast<int64_t>(1e9 / options_.rate);
    // Time that was lost by a slow receiver is not made up for beyond a tenth of a second.
    next_due_ns_ = std::max(next_due_ns_ + interval_ns, now_ns - 100'000'000);
  }
  if (first_ns_ == 0) first_ns_ = now_ns;
  if (!again_.empty()) {
    const uint64_t id = again_.back();
    again_.pop_back();
    return id;
  }
  return next_++;
}

bool SourceWork::too_many_failures() const {
  return deferred_ + connection_failures_ + ambiguous_ > options_.failures_max;
}

void SourceWork::Accepted(uint64_t id, int64_t now_ns, int64_t latency_ns) {
  ++finished_;
  ++accepted_;
  last_ns_ = now_ns;
  latency_.Add(latency_ns);
  if (ids_fd_ >= 0) ids_.append(std::to_string(id)).push_back('\n');
}

void SourceWork::RefusedForNow(uint64_t id, std::string_view reply) {
  ++deferred_;
  again_.push_back(id);
  Remember(reply);
}

void SourceWork::RefusedForGood(uint64_t, std::string_view reply) {
  ++finished_;
  ++rejected_;
  Remember(reply);
}

void SourceWork::Interrupted(uint64_t id, bool content_sent) {
  if (content_sent) ++ambiguous_;
  again_.push_back(id);
}

void SourceWork::CountConnectionFailure(std::string_view why) {
  ++connection_failures_;
  Remember(why);
}

void SourceWork::Remember(std::string_view error) {
  if (errors_.size() >= kErrorsMax) return;
  if (std::find(errors_.begin(), errors_.end(), error) == errors_.end())
    errors_.emplace_back(error);
}

nlohmann::json SourceWork::ToJson() const {
  const double seconds = static_cast<double>(last_ns_ - first_ns_) / 1e9;
  const bool measured = accepted_ > 0 && seconds > 0;
  return {{"messages", options_.messages},
          {"accepted", accepted_},
          {"deferred", deferred_},
          {"rejected", rejected_},
          {"ambiguous", ambiguous_},
          {"connections", connections_},
          {"connection_failures", connection_failures_},
          {"first_ns", first_ns_},
          {"last_ns", last_ns_},
          {"seconds", measured ? seconds : 0.0},
          {"rate", measured ? static_cast<double>(accepted_) / seconds : 0.0},
          {"latency", LatencyJson(latency_)},
          {"cpu", CpuJson()},
          {"errors", errors_}};
}

}  // namespace outbox::tools
