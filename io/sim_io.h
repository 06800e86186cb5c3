// SimIo: an Io (io/io.h) in a simulated world (io/sim_world.h).
//
// One per shard or scripted host. Its files are those of its node's disk; its sockets are in the
// world's network. Turn does not block: it delivers what is due and records until when this Io
// would sleep; the world moves the clock and calls RunOnce when there is something to do. A program
// that is not driven by SimWorld::RunUntil (a test that calls Turn in a loop of its own) works as
// well: Turn then lets the rest of the world go on in its place.
//
// Stricter than the kernel where that finds mistakes: memory that is changed while it is being
// written trips a CHECK, a returned buffer is overwritten, Wake for an Io that did not announce its
// sleep does nothing.
#ifndef OUTBOX_IO_SIM_IO_H_
#define OUTBOX_IO_SIM_IO_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "core/intrusive_list.h"
#include "io/io.h"
#include "io/sim_disk.h"
#include "io/sim_network.h"

namespace outbox::io {

class SimWorld;

class SimIo final : public Io {
 public:
  // `run_once` runs one round of the owner's loop and calls Turn in it; without one Turn is called
  // with no time limit. The world must outlive this.
  explicit SimIo(SimWorld* world, int node = 0, std::function<void()> run_once = nullptr);
  // REQUIRES: no operation in flight (or Abandon was called).
  ~SimIo() override;

  void set_run_once(std::function<void()> run_once) { run_once_ = std::move(run_once); }
  SimWorld* world() const { return world_; }
  int node() const { return node_; }
  uint64_t id() const { return id_; }
  size_t in_flight() const { return ops_by_id_.size(); }

  // The process is gone: clears every operation without a completion, and does nothing from now on.
  // The owners of the operations can be destroyed then.
  void Abandon(SimDeath death = SimDeath::kExit);
  bool abandoned() const { return abandoned_; }

  uint64_t RandomU64() override;
  core::Result<Socket> Listen(const core::SocketAddress& address, bool share) override;
  core::Result<Socket> ListenUnix(const std::string& path, uint32_t mode) override;
  core::SocketAddress LocalAddress(Socket socket) override;
  core::SocketAddress PeerAddress(Socket socket) override;
  void Accept(Op* op, Socket listener) override;
  void Connect(Op* op, const core::SocketAddress& peer, const core::SocketAddress* local) override;
  void ConnectUnix(Op* op, const std::string& path) override;
  int OpenUdp(const core::SocketAddress& peer, const core::SocketAddress* local) override;
  void Recv(Op* op, Socket socket) override;
  void ReturnBuffer(uint32_t buffer) override;
  void RecvInto(Op* op, Socket socket, std::span<char> into) override;
  void Send(Op* op, Socket socket, std::span<const iovec> parts) override;
  void ShutdownWrite(Socket socket) override;
  void CloseSocket(Socket socket, bool reset) override;

  void Open(Op* op, const std::string& path, const OpenOptions& options) override;
  void CloseFile(Op* op, File file) override;
  void Read(Op* op, File file, std::span<char> into, uint64_t offset) override;
  void Write(Op* op, File file, std::span<const iovec> parts, uint64_t offset) override;
  void Fill(Op* op, File file, uint64_t bytes) override;
  void Sync(Op* op, File file) override;
  void SyncDirectory(Op* op, const std::string& path) override;
  void MakeDirectory(Op* op, const std::string& path) override;
  void MakePrivateDirectory(Op* op, const std::string& path) override;
  void Rename(Op* op, const std::string& from, const std::string& to) override;
  void Unlink(Op* op, const std::string& path) override;
  void ListDirectory(Op* op, const std::string& path, std::vector<FileInfo>* out) override;
  void FindInDirectory(Op* op, const std::string& path, const std::string& prefix) override;
  void Space(Op* op, const std::string& path, SpaceInfo* out) override;
  void RunOnHelper(Op* op, std::function<int32_t()> work) override;
  void RunLong(Op* op, std::function<int32_t()> work) override;

  void Cancel(Op* op) override;
  void Turn(int64_t until_ns) override;
  void PrepareToSleep() override { announced_ = true; }
  void Wake(Io* other) override;
  void WakeFromOutside() override { woken_ = true; }

  // --- For the parts of the world ---

  // Queues a completion for the next turn. No effect when the operation is gone.
  void Complete(uint64_t op_id, const OpResult& result);
  void Complete(uint64_t op_id, int32_t result);
  // When the world should run this next; core::kNever if nothing is expected.
  int64_t NextTurn() const;
  bool HasWork() const { return !due_.empty() || woken_; }
  void RunOnce();
  // A provided buffer for a socket that has bytes to read, or false: it waits in line, and the
  // network hears of it when it is its turn.
  bool TakeBuffer(Socket socket, std::span<char>* into, uint32_t* buffer);

 private:
  struct Due {
    uint64_t op_id;
    OpResult result;
  };
  enum Kind : uint8_t { kDisk, kHelper, kAccept, kConnect, kRecv, kRecvInto, kSend };

  uint64_t Begin(Op* op, Kind kind, int handle);
  void StartDisk(Op* op, SimDiskRequest request);
  void StartHelped(Op* op, std::function<int32_t()> work, const SimRange& takes_ns);
  size_t Deliver();
  void FinishCancel(uint64_t op_id);
  void ServeParked();
  bool InUse(Socket socket);
  void Trace(const Op& op, const OpResult& result);

  SimWorld* world_;
  int node_;
  uint64_t id_;
  std::function<void()> run_once_;
  bool abandoned_ = false;

  core::IntrusiveList<Op, &Op::link> ops_;                        // in flight
  absl::flat_hash_map<uint64_t, Op*> ops_by_id_;                  // the same
  absl::flat_hash_map<uint64_t, std::function<int32_t()>> work_;  // of RunOnHelper, by operation
  std::vector<Due> due_;                                          // in order of completion

  std::vector<std::unique_ptr<char[]>> buffers_;  // provided, by number
  std::vector<bool> lent_;                        // likewise: its owner has it
  std::deque<uint32_t> free_buffers_;
  std::deque<Socket> parked_;  // receives that have bytes and no buffer, in order of arrival

  // Sleep. announced_: PrepareToSleep was called and the sleep has not ended.
  bool announced_ = false;
  bool woken_ = false;
  int64_t until_ns_ = 0;  // the wish of the last Turn
  int64_t ready_ns_ = 0;  // the last turn takes until then
};

}  // namespace outbox::io

#endif  // OUTBOX_IO_SIM_IO_H_
