// UringIo: the real world. Io on one io_uring.
//
// One object per shard. It may be created on any thread; the thread that makes the first Turn (or
// Start) owns it from then on, and every later call comes from that thread, except WakeFromOutside.
// Before Start, listeners may be opened and operations be started.
//
// One turn is one io_uring_enter at most (as long as the submission queue is not overrun): what was
// started since the last turn is submitted, and what has completed is reaped, by the same call.
//
// Sleep and wake. `sleeping_` is the handshake with other threads, in the manner of Dekker: the
// sleeper stores it, passes a full fence and looks at its mailboxes; the waker fills the mailbox,
// passes a full fence and reads `sleeping_`. One of the two sees the other, so no wake is lost. The
// waker that turns `sleeping_` from true to false sends the wake: a message from its ring into
// ours, which costs no system call of its own, or a write to our eventfd when that cannot be had.
//
// Features beyond io_uring's core are probed, never assumed, and can be masked by name
// (UringOptions:: disable), so that a test on a new kernel also runs what an old kernel would run.
#ifndef OUTBOX_IO_URING_IO_H_
#define OUTBOX_IO_URING_IO_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/intrusive_list.h"
#include "core/status.h"
#include "io/buffer_pool.h"
#include "io/helper_thread.h"
#include "io/io.h"
#include "io/ring.h"
#include "io/standing_receives.h"

namespace outbox::io {

struct UringOptions {
  // Submissions between two enters; one more costs an extra enter. A power of two.
  uint32_t submission_entries = 1024;
  // Completions that the kernel can hold for us; more is kept by the kernel in a list (counted in
  // UringCounters::overflows). The kernel's maximum. 16 bytes each.
  uint32_t completion_entries = 65536;
  // The provided buffers of Recv. `buffer_count` is a power of two, 1 to 32768.
  uint32_t buffer_count = 256;
  uint32_t buffer_bytes = 16 * 1024;
  // The same for receives that stay armed; when they are all out, one of the above serves.
  uint32_t standing_buffer_count = 256;
  uint32_t standing_buffer_bytes = 8 * 1024;
  // Names of features not to use: "defer_taskrun", "single_issuer", "multishot_accept",
  // "multishot_receive", "provided_buffer_ring", "msg_ring", "poll_first". Other names are an
  // error.
  std::vector<std::string> disable;
};

// Counted since creation. Read by the owner's thread.
struct UringCounters {
  uint64_t turns = 0;
  uint64_t completions = 0;      // operations, wakes not counted
  uint64_t overflows = 0;        // turns that found the completion queue overrun
  uint64_t receives_parked = 0;  // no provided buffer was left
  uint64_t short_sends = 0;      // sends that we continued ourselves
  uint64_t accepts_rearmed = 0;
  uint64_t wakes_by_ring = 0;     // sent to others
  uint64_t wakes_by_eventfd = 0;  // sent to others
};

class UringIo final : public Io {
 public:
  // Errors: an unknown name in `disable`; a kernel without io_uring or too old for it; a limit that
  // is too low. The message says what to change.
  static core::Result<std::unique_ptr<UringIo>> Create(const UringOptions& options);
  // Makes sure that this process may hold `files` sockets and files, raising its own soft limit
  // where the hard limit allows it; the error says what to raise.
  static core::Status ReserveOpenFiles(uint64_t files);
  // Raises the limit as far as the process may; returns what it is.
  static uint64_t RaiseOpenFiles();

  // REQUIRES: nothing in flight (Drain), no Wake to this object on its way.
  ~UringIo() override;

  // Binds the ring to the calling thread. Done by the first Turn if nobody calls it.
  void Start();
  // Turns until nothing is in flight, at most `limit_ns` of steady time; true when nothing is. The
  // owner has cancelled what would not end by itself.
  bool Drain(int64_t limit_ns);

  uint64_t enters() const { return ring_->enters(); }
  const UringCounters& counters() const { return counters_; }
  uint64_t in_flight() const { return in_flight_; }
  // The features by name, and whether they are in use. That the kernel has no multishot accept or
  // receive is known after the first of them.
  std::vector<std::pair<const char*, bool>> FeaturesInUse() const;

  int64_t ProcessorNs() const override;
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
  void PrepareToSleep() override;
  void Wake(Io* other) override;
  void WakeFromOutside() override;

 private:
  struct Features {
    bool multishot_accept = true;
    bool multishot_receive = true;
    bool provided_buffer_ring = true;
    bool msg_ring = true;
    bool poll_first = true;
  };
  enum Kind : uint8_t { kAccept, kConnect, kRecv, kRecvInto, kSend, kRead, kWrite, kHelper };
  using OpList = core::IntrusiveList<Op, &Op::link>;

  UringIo(std::unique_ptr<Ring> ring, std::unique_ptr<BufferPool> buffers,
          std::unique_ptr<BufferPool> standing_buffers, Features features, int event);

  void Begin(Op* op, Kind kind, int handle);
  void Submit(Op* op);
  bool Prepare(Op* op);
  bool PrepareSend(Op* op);
  bool PrepareRecv(Op* op);
  void MakeReady(Op* op, int32_t result);
  void StartOnHelper(Op* op, HelperThread::Work work);
  void FinishHelped(HelperThread* helper);

  void ReadClocks();
  void SubmitBacklog();
  void UnparkReceives();
  void Park(Op* op);
  void ArmEvent();
  void Enter(int64_t until_ns);
  void RunReady();
  void RunHelped();
  void RunCompletions();
  void Dispatch(const Ring::Completion& completion);
  void Complete(Op* op, const Ring::Completion& completion);
  void CompleteAccept(Op* op, const Ring::Completion& completion);
  void CompleteConnect(Op* op, int32_t result);
  void CompleteRecv(Op* op, const Ring::Completion& completion);
  void CompleteSend(Op* op, int32_t result);
  void ReceiveNow(Op* op);
  // Standing receives.
  bool FindsStanding(Op* op, StandingReceive* standing);
  void EndStanding(StandingReceive* standing);
  void CompleteStanding(StandingReceive* standing, const Ring::Completion& completion);
  void DeliverEarly(Op* op, StandingReceive* standing);
  void Finish(Op* op, const OpResult& result);
  void Finish(Op* op, int32_t result);

  bool ClaimSleeper();
  void WriteEvent();

  std::unique_ptr<Ring> ring_;
  std::unique_ptr<BufferPool> buffers_;
  std::unique_ptr<BufferPool> standing_buffers_;  // null: not used
  StandingReceives standing_;
  std::vector<StandingReceive*> unsent_ends_;  // to be cancelled, but the submission queue was full
  Features features_;
  const int event_;  // eventfd; never read: each write makes one completion of the multishot poll
  bool started_ = false;
  bool event_armed_ = false;
  bool woken_ = false;  // by ourselves
  bool standing_proven_ = false;
  std::atomic<bool> sleeping_{false};

  OpList backlog_;
  OpList unsent_cancels_;  // in the kernel, cancelled, but the submission queue was full
  OpList parked_;          // in the order of their first parking
  OpList ready_;
  uint64_t ready_count_ = 0;
  uint64_t parkings_ = 0;  // so far: the ticket of the next one
  uint64_t in_flight_ = 0;
  UringCounters counters_;
  std::unique_ptr<HelperThread> helper_;
  std::unique_ptr<HelperThread> long_helper_;  // of RunLong
};

}  // namespace outbox::io

#endif  // OUTBOX_IO_URING_IO_H_
