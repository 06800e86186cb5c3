#include "queue/spool/offline_writer.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/crc32c.h"
#include "core/limits.h"
#include "queue/message_id.h"
#include "queue/spool/coding.h"

namespace outbox::queue {
namespace {

// Of one write: what a crash can take back.
constexpr size_t kBatchBytes = 512u << 10;

core::Status Errno(const std::string& what) { return core::Status::FromErrno(errno, what); }

core::Status WriteAll(int fd, std::span<const char> bytes, uint64_t at, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t n = pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return Errno("write " + path);
    bytes = bytes.subspan(static_cast<size_t>(n));
    at += static_cast<uint64_t>(n);
  }
  return core::Status();
}

core::Status SyncDirectory(const std::string& directory) {
  const int fd = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return Errno("open " + directory);
  const bool synced = fsync(fd) == 0;
  const core::Status status = synced ? core::Status() : Errno("sync " + directory);
  close(fd);
  return status;
}

}  // namespace

OfflineWriter::OfflineWriter(std::string directory, const OfflineLog* log)
    : directory_(std::move(directory)),
      log_(log),
      free_(log->free()),
      next_generation_(log->generation_max() + 1) {
  if (log->newest() != nullptr) {
    durable_generation_ = log->newest()->use.generation;
    durable_offset_ = log->newest()->durable_end;
  }
}

OfflineWriter::~OfflineWriter() { Close(); }

void OfflineWriter::Close() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

// It names every use in which the message was met, but its own: so that is fixed first.
core::Status OfflineWriter::Done(uint64_t id) {
  const core::Status opened = Reserve(kEntryHeaderBytes + 8 * core::kSuspectSegmentsMax);
  if (!opened.ok()) return opened;
  std::string guards;
  for (const uint64_t generation : log_->CopiesOf(id)) {
    if (guards.size() / 8 == core::kSuspectSegmentsMax) break;  // recovery guards the others
    if (generation != use_.generation) queue::Add<uint64_t>(&guards, generation);
  }
  return Add(EntryType::kDone, id, guards);
}

core::Status OfflineWriter::State(uint64_t id, std::span<const char> state) {
  return Add(EntryType::kState, id, state);
}

core::Status OfflineWriter::Add(EntryType type, uint64_t id, std::span<const char> data) {
  const size_t bytes = Align8(static_cast<uint32_t>(kEntryHeaderBytes + data.size()));
  if (bytes > core::kRecordBytesMax) {
    return core::Status(core::StatusCode::kInvalidArgument,
                        "message " + FormatMessageId(id) + ": its state is too large for a record");
  }
  const core::Status reserved = Reserve(bytes);
  if (!reserved.ok()) return reserved;
  const bool full = batch_.size() - record_at_ + bytes > core::kRecordBytesMax ||
                    record_entries_ == core::kDoneEntriesPerRecord;
  if (record_at_ != 0 && (record_type_ != type || full)) EndRecord();
  if (record_at_ == 0) {
    record_at_ = batch_.size();
    record_entries_ = record_crc_ = 0;
    record_type_ = type;
    batch_.append(kRecordHeaderBytes, '\0');
  }
  const size_t at = batch_.size();
  batch_.append(bytes, '\0');
  std::copy(data.begin(), data.end(), batch_.begin() + static_cast<ptrdiff_t>(at) +
                                          static_cast<ptrdiff_t>(kEntryHeaderBytes));
  EntryHeader entry;
  entry.type = type;
  entry.bytes = static_cast<uint32_t>(data.size());
  entry.id = id;
  EncodeEntryHeader(use_, next_at_ + static_cast<uint32_t>(at), entry, &batch_[at]);
  record_crc_ = core::Crc32cExtend(record_crc_, {&batch_[at], kEntryHeaderBytes});
  ++record_entries_;
  return core::Status();
}

core::Status OfflineWriter::Reserve(size_t entry_bytes) {
  if (!batch_.empty() && Room(entry_bytes)) return core::Status();
  const core::Status status = Flush();
  return status.ok() ? OpenBatch(entry_bytes) : status;
}

void OfflineWriter::EndRecord() {
  if (record_at_ == 0) return;
  RecordHeader header;
  header.bytes = static_cast<uint32_t>(batch_.size() - record_at_ - kRecordHeaderBytes);
  header.entry_count = record_entries_;
  header.entries_crc = record_crc_;
  EncodeRecordHeader(use_, next_at_ + static_cast<uint32_t>(record_at_), header,
                     &batch_[record_at_]);
  ++records_;
  record_at_ = 0;
}

// The last block of a segment is left for what seals one.
bool OfflineWriter::Room(size_t entry_bytes) const {
  const size_t bytes = batch_.size() + kRecordHeaderBytes + entry_bytes;
  const uint64_t end = next_at_ + Align(static_cast<uint32_t>(bytes), kBlock);
  return bytes <= std::max(kBatchBytes, kBatchHeaderBytes + kRecordHeaderBytes + entry_bytes) &&
         end + kBlock <= segment_bytes_;
}

