#include "tools/sink_ledger.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdio>

namespace outbox::tools {

void SinkLedger::AddRecipient(std::string_view address, SinkRecipients* recipients) {
  const bool first = recipients->accepted++ == 0;
  const std::optional<LoadRecipient> ours = ParseRecipient(address);
  if (!ours || ours->number >= kLoadRecipientsMax) return;
  if (first) recipients->id = ours->id;
  if (ours->id != recipients->id) {
    ++recipients->misdirected;
    return;
  }
  recipients->mask |= uint64_t{1} << ours->number;
}

void SinkLedger::AddMessage(const SinkRecipients& recipients, std::string_view head, uint64_t hash,
                            uint64_t bytes, int64_t now_ns) {
  ++messages_;
  bytes_ += bytes;
  if (first_ns_ == 0) first_ns_ = now_ns;
  last_ns_ = now_ns;
  const std::optional<LoadHead> ours = ParseHead(head);
  if (!ours || ours->id >= kLoadIdMax) {
    ++unidentified_;
    return;
  }
  if (ours->hash != hash) {
    ++corrupted_;
    return;
  }
  misdirected_ += recipients.misdirected;
  if (ours->id != recipients.id) {
    misdirected_ += static_cast<uint64_t>(std::popcount(recipients.mask));
    return;
  }
  if (ours->id >= delivered_.size()) {
    delivered_.resize(std::max<size_t>(ours->id + 1, delivered_.size() * 2));
  }
  uint64_t& known = delivered_[ours->id];
  if (known == 0 && recipients.mask != 0) ++unique_messages_;
  duplicates_ += static_cast<uint64_t>(std::popcount(known & recipients.mask));
  unique_recipients_ += static_cast<uint64_t>(std::popcount(recipients.mask & ~known));
  known |= recipients.mask;
  if (ours->id >= latency_from_) latency_.Add(now_ns - ours->time_ns);
}

nlohmann::json SinkLedger::ToJson() const {
  const double seconds = static_cast<double>(last_ns_ - first_ns_) / 1e9;
  return {{"messages", messages_},
          {"unique_messages", unique_messages_},
          {"unique_recipients", unique_recipients_},
          {"duplicates", duplicates_},
          {"corrupted", corrupted_},
          {"misdirected", misdirected_},
          {"unidentified", unidentified_},
          {"deferred", deferred_},
          {"rejected", rejected_},
          {"protocol_errors", protocol_errors_},
          {"bytes", bytes_},
          {"connections", connections_},
          {"connections_open", connections_open_},
          {"connections_max", connections_max_},
          {"first_ns", first_ns_},
          {"last_ns", last_ns_},
          {"seconds", seconds},
          {"latency", LatencyJson(latency_)},
          {"cpu", CpuJson()}};
}

core::Status SinkLedger::WriteIds(const std::string& path) const {
  FILE* file = std::fopen(path.c_str(), "we");
  if (file == nullptr) return core::Status::FromErrno(errno, path);
  for (size_t id = 0; id < delivered_.size(); ++id) {
    for (uint64_t mask = delivered_[id]; mask != 0; mask &= mask - 1) {
      std::fprintf(file, "%zu.%d\n", id, std::countr_zero(mask));
    }
  }
  if (std::fclose(file) != 0) return core::Status::FromErrno(EIO, path);
  return core::OkStatus();
}

}  // namespace outbox::tools
