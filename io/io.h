// Io: the only door to the outside.
//
// Everything that a shard does with a socket, a file, a clock or chance goes through this
// interface. Two implementations exist: UringIo (io/uring_io.h), one io_uring per shard, and SimIo
// (io/sim_io.h), a deterministic world with faults. What is built on Io runs unchanged on either.
//
// One Io belongs to one shard, and every call is made on that shard's thread, except
// WakeFromOutside.
//
// Operations. An operation lives in an Op that its owner embeds. The owner starts it by a call
// below and must keep the Op, and all memory that it passed, in place and untouched until the
// operation's last completion. Every started operation completes: exactly once, or, for Accept, any
// number of times with `more` set and then exactly once without. A completion is never delivered
// inside the call that started the operation, only from Turn(). A cancelled operation still
// completes (with -ECANCELED, or with its result when that came first). An Op can be started again
// from its own last completion.
//
// Results are those of the system call: a count or a handle when >= 0, -errno otherwise.
#ifndef OUTBOX_IO_IO_H_
#define OUTBOX_IO_IO_H_

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/intrusive_list.h"
#include "core/ip_address.h"
#include "core/status.h"

namespace outbox::io {

// Handles. File descriptors in UringIo; numbers of their own in SimIo.
using Socket = int;
using File = int;
inline constexpr int kNoHandle = -1;

// O_DIRECT's unit for offsets, lengths and addresses on every device that we support.
inline constexpr size_t kBlockBytes = 4096;
// The longest path of a unix socket, unix(7).
inline constexpr size_t kUnixPathBytes = 107;

// What a completion brings.
struct OpResult {
  int32_t result = 0;  // >= 0, or -errno
  bool more = false;   // Accept only: the operation goes on
  // Recv only, result > 0: the received bytes, in a provided buffer that the owner must give back
  // with ReturnBuffer(buffer) (may be later than this completion; buffers are few: be quick).
  std::span<char> data;
  uint32_t buffer = 0;
};

// One operation. Embedded in its owner; never copied or moved.
struct Op {
  using Done = void (*)(Op* op, const OpResult& result);

  Op() = default;
  Op(const Op&) = delete;
  Op& operator=(const Op&) = delete;
  ~Op() { CHECK(!in_flight); }

  // Binds the completion to a member function: op.Bind<&Session::OnSent>(this).
  template <auto Method, typename Owner>
  void Bind(Owner* target) {
    owner = target;
    done = [](Op* op, const OpResult& result) {
      (static_cast<Owner*>(op->owner)->*Method)(result);
    };
  }

  void* owner = nullptr;
  Done done = nullptr;
  bool in_flight = false;  // set by the call that starts it, cleared before the last completion

  // Below: the implementation's own.
  uint8_t kind = 0;
  bool cancelled = false;
  int handle = kNoHandle;
  uint64_t scratch[4] = {};
  core::ListLink link;
};

// How to open a file.
struct OpenOptions {
  bool write = false;
  bool create = false;     // create if missing, mode 0640
  bool exclusive = false;  // with create: fail with -EEXIST if it is there
  bool direct = false;     // O_DIRECT: offsets, lengths and addresses are multiples of kBlockBytes
  bool dsync = false;      // O_DSYNC: a completed write is durable
  bool append = false;
  bool owner_only = false;  // with create: mode 0600 instead
};

struct FileInfo {
  std::string name;  // without its directory
  uint64_t size = 0;
  bool is_directory = false;
};

// Space of the file system that holds a path.
struct SpaceInfo {
  uint64_t total_bytes = 0;
  uint64_t free_bytes = 0;  // available to us
};

class Io {
 public:
  virtual ~Io() = default;

  // --- Time and chance
  // -----------------------------------------------------------------------------

