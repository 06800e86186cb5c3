// The public face of the log: hands everything to its parts.
#include "queue/store.h"

#include <algorithm>

#include "core/time.h"
#include "queue/spool/log.h"

namespace outbox::queue {

Store::Store(io::Io* io, const StoreOptions& options)
    : log_(std::make_unique<Log>(io, options)) {}
Store::~Store() = default;

void Store::Open(RecoverySink* sink) {
  log_->sink = sink;
  log_->next_counter = static_cast<uint64_t>(std::max<int64_t>(
      log_->io->wall_ns() / core::kNsPerUs, 1));
  log_->recovery.Start();
}

void Store::Flush(std::function<void(const core::Status&)> done) {
  log_->StartFlush(std::move(done));
}
void Store::Close(std::function<void(const core::Status&)> done) {
  log_->StartClose(std::move(done));
}
void Store::Abandon() { log_->Abandon(); }
void Store::Tick() { log_->Tick(); }
int64_t Store::NextDeadline() const { return log_->NextDeadline(); }

uint64_t Store::NewId() {
  CHECK(log_->writable);
  return log_->NewId();
}
bool Store::accepting() const { return log_->accepting(); }
core::Status Store::status() const { return log_->status(); }
void Store::Append(AppendOp* op) { log_->writer.Append(op); }
void Store::Commit(CommitOp* op) { log_->writer.Commit(op); }
void Store::Done(Message* message) { log_->writer.Done(message); }

bool Store::BeginStream(BodyStream* stream, uint64_t expected_bytes) {
  return log_->accepting() && log_->streams.Begin(stream, expected_bytes);
}

Window Store::Lease(const Message* message) {
  const RecordPlace& place = message->place;
  if (!place.set()) return {};
  return log_->hot.Lease(log_->segments[place.segment()], place.offset() + kEntryHeaderBytes,
                         place.length() - kEntryHeaderBytes);
}
Window Store::LeaseExtent(const Extent& extent) { return log_->streams.Lease(extent); }
void Store::Fetch(FetchOp* op) { log_->fetcher.Fetch(op); }
void Store::CancelFetch(FetchOp* op) { log_->fetcher.Cancel(op); }
void Store::Return(const Window& window) {
  if (!window) return;
  if (log_->fetcher.Owns(window.buffer)) {
    log_->fetcher.Return(window.buffer);
  } else if (log_->streams.Owns(window.buffer)) {
    log_->streams.Return(window.buffer);
  } else {
    log_->hot.Return(window.buffer);
  }
}

Message* Store::Find(uint64_t id) { return log_->messages.Find(id); }
uint32_t Store::IndexOf(const Message* message) { return core::Slab<Message>::IndexOf(message); }
Message* Store::At(uint32_t index) { return log_->messages.At(index); }
bool Store::ForEach(uint32_t* cursor, uint32_t max, const std::function<void(Message*)>& visit) {
  return log_->messages.ForEach(cursor, max, visit);
}

StoreStats Store::stats() const {
  StoreStats stats = log_->stats;
  stats.messages = log_->messages.size();
  stats.live_bytes = log_->segments.live_bytes();
  stats.spool_bytes = log_->segments.disk_bytes();
  for (uint32_t i = 0; i < log_->segments.count(); ++i) {
    if (log_->segments[i].state != SegmentState::kAbsent) ++stats.segments;
  }
  stats.segments_free = log_->pool.free_count();
  stats.hot_bytes = log_->hot.leased_bytes() + log_->streams.leased_bytes();
  return stats;
}
const StoreOptions& Store::options() const { return log_->options; }
bool Store::recovered() const { return log_->recovery.finished() && log_->writable; }

}  // namespace outbox::queue
