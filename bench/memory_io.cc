#include "bench/memory_io.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/time.h"

namespace outbox::bench {
namespace {

constexpr int64_t kStartNs = 1000 * core::kNsPerSecond;
constexpr int64_t kWallOffsetNs = 1'700'000'000 * core::kNsPerSecond;
constexpr int64_t kTurnNs = core::kNsPerUs;

}  // namespace

MemoryIo::MemoryIo() { SetNow(kStartNs); }

void MemoryIo::SetNow(int64_t now_ns) {
  now_ns_ = now_ns;
  wall_ns_ = now_ns + kWallOffsetNs;
}

core::Result<io::Socket> MemoryIo::Listen(const core::SocketAddress&, bool) {
  CHECK(false);
  return io::kNoHandle;
}

core::Result<io::Socket> MemoryIo::ListenUnix(const std::string&, uint32_t) {
  CHECK(false);
  return io::kNoHandle;
}

void MemoryIo::Complete(io::Op* op, int32_t result) {
  CHECK(!op->in_flight);
  op->in_flight = true;
  io::OpResult finished;
  finished.result = result;
  Finish(op, finished);
}

void MemoryIo::Turn(int64_t until_ns) {
  SetNow(due_.empty() && until_ns != core::kNever ? std::max(now_ns_, until_ns)
                                                  : now_ns_ + kTurnNs);
  running_.swap(due_);
  for (const Due& due : running_) {
    due.op->in_flight = due.result.more;
    due.op->done(due.op, due.result);
  }
  running_.clear();
}

void MemoryIo::Open(io::Op* op, const std::string& path, const io::OpenOptions& options) {
  const auto found = files_.find(path);
  if (found == files_.end() && !options.create) return Complete(op, -ENOENT);
  if (found != files_.end() && options.exclusive) return Complete(op, -EEXIST);
  open_.push_back(&files_[path]);
  Complete(op, static_cast<int32_t>(open_.size() - 1));
}

void MemoryIo::Read(io::Op* op, io::File file, std::span<char> into, uint64_t offset) {
  const File& from = At(file);
  const auto left = [offset](uint64_t end) { return offset < end ? end - offset : 0; };
  const uint64_t size = std::min<uint64_t>(into.size(), left(from.size));
  const uint64_t there = std::min<uint64_t>(size, left(from.bytes.size()));
  if (there > 0) std::memcpy(into.data(), from.bytes.data() + offset, there);
  std::fill(into.data() + there, into.data() + size, '\0');
  ++reads_;
  bytes_read_ += size;
  Complete(op, static_cast<int32_t>(size));
}

void MemoryIo::Write(io::Op* op, io::File file, std::span<const iovec> parts, uint64_t offset) {
  File& to = At(file);
  uint64_t at = offset;
  for (const iovec& part : parts) {
    if (keep_) {
      if (to.bytes.size() < at + part.iov_len) to.bytes.resize(at + part.iov_len);
      std::memcpy(to.bytes.data() + at, part.iov_base, part.iov_len);
    }
    at += part.iov_len;
  }
  to.size = std::max(to.size, at);
  Complete(op, static_cast<int32_t>(at - offset));
}

void MemoryIo::Fill(io::Op* op, io::File file, uint64_t bytes) {
  At(file).size = std::max(At(file).size, bytes);
  Complete(op, 0);
}

void MemoryIo::Rename(io::Op* op, const std::string& from, const std::string& to) {
  files_[to] = std::move(files_[from]);
  files_.erase(from);
  Complete(op, 0);
}

void MemoryIo::Unlink(io::Op* op, const std::string& path) {
  files_.erase(path);
  Complete(op, 0);
}

void MemoryIo::ListDirectory(io::Op* op, const std::string& path,
                             std::vector<io::FileInfo>* out) {
  const std::string inside = path + "/";
  int32_t count = 0;
  for (auto at = files_.lower_bound(inside); at != files_.end(); ++at, ++count) {
    if (!at->first.starts_with(inside)) break;
    out->push_back({at->first.substr(inside.size()), at->second.size, false});
  }
  Complete(op, count);
}

void MemoryIo::Space(io::Op* op, const std::string&, io::SpaceInfo* out) {
  out->total_bytes = out->free_bytes = uint64_t{1} << 42;
  Complete(op, 0);
}

}  // namespace outbox::bench
