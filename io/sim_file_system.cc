#include "io/sim_file_system.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

#include "core/check.h"

namespace outbox::io {
namespace {

// Unsynced writes that a file may have before the oldest are written back, as the kernel's flusher
// would: bounds what a read has to overlay.
constexpr size_t kUnsyncedWritesMax = 256;

}  // namespace

void SimContent::Write(uint64_t offset, std::string_view bytes) {
  size_ = std::max(size_, offset + bytes.size());
  while (!bytes.empty()) {
    const uint64_t within = offset % kBlockBytes;
    const size_t count = std::min<size_t>(bytes.size(), kBlockBytes - within);
    std::unique_ptr<Block>& block = blocks_[offset / kBlockBytes];
    if (block == nullptr) {
      block = std::make_unique<Block>();
      block->fill(0);
    }
    memcpy(block->data() + within, bytes.data(), count);
    bytes.remove_prefix(count);
    offset += count;
  }
}

void SimContent::Zero(uint64_t offset, uint64_t bytes) {
  size_ = std::max(size_, offset + bytes);
  const uint64_t end = offset + bytes;
  while (offset < end) {
    const uint64_t within = offset % kBlockBytes;
    const uint64_t count = std::min<uint64_t>(end - offset, kBlockBytes - within);
    const auto found = blocks_.find(offset / kBlockBytes);
    if (found != blocks_.end()) {
      if (count == kBlockBytes) {
        blocks_.erase(found);
      } else {
        memset(found->second->data() + within, 0, count);
      }
    }
    offset += count;
  }
}

void SimContent::Read(uint64_t offset, std::span<char> into) const {
  while (!into.empty()) {
    const uint64_t within = offset % kBlockBytes;
    const size_t count = std::min<size_t>(into.size(), kBlockBytes - within);
    const auto found = blocks_.find(offset / kBlockBytes);
    if (found == blocks_.end()) {
      memset(into.data(), 0, count);
    } else {
      memcpy(into.data(), found->second->data() + within, count);
    }
    into = into.subspan(count);
    offset += count;
  }
}

uint64_t SimInode::size() const {
  uint64_t size = platter.size();
  for (const Unsynced& write : unsynced) size = std::max(size, write.offset + write.bytes.size());
  return size;
}

SimFileSystem::SimFileSystem(core::Random* random) : random_(random), root_(NewInode(true)) {}

SimInode* SimFileSystem::NewInode(bool is_directory) {
  auto inode = std::make_unique<SimInode>();
  inode->id = ++last_inode_;
  inode->is_directory = is_directory;
  SimInode* raw = inode.get();
  inodes_[raw->id] = std::move(inode);
  return raw;
}

SimInode* SimFileSystem::inode(uint64_t id) {
  const auto found = inodes_.find(id);
  return found == inodes_.end() ? nullptr : found->second.get();
}

SimInode* SimFileSystem::Find(std::string_view path) {
  SimInode* at = root_;
  while (!path.empty()) {
    const size_t slash = std::min(path.find('/'), path.size());
    const std::string name(path.substr(0, slash));
    path.remove_prefix(std::min(slash + 1, path.size()));
    if (name.empty() || name == ".") continue;
    if (!at->is_directory) return nullptr;
    const auto found = at->entries.find(name);
    if (found == at->entries.end()) return nullptr;
    at = inode(found->second);
    CHECK(at != nullptr);
  }
  return at;
}

SimInode* SimFileSystem::Parent(std::string_view path, std::string* name, int32_t* error) {
  while (!path.empty() && path.back() == '/') path.remove_suffix(1);
  const size_t slash = path.rfind('/');
  *name = std::string(slash == std::string_view::npos ? path : path.substr(slash + 1));
  SimInode* directory = slash == std::string_view::npos ? root_ : Find(path.substr(0, slash));
  *error = 0;
  if (directory == nullptr || name->empty()) {
    *error = -ENOENT;
  } else if (!directory->is_directory) {
    *error = -ENOTDIR;
  }
  return *error == 0 ? directory : nullptr;
}

int32_t SimFileSystem::OpenFile(const std::string& path, const OpenOptions& options,
                                SimInode** out) {
  SimInode* found = Find(path);
  if (found != nullptr) {
    if (options.create && options.exclusive) return -EEXIST;
    if (found->is_directory && options.write) return -EISDIR;
    *out = found;
    return 0;
  }
  if (!options.create) return -ENOENT;
  std::string name;
  int32_t error = 0;
  SimInode* directory = Parent(path, &name, &error);
  if (directory == nullptr) return error;
  *out = NewInode(false);
  directory->entries[name] = (*out)->id;
  changes_.push_back({NameChange::Kind::kLink, directory->id, name, (*out)->id, 0, ""});
  return 0;
}

int32_t SimFileSystem::MakeDirectory(const std::string& path) {
  if (SimInode* found = Find(path); found != nullptr) return found->is_directory ? 0 : -EEXIST;
  std::string name;
  int32_t error = 0;
  SimInode* directory = Parent(path, &name, &error);
  if (directory == nullptr) return error;
  const SimInode* made = NewInode(true);
  directory->entries[name] = made->id;
  changes_.push_back({NameChange::Kind::kLink, directory->id, name, made->id, 0, ""});
  return 0;
}

int32_t SimFileSystem::Rename(const std::string& from, const std::string& to) {
  std::string from_name;
  std::string to_name;
  int32_t error = 0;
  SimInode* source = Parent(from, &from_name, &error);
  if (source == nullptr) return error;
  SimInode* target = Parent(to, &to_name, &error);
  if (target == nullptr) return error;
  const auto found = source->entries.find(from_name);
  if (found == source->entries.end()) return -ENOENT;
  const uint64_t id = found->second;
  const auto replaced = target->entries.find(to_name);
  if (replaced != target->entries.end()) {
    if (replaced->second == id) return 0;
    const SimInode* old = inode(replaced->second);
    if (old->is_directory != inode(id)->is_directory) return old->is_directory ? -EISDIR : -ENOTDIR;
    if (!old->entries.empty()) return -ENOTEMPTY;
  }
  source->entries.erase(from_name);
  target->entries[to_name] = id;
  changes_.push_back({NameChange::Kind::kRename, source->id, from_name, id, target->id, to_name});
  return 0;
}

int32_t SimFileSystem::Unlink(const std::string& path) {
  std::string name;
  int32_t error = 0;
  SimInode* directory = Parent(path, &name, &error);
  if (directory == nullptr) return error;
  const auto found = directory->entries.find(name);
  if (found == directory->entries.end()) return -ENOENT;
  if (inode(found->second)->is_directory) return -EISDIR;
  changes_.push_back({NameChange::Kind::kUnlink, directory->id, name, found->second, 0, ""});
  directory->entries.erase(found);
  return 0;
}

int32_t SimFileSystem::List(const std::string& path, std::vector<FileInfo>* out) {
  const SimInode* directory = Find(path);
  if (directory == nullptr) return -ENOENT;
  if (!directory->is_directory) return -ENOTDIR;
  for (const auto& [name, id] : directory->entries) {
    const SimInode* entry = inode(id);
    out->push_back({name, entry->size(), entry->is_directory});
  }
  return static_cast<int32_t>(directory->entries.size());
}

int32_t SimFileSystem::FindPrefix(const std::string& path, const std::string& prefix) {
  const SimInode* directory = Find(path);
  if (directory == nullptr) return -ENOENT;
  if (!directory->is_directory) return -ENOTDIR;
  const auto first = directory->entries.lower_bound(prefix);
  return first != directory->entries.end() && first->first.starts_with(prefix) ? 1 : 0;
}

int32_t SimFileSystem::SyncDirectory(const std::string& path) {
  const SimInode* directory = Find(path);
  if (directory == nullptr) return -ENOENT;
  if (!directory->is_directory) return -ENOTDIR;
  // What touches this directory, and earlier changes that those build on (the creation of a file
  // that was renamed into it, say).
  std::set<uint64_t> inodes;
  std::set<std::pair<uint64_t, std::string>> names;
  std::vector<bool> chosen(changes_.size(), false);
  for (size_t i = changes_.size(); i-- > 0;) {
    const NameChange& change = changes_[i];
    const bool rename = change.kind == NameChange::Kind::kRename;
    if (change.directory != directory->id && !(rename && change.to_directory == directory->id) &&
        !inodes.contains(change.inode) && !names.contains({change.directory, change.name})) {
      continue;
    }
    chosen[i] = true;
    inodes.insert(change.inode);
    names.insert({change.directory, change.name});
    if (rename) names.insert({change.to_directory, change.to_name});
  }
  std::vector<NameChange> rest;
  for (size_t i = 0; i < changes_.size(); ++i) {
    if (chosen[i]) {
      ApplyDurable(changes_[i]);
    } else {
      rest.push_back(std::move(changes_[i]));
    }
  }
  changes_ = std::move(rest);
  Collect();
  return 0;
}

void SimFileSystem::ApplyDurable(const NameChange& change) {
  SimInode* directory = inode(change.directory);
  if (directory == nullptr) return;
  auto& entries = directory->durable_entries;
  if (change.kind == NameChange::Kind::kLink) {
    entries[change.name] = change.inode;
    return;
  }
  // A change whose forerunner was lost finds another file there, or none, and does nothing.
  const auto found = entries.find(change.name);
  if (found == entries.end() || found->second != change.inode) return;
  entries.erase(found);
  if (change.kind == NameChange::Kind::kUnlink) return;
  if (SimInode* target = inode(change.to_directory); target != nullptr) {
    target->durable_entries[change.to_name] = change.inode;
  }
}

void SimFileSystem::Read(const SimInode& file, uint64_t offset, std::span<char> into) const {
  file.platter.Read(offset, into);
  const uint64_t end = offset + into.size();
  for (const SimInode::Unsynced& write : file.unsynced) {
    const uint64_t from = std::max(offset, write.offset);
    const uint64_t to = std::min(end, write.offset + write.bytes.size());
    if (from >= to) continue;
    memcpy(into.data() + (from - offset), write.bytes.data() + (from - write.offset), to - from);
  }
}

void SimFileSystem::WriteUnsynced(SimInode* file, uint64_t offset, std::string_view bytes) {
  std::erase_if(file->bad, [&](const auto& bad) {
    return bad.first < offset + bytes.size() && offset < bad.second;
  });
  file->unsynced.push_back({offset, std::string(bytes)});
  while (file->unsynced.size() > kUnsyncedWritesMax) {
    file->platter.Write(file->unsynced.front().offset, file->unsynced.front().bytes);
    file->unsynced.pop_front();
  }
}

void SimFileSystem::WriteDurable(SimInode* file, uint64_t offset, std::string_view bytes) {
  WriteUnsynced(file, offset, bytes);
  Sync(file);
}

void SimFileSystem::Fill(SimInode* file, uint64_t bytes) {
  Sync(file);
  file->bad.clear();
  file->platter.Zero(0, bytes);
}

void SimFileSystem::Sync(SimInode* file) {
  for (const SimInode::Unsynced& write : file->unsynced) {
    file->platter.Write(write.offset, write.bytes);
  }
  file->unsynced.clear();
}

void SimFileSystem::Tear(SimInode* file, uint64_t offset, std::string_view bytes, SimTear tear) {
  if (bytes.empty()) return;
  // Units: device sectors, or the blocks of a file system, counted from the start of the file.
  const uint64_t unit = random_->Chance(1, 2) ? kSimSectorBytes : kBlockBytes;
  const uint64_t first = offset / unit;
  const uint64_t units = (offset + bytes.size() - 1) / unit - first + 1;
  enum { kNothing, kEverything, kPrefix, kSubset };
  const bool part_only = tear == SimTear::kPartOnly && units > 1;
  const uint64_t mode = part_only ? random_->Between(kPrefix, kSubset) : random_->Below(4);
  const uint64_t prefix = 1 + random_->Below(std::max<uint64_t>(units - 1, 1));
  const uint64_t surely_lost = random_->Below(units);
  for (uint64_t i = 0; i < units; ++i) {
    bool written = mode == kEverything;
    if (mode == kPrefix) written = i < prefix;
    if (mode == kSubset) written = random_->Chance(1, 2) && !(part_only && i == surely_lost);
    if (!written) continue;
    const uint64_t begin = std::max(offset, (first + i) * unit);
    const uint64_t end = std::min(offset + bytes.size(), (first + i + 1) * unit);
    file->platter.Write(begin, bytes.substr(begin - offset, end - begin));
  }
}

void SimFileSystem::DropWrites(SimInode* file) {
  for (const SimInode::Unsynced& write : file->unsynced) {
    Tear(file, write.offset, write.bytes, SimTear::kAny);
  }
  file->unsynced.clear();
}

void SimFileSystem::Crash() {
  enum { kNothing, kEverything, kPrefix, kSubset };
  const uint64_t mode = random_->Below(4);
  const uint64_t prefix = random_->Below(changes_.size() + 1);
  for (size_t i = 0; i < changes_.size(); ++i) {
    bool kept = mode == kEverything;
    if (mode == kPrefix) kept = i < prefix;
    if (mode == kSubset) kept = random_->Chance(1, 2);
    if (kept) ApplyDurable(changes_[i]);
  }
  changes_.clear();
  for (auto& [id, file] : inodes_) {
    DropWrites(file.get());
    file->entries = file->durable_entries;
    file->open_count = 0;
  }
  Collect();
}

uint64_t SimFileSystem::used_bytes() const {
  std::set<uint64_t> counted;
  for (const auto& [id, file] : inodes_) {
    if (file->open_count > 0) counted.insert(id);
    for (const auto& [name, entry] : file->entries) counted.insert(entry);
  }
  uint64_t used = 0;
  for (const uint64_t id : counted) {
    used += (inodes_.at(id)->size() + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
  }
  return used;
}

void SimFileSystem::Collect() {
  std::set<uint64_t> reached;
  std::vector<uint64_t> open = {root_->id};
  for (const NameChange& change : changes_) open.push_back(change.inode);
  for (const auto& [id, file] : inodes_) {
    if (file->open_count > 0) open.push_back(id);
  }
  while (!open.empty()) {
    const uint64_t id = open.back();
    open.pop_back();
    const SimInode* at = inode(id);
    if (at == nullptr || !reached.insert(id).second) continue;
    for (const auto& [name, entry] : at->entries) open.push_back(entry);
    for (const auto& [name, entry] : at->durable_entries) open.push_back(entry);
  }
  std::erase_if(inodes_, [&](const auto& entry) { return !reached.contains(entry.first); });
}

}  // namespace outbox::io