  // Steady (CLOCK_BOOTTIME) and wall (CLOCK_REALTIME) nanoseconds, frozen for one turn.
  int64_t now_ns() const { return now_ns_; }
  int64_t wall_ns() const { return wall_ns_; }
  // The processor time that this thread has used: for statistics of what a turn costs, and for
  // where long work pauses; nothing else may be decided by it. 0 where there is no such thing.
  virtual int64_t ProcessorNs() const { return 0; }
  // From the system's random source; for seeds, ids and ports. Not for the hot path.
  virtual uint64_t RandomU64() = 0;

  // --- Sockets
  // -------------------------------------------------------------------------------------

  // Opens a listening TCP socket at once (start-up only). SO_REUSEPORT is set when `share` is, so
  // that every shard listens for itself. Errors name the address.
  virtual core::Result<Socket> Listen(const core::SocketAddress& address, bool share) = 0;
  // The same at a unix socket, for whom `mode` lets in; `path` is 1 to kUnixPathBytes long. One Io
  // alone can listen there. A socket file that nobody listens at is removed first; the listener's
  // own stays when it is closed. PeerAddress of an accepted socket is the user at the other end,
  // core::IpAddress::LocalUser, with port 0; LocalAddress means nothing.
  virtual core::Result<Socket> ListenUnix(const std::string& path, uint32_t mode) = 0;
  // The address that a listener or connection is bound to / connected to. Immediate.
  virtual core::SocketAddress LocalAddress(Socket socket) = 0;
  virtual core::SocketAddress PeerAddress(Socket socket) = 0;
  // Multishot. result: a connected socket, TCP_NODELAY set. When the last completion is an error
  // other than -ECANCELED (-EMFILE, say) the owner decides when to start again.
  virtual void Accept(Op* op, Socket listener) = 0;
  // Connects a new TCP socket to `peer`, from `local` unless that is null (port 0: any).
  // result: the socket. No time limit: the owner cancels. A cancelled or failed connect leaves no
  // socket behind.
  virtual void Connect(Op* op, const core::SocketAddress& peer,
                       const core::SocketAddress* local) = 0;
  // The same to the unix stream socket with this path, 1 to kUnixPathBytes long. Never waits: a
  // listener whose queue is full is -EAGAIN, nobody behind the path -ECONNREFUSED or -ENOENT.
  // LocalAddress and PeerAddress of the socket mean nothing.
  virtual void ConnectUnix(Op* op, const std::string& path) = 0;
  // Opens a UDP socket at once: it sends to `peer` and takes datagrams from there alone. Bound to
  // `local` unless that is null; else to a source port that a stranger cannot guess. The socket, or
  // -errno. Of the operations below it has Send (all parts together are one datagram) and RecvInto
  // (one datagram; what does not fit is lost; result 0 is an empty one), either at most once at a
  // time. -ECONNREFUSED at one of them: nobody listens there. Datagrams may be lost, doubled and
  // overtaken.
  virtual int OpenUdp(const core::SocketAddress& peer, const core::SocketAddress* local) = 0;
  // Receives once into a provided buffer: OpResult::data. result 0: the peer has shut its side.
  // Costs no buffer while it waits; when all buffers are out, waits for one, first come first
  // served. One receive at a time on a socket, of either kind.
  virtual void Recv(Op* op, Socket socket) = 0;
  virtual void ReturnBuffer(uint32_t buffer) = 0;
  // Receives once into the owner's memory: for bodies. result: bytes, >= 1, or 0 at the end.
  virtual void RecvInto(Op* op, Socket socket, std::span<char> into) = 0;
  // Sends all of `parts` in order; completes when the kernel has taken everything, or with an
  // error. After a cancel the result can be a count below the total (so many were sent). At most
  // one Send per socket is in flight. `parts` itself must stay in place, too.
  virtual void Send(Op* op, Socket socket, std::span<const iovec> parts) = 0;
  // Ends our side of the stream (FIN after what was sent). Immediate.
  virtual void ShutdownWrite(Socket socket) = 0;
  // Closes at once, or with the next turn; `reset` sends RST and drops unsent bytes. REQUIRES: no
  // operation in flight on it.
  virtual void CloseSocket(Socket socket, bool reset) = 0;

