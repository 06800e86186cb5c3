// SimDisk: the disk of one simulated node: operations in flight, their latency and their faults.
//
// The state is in SimFileSystem. An operation takes effect at the moment of its completion; when
// the power fails before, chance decides how much of it there was. Operations in flight at the same
// time complete in any order, as on a device with a queue.
//
// Changes are counted: every Write, Fill, Sync, SyncDirectory, MakeDirectory, Rename, Unlink and
// every Open that creates. A test that wants to crash everywhere runs once, reads changes(), and
// then runs again for each n with CrashAt(n, ...).
#ifndef OUTBOX_IO_SIM_DISK_H_
#define OUTBOX_IO_SIM_DISK_H_

#include <sys/uio.h>

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "io/io.h"
#include "io/sim_file_system.h"
#include "io/sim_options.h"

namespace outbox::io {

class SimIo;
class SimWorld;

enum class SimDiskKind : uint8_t {
  kOpen,
  kClose,
  kRead,
  kWrite,
  kFill,
  kSync,
  kSyncDirectory,
  kMakeDirectory,
  kRename,
  kUnlink,
  kList,
  kFind,
  kSpace,
};

// One operation in flight.
struct SimDiskRequest {
  SimDiskKind kind = SimDiskKind::kOpen;
  SimIo* io = nullptr;
  uint64_t op_id = 0;
  File file = kNoHandle;
  std::string path = {};
  std::string to = {};  // Rename; the prefix of FindInDirectory
  OpenOptions options = {};
  uint64_t offset = 0;
  uint64_t bytes = 0;                 // Fill; the length of a Write
  std::span<char> into = {};          // Read
  std::span<const iovec> parts = {};  // Write
  std::string copy = {};              // Write: what the parts held when it started
  std::vector<FileInfo>* list = nullptr;
  SpaceInfo* space = nullptr;
  uint64_t change = 0;  // its number, 0 if it changes nothing
};

// What becomes of the change at which the power fails.
enum class SimCrashMode { kBefore, kTorn, kAfter };

class SimDisk {
 public:
  SimDisk(SimWorld* world, int node);

  int node() const { return node_; }

  // --- Faults that a test asks for ---

  // The power fails at change number `n` (counted from 1, in the order in which changes start):
  // when it would complete, nothing, a part or all of it is on the platter, and SimWorld::RunUntil
  // returns kCrashPoint. The caller then calls SimWorld::Crash.
  void CrashAt(uint64_t n, SimCrashMode mode);
  // Change number `n`, if a Write, Fill or sync, fails with -error; what of it is on the platter is
  // open.
  void FailChange(uint64_t n, int error);
  uint64_t reads() const { return reads_; }
  // The n-th Read from now on (1 is the next one) fails with -EIO.
  void FailRead(uint64_t n) { fail_read_at_ = reads_ + n; }
  // All reads or writes of the file that `path` names now fail with -EIO until told otherwise.
  // False if it is not there; likewise below.
  bool SetFailing(const std::string& path, bool reads, bool writes);
  // Reads that touch the range fail with -EIO until it is written again.
  bool SetBadRange(const std::string& path, uint64_t offset, uint64_t bytes);
  // Bit rot: changes one bit on the platter.
  bool FlipBit(const std::string& path, uint64_t offset, int bit);
  // Multiplies the latency of every operation that starts from now on.
  void SetSlow(int64_t factor) { slow_ = factor; }
  void SetCapacity(uint64_t bytes) { capacity_bytes_ = bytes; }

  // --- For tests to look at, at once and without an Io ---

  uint64_t changes() const { return changes_; }
  bool Exists(const std::string& path) { return files_.Find(path) != nullptr; }
  // The current content. Empty if it is not there.
  std::string ReadAll(const std::string& path);
  // Puts a file there, durably; directories above it must exist.
  void WriteAll(const std::string& path, std::string_view bytes);
  // Makes a directory, durably; what is above it must exist.
  void MakeDirectory(const std::string& path);
  // The names in a directory, sorted; empty if it is not there.
  std::vector<std::string> List(const std::string& path);
  uint64_t used_bytes() const { return files_.used_bytes(); }

  // --- For SimIo and SimWorld ---

  void Start(SimDiskRequest request);
  // Called by Cancel. Only what waits for the helper can still be taken back, and not always.
  void TryCancel(uint64_t op_id);
  // The owner of these operations and handles is gone (its process ended); what was in flight may
  // or may not have happened.
  void Forget(const SimIo* io);
  void Crash();

 private:
  struct Handle {
    const SimIo* io = nullptr;
    uint64_t inode = 0;
    OpenOptions options;
  };

  void Finish(uint64_t request_id);
  int32_t Execute(SimDiskRequest* request);
  int32_t ExecuteOpen(const SimDiskRequest& request);
  int32_t ExecuteClose(const SimDiskRequest& request);
  int32_t ExecuteRead(const SimDiskRequest& request);
  int32_t ExecuteWrite(SimDiskRequest* request);
  int32_t ExecuteFill(const SimDiskRequest& request);
  int32_t ExecuteSync(const SimDiskRequest& request);
  // Leaves a part of a change that was cut off or failed.
  void LeavePart(const SimDiskRequest& request, SimTear tear);
  void HitCrashPoint(SimDiskRequest* request);
  bool IsChange(const SimDiskRequest& request);
  int64_t Latency(const SimDiskRequest& request);
  Handle* FindHandle(File file);
  // Bytes by which a file may still grow to `end`; a disk that is full bounds it.
  uint64_t Growth(const SimInode& file, uint64_t end) const;

  SimWorld* world_;
  int node_;
  SimFileSystem files_;
  std::map<uint64_t, SimDiskRequest> requests_;
  std::map<File, Handle> handles_;
  uint64_t last_request_ = 0;
  uint64_t changes_ = 0;
  uint64_t reads_ = 0;
  uint64_t crash_at_ = 0;
  SimCrashMode crash_mode_ = SimCrashMode::kBefore;
  bool crash_hit_ = false;
  std::map<uint64_t, int> failing_changes_;
  uint64_t fail_read_at_ = 0;
  int64_t slow_ = 1;
  uint64_t capacity_bytes_;
};

}  // namespace outbox::io

#endif  // OUTBOX_IO_SIM_DISK_H_
