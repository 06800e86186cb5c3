// MemoryIo: an Io whose files lie in memory and whose clock is set by hand; for counting what the
// parts above an Io do, without what a disk or a simulated one costs.
//
// Operations complete in the next Turn, in order, and never fail. There are no sockets
// (bench/peer_io.h has some).
#ifndef OUTBOX_BENCH_MEMORY_IO_H_
#define OUTBOX_BENCH_MEMORY_IO_H_

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/check.h"
#include "io/io.h"

namespace outbox::bench {

class MemoryIo : public io::Io {
 public:
  MemoryIo();

  void Pass(int64_t ns) { SetNow(now_ns_ + ns); }
  // From now on what is written is dropped: a disk that costs nothing. It must not be read then.
  void DropWrites() { keep_ = false; }
  uint64_t bytes_read() const { return bytes_read_; }
  uint64_t reads() const { return reads_; }

  uint64_t RandomU64() override { return ++random_ * 0x9e3779b97f4a7c15u; }
  core::Result<io::Socket> Listen(const core::SocketAddress&, bool) override;
  core::Result<io::Socket> ListenUnix(const std::string&, uint32_t) override;
  core::SocketAddress LocalAddress(io::Socket) override { return No(); }
  core::SocketAddress PeerAddress(io::Socket) override { return No(); }
  void Accept(io::Op*, io::Socket) override { No(); }
  void Connect(io::Op*, const core::SocketAddress&, const core::SocketAddress*) override { No(); }
  void ConnectUnix(io::Op*, const std::string&) override { No(); }
  int OpenUdp(const core::SocketAddress&, const core::SocketAddress*) override { return -1; }
  void Recv(io::Op*, io::Socket) override { No(); }
  void ReturnBuffer(uint32_t) override { No(); }
  void RecvInto(io::Op*, io::Socket, std::span<char>) override { No(); }
  void Send(io::Op*, io::Socket, std::span<const iovec>) override { No(); }
  void ShutdownWrite(io::Socket) override { No(); }
  void CloseSocket(io::Socket, bool) override { No(); }

  void Open(io::Op* op, const std::string& path, const io::OpenOptions& options) override;
  void CloseFile(io::Op* op, io::File) override { Complete(op, 0); }
  void Read(io::Op* op, io::File file, std::span<char> into, uint64_t offset) override;
  void Write(io::Op* op, io::File file, std::span<const iovec> parts, uint64_t offset) override;
  void Fill(io::Op* op, io::File file, uint64_t bytes) override;
  void Sync(io::Op* op, io::File) override { Complete(op, 0); }
  void SyncDirectory(io::Op* op, const std::string&) override { Complete(op, 0); }
  void MakeDirectory(io::Op* op, const std::string&) override { Complete(op, 0); }
  void MakePrivateDirectory(io::Op* op, const std::string&) override { Complete(op, 0); }
  void Rename(io::Op* op, const std::string& from, const std::string& to) override;
  void Unlink(io::Op* op, const std::string& path) override;
  void ListDirectory(io::Op* op, const std::string& path, std::vector<io::FileInfo>* out) override;
  void FindInDirectory(io::Op* op, const std::string&, const std::string&) override {
    Complete(op, 0);
  }
  void Space(io::Op* op, const std::string&, io::SpaceInfo* out) override;
  void RunOnHelper(io::Op* op, std::function<int32_t()> work) override { Complete(op, work()); }
  void RunLong(io::Op* op, std::function<int32_t()> work) override { Complete(op, work()); }

  void Cancel(io::Op*) override {}  // whatever it is completes anyway
  // Runs what was started before; a turn takes a microsecond. With nothing to run the clock goes to
  // until_ns.
  void Turn(int64_t until_ns) override;
  void PrepareToSleep() override {}
  void Wake(io::Io*) override {}
  void WakeFromOutside() override {}

 protected:
  // In the next turn. The operation was started just now.
  void Complete(io::Op* op, int32_t result);
  // In the next turn, of an operation that is in flight.
  void Finish(io::Op* op, const io::OpResult& result) { due_.push_back({op, result}); }

 private:
  struct File {
    uint64_t size = 0;
    std::vector<char> bytes;  // fewer than size: zeros follow
  };
  struct Due {
    io::Op* op;
    io::OpResult result;
  };

  static core::SocketAddress No() {
    CHECK(false);
    return {};
  }
  void SetNow(int64_t now_ns);
  File& At(io::File file) { return *open_[static_cast<size_t>(file)]; }

  std::map<std::string, File> files_;  // they stay in place
  std::vector<File*> open_;            // by handle; never used again
  std::vector<Due> due_;
  std::vector<Due> running_;
  bool keep_ = true;
  uint64_t random_ = 0;
  uint64_t reads_ = 0;
  uint64_t bytes_read_ = 0;
};

}  // namespace outbox::bench

#endif  // OUTBOX_BENCH_MEMORY_IO_H_