core::Status OfflineWriter::OpenBatch(size_t entry_bytes) {
  batch_.assign(kBatchHeaderBytes, '\0');
  records_ = 0;
  record_at_ = 0;
  while (fd_ < 0 || !Room(entry_bytes)) {
    Close();
    const core::Status status = FindPlace();
    if (!status.ok()) {
      batch_.clear();
      return status;
    }
  }
  return core::Status();
}

core::Status OfflineWriter::Flush() {
  if (batch_.empty()) return core::Status();
  EndRecord();
  if (records_ > 0) {
    BatchHeader header;
    header.use = use_;
    header.log_id = log_->log_id();
    header.offset = next_at_;
    header.bytes = static_cast<uint32_t>(batch_.size());
    header.record_count = records_;
    header.durable_generation = durable_generation_;
    header.durable_offset = durable_offset_;
    header.next_id = log_->next_id();
    EncodeBatchHeader(header, batch_.data());
    batch_.resize(Align(static_cast<uint32_t>(batch_.size()), kBlock));
    const core::Status written = WriteAll(fd_, batch_, next_at_, path_);
    if (!written.ok()) return written;
    if (fdatasync(fd_) != 0) return Errno("sync " + path_);
    next_at_ += static_cast<uint32_t>(batch_.size());
    durable_generation_ = use_.generation;
    durable_offset_ = next_at_;
  }
  batch_.clear();
  return core::Status();
}

// --- Where to ----------------------------------------------------------------------------------

core::Status OfflineWriter::FindPlace() {
  const OfflineSegment* const newest = log_->newest();
  if (!std::exchange(tried_newest_, true) && newest != nullptr && newest->empty) {
    return Open(newest->path, newest->bytes, newest->use, kSegmentDataAt);
  }
  if (!free_.empty()) {
    const OfflineSegment segment = free_.back();
    free_.pop_back();
    return BeginUse(segment.path, segment.bytes, /*fresh=*/false);
  }
  std::string path;
  const uint64_t bytes = newest != nullptr ? newest->bytes : log_->segment_bytes();
  const core::Status made = MakeFile(&path, bytes);
  if (made.ok()) return BeginUse(path, bytes, /*fresh=*/true);
  // Behind what was written last; nothing of a later use has been written meanwhile.
  const bool tail = newest != nullptr && newest->appendable &&
                    next_generation_ == log_->generation_max() + 1;
  if (!std::exchange(tried_tail_, true) && tail) {
    return Open(newest->path, newest->bytes, newest->use, newest->data_end);
  }
  return core::Status(made.code(), "there is no room for what was to be written: no free segment, "
                                   "and " + made.message());
}

core::Status OfflineWriter::Open(const std::string& path, uint64_t bytes, const SegmentUse& use,
                                 uint32_t at) {
  fd_ = open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (fd_ < 0) return Errno("open " + path);
  path_ = path;
  segment_bytes_ = bytes;
  use_ = use;
  next_at_ = at;
  return core::Status();
}

core::Status OfflineWriter::BeginUse(const std::string& path, uint64_t bytes, bool fresh) {
  SegmentHeader header;
  header.kind = SegmentKind::kLog;
  header.log_id = log_->log_id();
  header.use.generation = next_generation_++;
  if (getrandom(&header.use.salt, sizeof header.use.salt, 0) != sizeof header.use.salt) {
    return Errno("getrandom");
  }
  header.segment_bytes = bytes;
  header.next_id = log_->next_id();
  const core::Status opened = Open(path, bytes, header.use, kSegmentDataAt);
  if (!opened.ok()) return opened;
  std::array<char, io::kBlockBytes> block = {};
  EncodeSegmentHeader(header, block);
  const core::Status written = WriteAll(fd_, block, 0, path);
  if (!written.ok()) return written;
  if (fdatasync(fd_) != 0) return Errno("sync " + path);
  return fresh ? SyncDirectory(directory_) : core::Status();
}

// Of the log's owner, who must be able to use it.
core::Status OfflineWriter::MakeFile(std::string* path, uint64_t bytes) {
  struct stat place = {};
  if (stat(directory_.c_str(), &place) != 0) return Errno("look at " + directory_);
  uint32_t number = 0;
  int fd = -1;
  for (; fd < 0 && number < core::kSegmentsPerLog; ++number) {
    *path = directory_ + "/" + SegmentFileName(number);
    fd = open(path->c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (fd < 0 && errno != EEXIST) return Errno("make " + *path);
  }
  if (fd < 0) return core::Status(core::StatusCode::kResourceExhausted, "no segment has a number");
  const int error = posix_fallocate(fd, 0, static_cast<off_t>(bytes));
  core::Status status = error == 0 ? core::Status()
                                   : core::Status::FromErrno(error, "make room for " + *path);
  if (status.ok() && geteuid() == 0 && fchown(fd, place.st_uid, place.st_gid) != 0) {
    status = Errno("give " + *path + " to the owner of the spool");
  }
  if (status.ok() && fsync(fd) != 0) status = Errno("sync " + *path);
  close(fd);
  if (!status.ok()) unlink(path->c_str());
  return status;
}

}  // namespace outbox::queue
