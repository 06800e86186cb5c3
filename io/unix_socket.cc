#include "io/unix_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace outbox::io {
namespace {

core::Result<sockaddr_un> UnixAddress(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return core::Status(core::StatusCode::kInvalidArgument,
                        path + ": a socket path has at most " +
                            std::to_string(sizeof address.sun_path - 1) + " characters");
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

// Removes the socket file of a server that is gone.
core::Status RemoveStale(const std::string& path, const sockaddr_un& address) {
  struct stat info = {};
  if (lstat(path.c_str(), &info) != 0) {
    return errno == ENOENT ? core::OkStatus() : core::Status::FromErrno(errno, path);
  }
  if (!S_ISSOCK(info.st_mode)) {
    return core::Status(core::StatusCode::kAlreadyExists, path + ": is there and is not a socket");
  }
  const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) return core::Status::FromErrno(errno, "socket");
  const int connected = connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const bool living = connected == 0 || errno == EAGAIN;  // its queue is full
  close(probe);
  if (living) {
    return core::Status(core::StatusCode::kAlreadyExists,
                        path + ": another server is listening there");
  }
  if (unlink(path.c_str()) != 0) return core::Status::FromErrno(errno, path);
  return core::OkStatus();
}

}  // namespace

core::Result<Socket> ListenUnixNow(const std::string& path, mode_t mode, int backlog) {
  const core::Result<sockaddr_un> address = UnixAddress(path);
  if (!address.ok()) return address.status();
  const core::Status stale = RemoveStale(path, *address);
  if (!stale.ok()) return stale;
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return core::Status::FromErrno(errno, "socket");
  // Nobody can connect before listen(), so the mode is right from the first client on.
  if (bind(fd, reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0 ||
      chmod(path.c_str(), mode) != 0 || listen(fd, backlog) != 0) {
    const core::Status status = core::Status::FromErrno(errno, path);
    close(fd);
    return status;
  }
  return fd;
}

core::IpAddress UserBehind(Socket socket) {
  ucred user = {};
  socklen_t size = sizeof user;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &user, &size) != 0) return {};
  return core::IpAddress::LocalUser(user.uid);
}

}  // namespace outbox::io
