// ClockIo: an Io that has nothing but a clock, for tests of what needs no socket and no file.
// Everything else stops the test.
#ifndef OUTBOX_TESTS_QUEUE_CLOCK_IO_H_
#define OUTBOX_TESTS_QUEUE_CLOCK_IO_H_

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/check.h"
#include "io/io.h"

namespace outbox::queue {

class ClockIo : public io::Io {
 public:
  void SetNow(int64_t now_ns) { now_ns_ = wall_ns_ = now_ns; }
  int wakes = 0;

  uint64_t RandomU64() override { return No<uint64_t>(); }
  core::Result<io::Socket> Listen(const core::SocketAddress&, bool) override {
    CHECK(false);
    return io::kNoHandle;
  }
  core::SocketAddress LocalAddress(io::Socket) override { return No<core::SocketAddress>(); }
  core::SocketAddress PeerAddress(io::Socket) override { return No<core::SocketAddress>(); }
  void Accept(io::Op*, io::Socket) override { CHECK(false); }
  void Connect(io::Op*, const core::SocketAddress&, const core::SocketAddress*) override {
    CHECK(false);
  }
  void ConnectUnix(io::Op*, const std::string&) override { CHECK(false); }
  core::Result<io::Socket> ListenUnix(const std::string&, uint32_t) override {
    return core::Status(core::StatusCode::kUnimplemented, "no sockets here");
  }
  int OpenUdp(const core::SocketAddress&, const core::SocketAddress*) override { return No<int>(); }
  void Recv(io::Op*, io::Socket) override { CHECK(false); }
  void ReturnBuffer(uint32_t) override { CHECK(false); }
  void RecvInto(io::Op*, io::Socket, std::span<char>) override { CHECK(false); }
  void Send(io::Op*, io::Socket, std::span<const iovec>) override { CHECK(false); }
  void ShutdownWrite(io::Socket) override { CHECK(false); }
  void CloseSocket(io::Socket, bool) override { CHECK(false); }
  void Open(io::Op*, const std::string&, const io::OpenOptions&) override { CHECK(false); }
  void CloseFile(io::Op*, io::File) override { CHECK(false); }
  void Read(io::Op*, io::File, std::span<char>, uint64_t) override { CHECK(false); }
  void Write(io::Op*, io::File, std::span<const iovec>, uint64_t) override { CHECK(false); }
  void Fill(io::Op*, io::File, uint64_t) override { CHECK(false); }
  void Sync(io::Op*, io::File) override { CHECK(false); }
  void SyncDirectory(io::Op*, const std::string&) override { CHECK(false); }
  void MakeDirectory(io::Op*, const std::string&) override { CHECK(false); }
  void MakePrivateDirectory(io::Op*, const std::string&) override { CHECK(false); }
  void Rename(io::Op*, const std::string&, const std::string&) override { CHECK(false); }
  void Unlink(io::Op*, const std::string&) override { CHECK(false); }
  void ListDirectory(io::Op*, const std::string&, std::vector<io::FileInfo>*) override {
    CHECK(false);
  }
  void FindInDirectory(io::Op*, const std::string&, const std::string&) override { CHECK(false); }
  void Space(io::Op*, const std::string&, io::SpaceInfo*) override { CHECK(false); }
  void RunOnHelper(io::Op*, std::function<int32_t()>) override { CHECK(false); }
  void RunLong(io::Op*, std::function<int32_t()>) override { CHECK(false); }
  void Cancel(io::Op*) override { CHECK(false); }
  void Turn(int64_t) override { CHECK(false); }
  void PrepareToSleep() override { CHECK(false); }
  void Wake(io::Io* other) override { ++static_cast<ClockIo*>(other)->wakes; }
  void WakeFromOutside() override { CHECK(false); }

 private:
  template <typename T>
  static T No() {
    CHECK(false);
    return T{};
  }
};

}  // namespace outbox::queue

#endif  // OUTBOX_TESTS_QUEUE_CLOCK_IO_H_
