// SimFileSystem: the content of a simulated disk, and what of it would survive a power failure.
//
// Pure state: no time, no operations in flight (those are SimDisk's, io/sim_disk.h). Two views
// exist of everything. The current view is what programs see. The durable view is the platter. They
// differ by writes that were not synced and by changes of names (create, rename, unlink) whose
// directory was not synced; Crash() lets chance decide for each of them how much of it had reached
// the platter, and makes the result the only truth.
//
// It is harsher than a journalling file system: a later change may survive where an earlier one is
// lost, and a synced file is gone when its name was not synced. Results are those of the system
// calls.
#ifndef OUTBOX_IO_SIM_FILE_SYSTEM_H_
#define OUTBOX_IO_SIM_FILE_SYSTEM_H_

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "core/random.h"
#include "io/io.h"

namespace outbox::io {

inline constexpr uint64_t kSimSectorBytes = 512;  // what a device writes whole or not at all

// Bytes by offset; what was never written reads as zeros and costs nothing.
class SimContent {
 public:
  uint64_t size() const { return size_; }
  void set_size(uint64_t size) { size_ = size; }
  void Write(uint64_t offset, std::string_view bytes);
  void Zero(uint64_t offset, uint64_t bytes);
  // Copies [offset, offset + into.size()), zeros where nothing is. Does not look at size().
  void Read(uint64_t offset, std::span<char> into) const;

 private:
  using Block = std::array<char, kBlockBytes>;
  absl::flat_hash_map<uint64_t, std::unique_ptr<Block>> blocks_;  // by block number
  uint64_t size_ = 0;
};

struct SimInode {
  struct Unsynced {
    uint64_t offset;
    std::string bytes;
  };

  uint64_t id = 0;
  bool is_directory = false;
  SimContent platter;
  std::deque<Unsynced> unsynced;            // in the order of writing
  std::map<std::string, uint64_t> entries;  // of a directory: name -> inode
  std::map<std::string, uint64_t> durable_entries;
  int open_count = 0;
  // Faults.
  bool fail_reads = false;
  bool fail_writes = false;
  std::vector<std::pair<uint64_t, uint64_t>> bad;  // [begin, end): reads fail until written again

  uint64_t size() const;  // current
};

// How much of a write survives.
enum class SimTear {
  kAny,       // nothing, everything or a part
  kPartOnly,  // neither nothing nor everything, if it is longer than a sector
};

class SimFileSystem {
 public:
  explicit SimFileSystem(core::Random* random);

  // Names. Paths are taken from the root whether they start with '/' or not.
  // Find: nullptr when it is not there.
  SimInode* Find(std::string_view path);
  SimInode* inode(uint64_t id);
  // result: 0 and *out, or -errno.
  int32_t OpenFile(const std::string& path, const OpenOptions& options, SimInode** out);
  int32_t MakeDirectory(const std::string& path);
  int32_t Rename(const std::string& from, const std::string& to);
  int32_t Unlink(const std::string& path);
  int32_t List(const std::string& path, std::vector<FileInfo>* out);
  int32_t FindPrefix(const std::string& path, const std::string& prefix);
  int32_t SyncDirectory(const std::string& path);

  // Content. Offsets and lengths are the caller's to check.
  void Read(const SimInode& file, uint64_t offset, std::span<char> into) const;
  void WriteUnsynced(SimInode* file, uint64_t offset, std::string_view bytes);
  void WriteDurable(SimInode* file, uint64_t offset, std::string_view bytes);
  void Fill(SimInode* file, uint64_t bytes);
  void Sync(SimInode* file);
  // What was not synced is lost or not, as chance has it.
  void DropWrites(SimInode* file);
  // A write that was cut off: chance decides what of it is on the platter.
  void Tear(SimInode* file, uint64_t offset, std::string_view bytes, SimTear tear);

  // Power failure: only the platter is left.
  void Crash();
  // Bytes that all files with a name or a handle take, in whole blocks.
  uint64_t used_bytes() const;
  // Forgets files that no name and no handle leads to.
  void Collect();

 private:
  // A change of names that is not known to be durable.
  struct NameChange {
    enum class Kind { kLink, kUnlink, kRename };
    Kind kind;
    uint64_t directory;
    std::string name;
    uint64_t inode;
    uint64_t to_directory = 0;
    std::string to_name;
  };

  // Splits off the last component. result: the directory, or nullptr with *error set.
  SimInode* Parent(std::string_view path, std::string* name, int32_t* error);
  SimInode* NewInode(bool is_directory);
  void ApplyDurable(const NameChange& change);

  core::Random* random_;
  std::map<uint64_t, std::unique_ptr<SimInode>> inodes_;
  std::vector<NameChange> changes_;
  uint64_t last_inode_ = 0;
  SimInode* root_;
};

}  // namespace outbox::io

#endif  // OUTBOX_IO_SIM_FILE_SYSTEM_H_