  // --- Files
  // --------------------------------------------------------------------------------------- Open,
  // Fill, Sync, CloseFile and everything with a path may block and run on the helper thread; Read
  // and Write do not.

  // result: a File.
  virtual void Open(Op* op, const std::string& path, const OpenOptions& options) = 0;
  virtual void CloseFile(Op* op, File file) = 0;
  // result: bytes, short at the end of the file.
  virtual void Read(Op* op, File file, std::span<char> into, uint64_t offset) = 0;
  // result: bytes; short or -errno on error. Durable on completion if the file was opened dsync.
  // `parts` must stay in place until completion.
  virtual void Write(Op* op, File file, std::span<const iovec> parts, uint64_t offset) = 0;
  // Writes `bytes` zeros from offset 0 and makes them and the size durable (start-up and growth of
  // the spool: never on the mail path). result: 0. On error the file may be partly filled.
  virtual void Fill(Op* op, File file, uint64_t bytes) = 0;
  // fdatasync. result: 0.
  virtual void Sync(Op* op, File file) = 0;
  // fsync of a directory: makes creations, renames and removals in it durable. result: 0.
  virtual void SyncDirectory(Op* op, const std::string& path) = 0;
  // mkdir, 0750; an existing directory is success. result: 0.
  virtual void MakeDirectory(Op* op, const std::string& path) = 0;
  // The same with 0700, for what belongs to one person.
  virtual void MakePrivateDirectory(Op* op, const std::string& path) = 0;
  virtual void Rename(Op* op, const std::string& from, const std::string& to) = 0;
  virtual void Unlink(Op* op, const std::string& path) = 0;
  // Appends the entries ("." and ".." not), sorted by name, to `out`. result: their number.
  virtual void ListDirectory(Op* op, const std::string& path, std::vector<FileInfo>* out) = 0;
  // Whether there is an entry whose name begins with `prefix`, however many others there are.
  // result: 1, or 0.
  virtual void FindInDirectory(Op* op, const std::string& path, const std::string& prefix) = 0;
  virtual void Space(Op* op, const std::string& path, SpaceInfo* out) = 0;
  // Runs `work` on the helper thread (inside the completion turn, in SimIo) for what blocks and has
  // no operation of its own: parsing a file, signing. `work` must not touch the
  // shard. result: what it returns.
  virtual void RunOnHelper(Op* op, std::function<int32_t()> work) = 0;
  // The same on a second such thread, for what takes the processor long (crypt(3)): files, lines of
  // the log and signatures do not wait for it.
  virtual void RunLong(Op* op, std::function<int32_t()> work) = 0;

  // --- The loop
  // ------------------------------------------------------------------------------------

  // Asks for the early end of an operation. No effect on one that is not in flight.
  virtual void Cancel(Op* op) = 0;
  // One turn: submits what was started, waits until something completes, somebody wakes us, or
  // now_ns() would reach `until_ns`; reads the clocks; runs the completions. With until_ns <=
  // now_ns() it never waits. A Wake between PrepareToSleep() and Turn() is never lost.
  virtual void Turn(int64_t until_ns) = 0;
  // Announces that Turn will be called and may wait: from now on Wake(this) interrupts. The caller
  // looks at its mailboxes once more after this call and before Turn, and passes until_ns = 0 if it
  // finds something.
  virtual void PrepareToSleep() = 0;
  // Wakes another shard's Io, if it sleeps or is about to. Called on this Io's thread; a wake for
  // one that is running costs one atomic read.
  virtual void Wake(Io* other) = 0;
  // Like Wake, from any thread and from signal handlers.
  virtual void WakeFromOutside() = 0;

 protected:
  int64_t now_ns_ = 0;
  int64_t wall_ns_ = 0;
};

}  // namespace outbox::io

#endif  // OUTBOX_IO_IO_H_
