#include "queue/spool/offline_log.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/crc32c.h"
#include "queue/message_id.h"
#include "queue/message_meta.h"
#include "queue/spool/coding.h"

namespace outbox::queue {
namespace {

// Reads `bytes` at `offset`; less at the end of the file or at an error.
std::string ReadAt(const std::string& path, uint64_t offset, uint64_t bytes) {
  std::string out;
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return out;
  out.resize(bytes);
  size_t got = 0;
  while (got < bytes) {
    const ssize_t n = pread(fd, &out[got], bytes - got, static_cast<off_t>(offset + got));
    if (n <= 0) break;
    got += static_cast<size_t>(n);
  }
  close(fd);
  out.resize(got);
  return out;
}

uint64_t SizeOf(const std::string& path) {
  struct stat info = {};
  return stat(path.c_str(), &info) == 0 ? static_cast<uint64_t>(info.st_size) : 0;
}

}  // namespace

core::Status OfflineLog::Read(const std::string& directory) {
  DIR* dir = opendir(directory.c_str());
  if (dir == nullptr) return core::Status::FromErrno(errno, "read " + directory);
  std::vector<std::string> names;
  while (const dirent* entry = readdir(dir)) {
    if (SegmentNumber(entry->d_name)) names.emplace_back(entry->d_name);
  }
  closedir(dir);
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) ReadSegment(directory + "/" + name);
  std::sort(log_uses_.begin(), log_uses_.end(),
            [](const Use& a, const Use& b) { return a.use.generation > b.use.generation; });
  for (const Use& segment : log_uses_) ReadLogSegment(segment);
  std::sort(copies_.begin(), copies_.end());
  copies_.erase(std::unique(copies_.begin(), copies_.end()), copies_.end());
  for (const auto& [id, waits] : waits_for_state_) {
    if (waits) damages_.push_back("message " + FormatMessageId(id) + ": its state is lost");
  }
  return core::Status();
}

void OfflineLog::ReadSegment(const std::string& path) {
  ++segments_;
  const std::string head = ReadAt(path, 0, kSegmentDataAt);
  const uint64_t size = SizeOf(path);
  if (head.size() < kSegmentDataAt) {
    if (size >= kSegmentDataAt) untouchable_ = path + " cannot be read";
    return;  // was never completed
  }
  segment_bytes_ = std::max(segment_bytes_, size);
  const std::span<const char> bytes(head);
  if (OfOtherVersion(bytes.first(kBlock))) {
    damages_.push_back(path + ": written by another version");
    untouchable_ = path + " is of another version";
    return;
  }
  const auto header = DecodeSegmentHeader(bytes.first(kBlock));
  const auto mark = DecodeRetireMark(bytes.subspan(kRetireMarkAt, kBlock));
  if (mark) {
    next_id_ = std::max(next_id_, mark->next_id);
    generation_max_ = std::max(generation_max_, mark->generation);
    log_id_ = mark->log_id;
  }
  if (header) {
    next_id_ = std::max(next_id_, header->next_id);
    generation_max_ = std::max(generation_max_, header->use.generation);
    log_id_ = header->log_id;
    if (mark && mark->generation >= header->use.generation) {
      ++free_;
      free_segments_.push_back({.path = path, .bytes = size});
    } else if (header->kind == SegmentKind::kLog) {
      log_uses_.push_back({path, header->use});
    } else {
      extents_[header->use.generation] = path;
    }
    return;
  }
  // The log's id is in every batch: take what the first one says.
  const std::string whole = ReadAt(path, 0, SizeOf(path));
  for (size_t at = kSegmentDataAt; at + kBatchHeaderBytes <= whole.size(); at += kBlock) {
    const auto batch =
        DecodeBatchHeader(std::span<const char>(whole).subspan(at, kBatchHeaderBytes));
    if (!batch) continue;
    const auto use = FindUse(whole, batch->log_id, mark ? mark->generation : 0);
    if (use) {
      damages_.push_back(path + ": header damaged");
      log_uses_.push_back({path, *use});
      generation_max_ = std::max(generation_max_, use->generation);
      return;
    }
    break;
  }
  if (mark) ++free_;
}

