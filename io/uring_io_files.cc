// The immediate socket calls of UringIo, and its file operations that may block and so go to the
// helper thread.
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include <utility>

#include "io/file_calls.h"
#include "io/tcp_socket.h"
#include "io/udp_socket.h"
#include "io/unix_socket.h"
#include "io/uring_io.h"

namespace outbox::io {
namespace {

using Stop = const std::atomic<bool>&;

}  // namespace

core::Result<Socket> UringIo::Listen(const core::SocketAddress& address, bool share) {
  return ListenTcp(address, share);
}

core::Result<Socket> UringIo::ListenUnix(const std::string& path, uint32_t mode) {
  core::Result<Socket> socket = ListenUnixNow(path, static_cast<mode_t>(mode), kListenBacklog);
  // The ring does the waiting, which it refuses to do for O_NONBLOCK.
  if (socket.ok()) CHECK(fcntl(*socket, F_SETFL, 0) == 0);
  return socket;
}

int UringIo::OpenUdp(const core::SocketAddress& peer, const core::SocketAddress* local) {
  return io::OpenUdp(peer, local);
}

core::SocketAddress UringIo::LocalAddress(Socket socket) { return LocalAddressOf(socket); }

core::SocketAddress UringIo::PeerAddress(Socket socket) { return PeerAddressOf(socket); }

void UringIo::ShutdownWrite(Socket socket) {
  // ENOTCONN: the peer has reset the connection; there is nothing left to end.
  CHECK(shutdown(socket, SHUT_WR) == 0 || errno == ENOTCONN);
}

void UringIo::Open(Op* op, const std::string& path, const OpenOptions& options) {
  StartOnHelper(op, [path, options](Stop) { return OpenFileNow(path, options); });
}

void UringIo::CloseFile(Op* op, File file) {
  StartOnHelper(op, [file](Stop) { return CloseFileNow(file); });
}

void UringIo::Fill(Op* op, File file, uint64_t bytes) {
  StartOnHelper(op, [file, bytes](Stop stop) { return FillNow(file, bytes, stop); });
}

void UringIo::Sync(Op* op, File file) {
  StartOnHelper(op, [file](Stop) { return SyncNow(file); });
}

void UringIo::SyncDirectory(Op* op, const std::string& path) {
  StartOnHelper(op, [path](Stop) { return SyncDirectoryNow(path); });
}

void UringIo::MakeDirectory(Op* op, const std::string& path) {
  StartOnHelper(op, [path](Stop) { return MakeDirectoryNow(path); });
}

void UringIo::MakePrivateDirectory(Op* op, const std::string& path) {
  StartOnHelper(op, [path](Stop) { return MakePrivateDirectoryNow(path); });
}

void UringIo::Rename(Op* op, const std::string& from, const std::string& to) {
  StartOnHelper(op, [from, to](Stop) { return RenameNow(from, to); });
}

void UringIo::Unlink(Op* op, const std::string& path) {
  StartOnHelper(op, [path](Stop) { return UnlinkNow(path); });
}

void UringIo::ListDirectory(Op* op, const std::string& path, std::vector<FileInfo>* out) {
  StartOnHelper(op, [path, out](Stop) { return ListDirectoryNow(path, out); });
}

void UringIo::FindInDirectory(Op* op, const std::string& path, const std::string& prefix) {
  StartOnHelper(op, [path, prefix](Stop) { return FindInDirectoryNow(path, prefix); });
}

void UringIo::Space(Op* op, const std::string& path, SpaceInfo* out) {
  StartOnHelper(op, [path, out](Stop) { return SpaceNow(path, out); });
}

void UringIo::RunOnHelper(Op* op, std::function<int32_t()> work) {
  StartOnHelper(op, [work = std::move(work)](Stop) { return work(); });
}

}  // namespace outbox::io
