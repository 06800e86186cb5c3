#include "io/sim_disk.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "core/check.h"
#include "io/sim_io.h"
#include "io/sim_world.h"

namespace outbox::io {
namespace {

bool IsAligned(uint64_t value) { return value % kBlockBytes == 0; }

// O_DIRECT's rules, as the kernel has them.
bool IsAligned(std::span<const iovec> parts) {
  for (const iovec& part : parts) {
    if (!IsAligned(reinterpret_cast<uintptr_t>(part.iov_base)) || !IsAligned(part.iov_len)) {
      return false;
    }
  }
  return true;
}

std::string Join(std::span<const iovec> parts) {
  std::string joined;
  for (const iovec& part : parts) {
    joined.append(static_cast<const char*>(part.iov_base), part.iov_len);
  }
  return joined;
}

}  // namespace

SimDisk::SimDisk(SimWorld* world, int node)
    : world_(world),
      node_(node),
      files_(&world->random()),
      capacity_bytes_(world->options().disk.capacity_bytes) {}

void SimDisk::CrashAt(uint64_t n, SimCrashMode mode) {
  crash_at_ = n;
  crash_mode_ = mode;
}

void SimDisk::FailChange(uint64_t n, int error) { failing_changes_[n] = error; }

bool SimDisk::SetFailing(const std::string& path, bool reads, bool writes) {
  SimInode* file = files_.Find(path);
  if (file == nullptr) return false;
  file->fail_reads = reads;
  file->fail_writes = writes;
  return true;
}

bool SimDisk::SetBadRange(const std::string& path, uint64_t offset, uint64_t bytes) {
  SimInode* file = files_.Find(path);
  if (file == nullptr) return false;
  file->bad.emplace_back(offset, offset + bytes);
  return true;
}

bool SimDisk::FlipBit(const std::string& path, uint64_t offset, int bit) {
  SimInode* file = files_.Find(path);
  if (file == nullptr || offset >= file->size()) return false;
  files_.Sync(file);
  char byte = 0;
  files_.Read(*file, offset, std::span(&byte, 1));
  byte = static_cast<char>(byte ^ (1 << bit));
  files_.WriteDurable(file, offset, std::string_view(&byte, 1));
  return true;
}

std::string SimDisk::ReadAll(const std::string& path) {
  const SimInode* file = files_.Find(path);
  if (file == nullptr) return "";
  std::string bytes(file->size(), '\0');
  files_.Read(*file, 0, bytes);
  return bytes;
}

void SimDisk::MakeDirectory(const std::string& path) {
  CHECK(files_.MakeDirectory(path) == 0);
  const size_t slash = path.rfind('/');
  CHECK(files_.SyncDirectory(slash == std::string::npos ? "/" : path.substr(0, slash)) == 0);
}

std::vector<std::string> SimDisk::List(const std::string& path) {
  std::vector<FileInfo> entries;
  files_.List(path, &entries);
  std::vector<std::string> names;
  for (const FileInfo& entry : entries) names.push_back(entry.name);
  return names;
}

void SimDisk::WriteAll(const std::string& path, std::string_view bytes) {
  SimInode* file = nullptr;
  CHECK(files_.OpenFile(path, {.write = true, .create = true}, &file) == 0);
  file->platter.set_size(0);
  files_.WriteDurable(file, 0, bytes);
  const size_t slash = path.rfind('/');
  CHECK(files_.SyncDirectory(slash == std::string::npos ? "/" : path.substr(0, slash)) == 0);
}

SimDisk::Handle* SimDisk::FindHandle(File file) {
  const auto found = handles_.find(file);
  return found == handles_.end() ? nullptr : &found->second;
}

bool SimDisk::IsChange(const SimDiskRequest& request) {
  switch (request.kind) {
    case SimDiskKind::kWrite:
    case SimDiskKind::kFill:
    case SimDiskKind::kSync:
    case SimDiskKind::kSyncDirectory:
    case SimDiskKind::kMakeDirectory:
    case SimDiskKind::kRename:
    case SimDiskKind::kUnlink:
      return true;
    case SimDiskKind::kOpen:
      return request.options.create && !Exists(request.path);
    case SimDiskKind::kClose:
    case SimDiskKind::kRead:
    case SimDiskKind::kList:
    case SimDiskKind::kFind:
    case SimDiskKind::kSpace:
      break;
  }
  return false;
}

int64_t SimDisk::Latency(const SimDiskRequest& request) {
  const SimDiskOptions& options = world_->options().disk;
  switch (request.kind) {
    case SimDiskKind::kRead:
      return world_->Draw(options.read) * slow_;
    case SimDiskKind::kWrite:
      return world_->Draw(options.write) * slow_;
    case SimDiskKind::kSync:
    case SimDiskKind::kSyncDirectory:
      return world_->Draw(options.sync) * slow_;
    default:
      return world_->Draw(options.metadata) * slow_;
  }
}

void SimDisk::Start(SimDiskRequest request) {
  if (IsChange(request)) request.change = ++changes_;
  if (request.kind == SimDiskKind::kWrite) {
    request.copy = Join(request.parts);
    request.bytes = request.copy.size();
  }
  const int64_t latency = Latency(request);
  const uint64_t id = ++last_request_;
  requests_.emplace(id, std::move(request));
  world_->Schedule(latency, [this, id] { Finish(id); });
}

void SimDisk::TryCancel(uint64_t op_id) {
  for (auto& [id, request] : requests_) {
    if (request.op_id != op_id) continue;
    const bool direct = request.kind == SimDiskKind::kRead || request.kind == SimDiskKind::kWrite;
    // A close is never taken back: the handle would leak.
    if (direct || request.kind == SimDiskKind::kClose || world_->random().Chance(1, 2)) return;
    SimIo* io = request.io;
    const uint64_t request_id = id;
    requests_.erase(request_id);
    io->Complete(op_id, -ECANCELED);
    return;
  }
}

void SimDisk::Finish(uint64_t request_id) {
  const auto found = requests_.find(request_id);
  if (found == requests_.end() || crash_hit_) return;  // cancelled, abandoned, or the power is off
  SimDiskRequest request = std::move(found->second);
  if (request.change != 0 && request.change == crash_at_) {
    requests_.erase(found);
    HitCrashPoint(&request);
    return;
  }
  requests_.erase(found);
  // A file that is written from memory that its owner changed meanwhile would be torn: our mistake.
  if (request.kind == SimDiskKind::kWrite) CHECK(Join(request.parts) == request.copy);
  const int32_t result = Execute(&request);
  request.io->Complete(request.op_id, result);
}

void SimDisk::HitCrashPoint(SimDiskRequest* request) {
  if (crash_mode_ == SimCrashMode::kTorn) LeavePart(*request, SimTear::kPartOnly);
  if (crash_mode_ == SimCrashMode::kAfter) Execute(request);
  crash_hit_ = true;
  world_->StopForCrash();
}

int32_t SimDisk::Execute(SimDiskRequest* request) {
  switch (request->kind) {
    case SimDiskKind::kOpen:
      return ExecuteOpen(*request);
    case SimDiskKind::kClose:
      return ExecuteClose(*request);
    case SimDiskKind::kRead:
      return ExecuteRead(*request);
    case SimDiskKind::kWrite:
      return ExecuteWrite(request);
    case SimDiskKind::kFill:
      return ExecuteFill(*request);
    case SimDiskKind::kSync:
      return ExecuteSync(*request);
    case SimDiskKind::kSyncDirectory:
      if (world_->Chance(world_->options().disk.sync_error_ppm)) return -EIO;
      return files_.SyncDirectory(request->path);
    case SimDiskKind::kMakeDirectory:
      return files_.MakeDirectory(request->path);
    case SimDiskKind::kRename:
      return files_.Rename(request->path, request->to);
    case SimDiskKind::kUnlink: {
      const int32_t result = files_.Unlink(request->path);
      files_.Collect();
      return result;
    }
    case SimDiskKind::kList:
      return files_.List(request->path, request->list);
    case SimDiskKind::kFind:
      return files_.FindPrefix(request->path, request->to);
    case SimDiskKind::kSpace:
      if (!Exists(request->path)) return -ENOENT;
      request->space->total_bytes = capacity_bytes_;
      request->space->free_bytes = capacity_bytes_ - std::min(capacity_bytes_, used_bytes());
      return 0;
  }
  CHECK(false);
}

int32_t SimDisk::ExecuteOpen(const SimDiskRequest& request) {
  if (request.options.direct && !world_->options().disk.direct_supported) return -EINVAL;
  SimInode* file = nullptr;
  const int32_t result = files_.OpenFile(request.path, request.options, &file);
  if (result < 0) return result;
  ++file->open_count;
  const File handle = world_->NextHandle();
  handles_[handle] = {request.io, file->id, request.options};
  return handle;
}

int32_t SimDisk::ExecuteClose(const SimDiskRequest& request) {
  const Handle* handle = FindHandle(request.file);
  if (handle == nullptr) return -EBADF;
  SimInode* file = files_.inode(handle->inode);
  --file->open_count;
  handles_.erase(request.file);
  files_.Collect();
  return 0;
}

int32_t SimDisk::ExecuteRead(const SimDiskRequest& request) {
  const Handle* handle = FindHandle(request.file);
  if (handle == nullptr) return -EBADF;
  const SimInode* file = files_.inode(handle->inode);
  if (file->is_directory) return -EISDIR;
  if (handle->options.direct && (!IsAligned(request.offset) || !IsAligned(request.into.size()) ||
                                 !IsAligned(reinterpret_cast<uintptr_t>(request.into.data())))) {
    return -EINVAL;
  }
  ++reads_;
  if (file->fail_reads || reads_ == fail_read_at_) return -EIO;
  if (world_->Chance(world_->options().disk.read_error_ppm)) return -EIO;
  const uint64_t size = file->size();
  if (request.offset >= size) return 0;
  const size_t count = std::min<uint64_t>(request.into.size(), size - request.offset);
  for (const auto& [begin, end] : file->bad) {
    if (begin < request.offset + count && request.offset < end) return -EIO;
  }
  files_.Read(*file, request.offset, request.into.first(count));
  world_->Fold(SimHash(request.into.data(), count));
  return static_cast<int32_t>(count);
}

uint64_t SimDisk::Growth(const SimInode& file, uint64_t end) const {
  if (end <= file.size()) return end;
  const uint64_t used = used_bytes();
  const uint64_t own = (file.size() + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
  const uint64_t free = capacity_bytes_ > used ? capacity_bytes_ - used : 0;
  return std::min(end, own + free);
}

int32_t SimDisk::ExecuteWrite(SimDiskRequest* request) {
  const Handle* handle = FindHandle(request->file);
  if (handle == nullptr || !handle->options.write) return -EBADF;
  SimInode* file = files_.inode(handle->inode);
  if (handle->options.append) request->offset = file->size();
  if (handle->options.direct && (!IsAligned(request->offset) || !IsAligned(request->parts))) {
    return -EINVAL;
  }
  const SimDiskOptions& options = world_->options().disk;
  const auto failing = failing_changes_.find(request->change);
  if (file->fail_writes || failing != failing_changes_.end() ||
      world_->Chance(options.write_error_ppm)) {
    LeavePart(*request, SimTear::kAny);
    return failing != failing_changes_.end() ? -failing->second : -EIO;
  }
  std::string_view bytes = request->copy;
  const uint64_t unit = handle->options.direct ? kBlockBytes : 1;
  if (bytes.size() > unit && world_->Chance(options.short_write_ppm)) {
    bytes = bytes.substr(0, unit * (1 + world_->random().Below((bytes.size() - 1) / unit)));
  }
  const uint64_t end = Growth(*file, request->offset + bytes.size());
  if (end < request->offset + bytes.size()) {
    const uint64_t room = end > request->offset ? end - request->offset : 0;
    bytes = bytes.substr(0, room / unit * unit);
    if (bytes.empty()) return -ENOSPC;
  }
  if (handle->options.dsync) {
    files_.WriteDurable(file, request->offset, bytes);
  } else {
    files_.WriteUnsynced(file, request->offset, bytes);
  }
  return static_cast<int32_t>(bytes.size());
}

int32_t SimDisk::ExecuteFill(const SimDiskRequest& request) {
  const Handle* handle = FindHandle(request.file);
  if (handle == nullptr || !handle->options.write) return -EBADF;
  SimInode* file = files_.inode(handle->inode);
  const auto failing = failing_changes_.find(request.change);
  if (file->fail_writes || failing != failing_changes_.end() ||
      world_->Chance(world_->options().disk.write_error_ppm)) {
    LeavePart(request, SimTear::kAny);
    return failing != failing_changes_.end() ? -failing->second : -EIO;
  }
  const uint64_t room = Growth(*file, request.bytes);
  files_.Fill(file, room);
  return room < request.bytes ? -ENOSPC : 0;
}

int32_t SimDisk::ExecuteSync(const SimDiskRequest& request) {
  const Handle* handle = FindHandle(request.file);
  if (handle == nullptr) return -EBADF;
  SimInode* file = files_.inode(handle->inode);
  const auto failing = failing_changes_.find(request.change);
  if (file->fail_writes || failing != failing_changes_.end() ||
      world_->Chance(world_->options().disk.sync_error_ppm)) {
    // As Linux does it: the pages are marked clean, their bytes on the platter are anybody's guess,
    // and the next sync succeeds.
    files_.DropWrites(file);
    return failing != failing_changes_.end() ? -failing->second : -EIO;
  }
  files_.Sync(file);
  return 0;
}

void SimDisk::LeavePart(const SimDiskRequest& request, SimTear tear) {
  const Handle* handle = FindHandle(request.file);
  SimInode* file = handle == nullptr ? nullptr : files_.inode(handle->inode);
  switch (request.kind) {
    case SimDiskKind::kWrite: {
      if (file == nullptr || !handle->options.write) return;
      if (handle->options.direct && (!IsAligned(request.offset) || !IsAligned(request.parts)))
        return;
      if (Growth(*file, request.offset + request.bytes) < request.offset + request.bytes) return;
      const uint64_t offset = handle->options.append ? file->size() : request.offset;
      files_.Tear(file, offset, request.copy, tear);
      return;
    }
    case SimDiskKind::kFill:
      if (file == nullptr || !handle->options.write) return;
      files_.Fill(file, Growth(*file, world_->random().Below(request.bytes + 1)));
      return;
    case SimDiskKind::kMakeDirectory:
      files_.MakeDirectory(request.path);
      return;
    case SimDiskKind::kRename:
      files_.Rename(request.path, request.to);
      return;
    case SimDiskKind::kUnlink:
      files_.Unlink(request.path);
      return;
    case SimDiskKind::kOpen:
      if (SimInode* made = nullptr; request.change != 0) {
        files_.OpenFile(request.path, request.options, &made);
      }
      return;
    default:
      return;  // a sync in part: the crash decides about every unsynced write anyway
  }
}

void SimDisk::Forget(const SimIo* io) {
  for (auto it = requests_.begin(); it != requests_.end();) {
    SimDiskRequest& request = it->second;
    if (request.io != io) {
      ++it;
      continue;
    }
    // The machine goes on: what had been started happens whole or not at all.
    if (request.change != 0 && world_->random().Chance(1, 2)) Execute(&request);
    it = requests_.erase(it);
  }
  for (auto it = handles_.begin(); it != handles_.end();) {
    if (it->second.io != io) {
      ++it;
      continue;
    }
    --files_.inode(it->second.inode)->open_count;
    it = handles_.erase(it);
  }
  files_.Collect();
}

void SimDisk::Crash() {
  for (auto& [id, request] : requests_) {
    if (request.change != 0 && world_->random().Chance(1, 2)) LeavePart(request, SimTear::kAny);
  }
  requests_.clear();
  handles_.clear();
  files_.Crash();
  crash_at_ = 0;
  crash_hit_ = false;
}

}  // namespace outbox::io