void OfflineLog::ReadLogSegment(const Use& segment) {
  const std::string whole = ReadAt(segment.path, 0, SizeOf(segment.path));
  uint32_t durable = durable_[segment.use.generation];
  bool sealed = false;
  if (whole.size() > kBlock) {
    const auto footer = DecodeFooter(std::span<const char>(whole).last(kBlock));
    if (footer && footer->use.generation == segment.use.generation) {
      durable = std::max(durable, footer->data_end);
      next_id_ = std::max(next_id_, footer->next_id);
      sealed = true;
    }
  }
  const SegmentContents contents = ScanSegment(whole, segment.use, durable);
  for (const std::string& damage : contents.damages)
    damages_.push_back(segment.path + ": " + damage);
  uint32_t& before = durable_[contents.durable_generation];
  before = std::max(before, contents.durable_offset);
  next_id_ = std::max(next_id_, contents.next_id);
  if (newest_.path.empty()) NoteNewest(segment, contents, sealed, whole.size());
  batches_ += contents.batches;
  records_ += contents.records;
  torn_ += contents.torn_records;
  for (size_t i = contents.entries.size(); i > 0; --i) Take(segment, contents.entries[i - 1]);
}

void OfflineLog::NoteNewest(const Use& segment, const SegmentContents& contents, bool sealed,
                            uint64_t bytes) {
  newest_.path = segment.path;
  newest_.bytes = bytes;
  newest_.use = segment.use;
  newest_.data_end = contents.data_end;
  newest_.durable_end = contents.durable_end;
  const bool whole = contents.torn_records == 0 && contents.data_end == contents.batches_end &&
                     contents.damage_count == 0 && !sealed;
  newest_.empty = whole && contents.batches == 0;
  newest_.appendable = whole && contents.batches > 0;
}

std::vector<uint64_t> OfflineLog::CopiesOf(uint64_t id) const {
  std::vector<uint64_t> generations;
  for (auto at = std::lower_bound(copies_.begin(), copies_.end(), std::pair(id, uint64_t{0}));
       at != copies_.end() && at->first == id; ++at) {
    generations.push_back(at->second);
  }
  return generations;
}

void OfflineLog::Take(const Use& segment, const EntryRef& entry) {
  if (entry.type == EntryType::kDone) {
    done_[entry.id] = true;
    return;
  }
  if (done_.contains(entry.id)) return;
  if (IsMessage(entry.type)) {
    copies_.emplace_back(entry.id, segment.use.generation);
    next_id_ = std::max(next_id_, entry.id + 1);
  }
  const auto known = messages_.find(entry.id);
  if (entry.type == EntryType::kState) {
    std::string bytes(entry.data.data(), entry.data.size());
    if (known == messages_.end()) {
      states_.try_emplace(entry.id, std::move(bytes));
    } else if (waits_for_state_[entry.id]) {
      known->second.state = std::move(bytes);
      waits_for_state_[entry.id] = false;
    }
    return;
  }
  if (!IsMessage(entry.type) || known != messages_.end()) return;
  const auto meta = MetaView::Parse(entry.data);
  if (!meta || meta->id() != entry.id) {
    damages_.push_back(segment.path + ": offset " + std::to_string(entry.offset) +
                       ": envelope damaged");
    return;
  }
  OfflineMessage& message = messages_[entry.id];
  message.id = entry.id;
  message.meta.assign(entry.data.data(), meta->meta_bytes());
  message.path = segment.path;
  message.body_at = uint64_t{entry.offset} + kEntryHeaderBytes + meta->meta_bytes();
  message.body_bytes = meta->body().size();
  const auto state = states_.find(entry.id);
  if (state != states_.end()) {
    message.state = std::move(state->second);
    states_.erase(state);
  } else if (entry.type == EntryType::kMovedMessage) {
    waits_for_state_[entry.id] = true;
  }
}

core::Result<std::string> OfflineLog::Body(const OfflineMessage& message) const {
  const auto meta = MetaView::Parse(message.meta);
  const auto lost = [&](const std::string& what) {
    return core::Status(core::StatusCode::kDataLoss,
                        "message " + FormatMessageId(message.id) + ": " + what);
  };
  if (!meta) return lost("envelope damaged");
  if (meta->extent_count() == 0) {
    std::string body = ReadAt(message.path, message.body_at, message.body_bytes);
    if (body.size() != message.body_bytes) return lost("body cannot be read");
    return body;
  }
  std::string body;
  for (uint32_t i = 0; i < meta->extent_count(); ++i) {
    const Extent extent = meta->extent(i);
    const auto file = extents_.find(extent.generation);
    if (file == extents_.end()) return lost("a piece of its body is lost");
    const std::string piece = ReadAt(file->second, extent.offset, extent.length);
    if (piece.size() != extent.length || core::Crc32c(piece) != extent.crc) {
      return lost("a piece of its body is damaged");
    }
    body += piece;
  }
  return body;
}

}  // namespace outbox::queue
