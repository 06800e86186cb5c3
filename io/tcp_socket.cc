#include "io/tcp_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "core/check.h"
#include "io/unix_socket.h"

namespace outbox::io {
namespace {

bool SwitchOn(int socket, int level, int option) {
  const int on = 1;
  return setsockopt(socket, level, option, &on, sizeof(on)) == 0;
}

// Everything from the new socket to listen(); false with errno.
bool BindAndListen(int socket, const core::SocketAddress& address, bool share) {
  TcpAddress system;
  const socklen_t size = ToSystemAddress(address, &system);
  if (!SwitchOn(socket, SOL_SOCKET, SO_REUSEADDR)) return false;
  if (share && !SwitchOn(socket, SOL_SOCKET, SO_REUSEPORT)) return false;
  if (!SwitchOn(socket, IPPROTO_TCP, TCP_NODELAY)) return false;
  if (!address.ip.is_v4() && !SwitchOn(socket, IPPROTO_IPV6, IPV6_V6ONLY)) return false;
  return bind(socket, &system.any, size) == 0 && listen(socket, kListenBacklog) == 0;
}

}  // namespace

socklen_t ToSystemAddress(const core::SocketAddress& address, TcpAddress* out) {
  memset(out, 0, sizeof(*out));
  const std::array<uint8_t, 16>& octets = address.ip.octets();
  if (address.ip.is_v4()) {
    out->v4.sin_family = AF_INET;
    out->v4.sin_port = htons(address.port);
    memcpy(&out->v4.sin_addr, octets.data() + 12, 4);
    return sizeof(out->v4);
  }
  out->v6.sin6_family = AF_INET6;
  out->v6.sin6_port = htons(address.port);
  memcpy(&out->v6.sin6_addr, octets.data(), 16);
  return sizeof(out->v6);
}

core::SocketAddress FromSystemAddress(const TcpAddress& address) {
  core::SocketAddress result;
  if (address.any.sa_family == AF_INET) {
    uint8_t octets[4];
    memcpy(octets, &address.v4.sin_addr, sizeof(octets));
    result.ip = core::IpAddress::V4(octets[0], octets[1], octets[2], octets[3]);
    result.port = ntohs(address.v4.sin_port);
  } else if (address.any.sa_family == AF_INET6) {
    std::array<uint8_t, 16> octets;
    memcpy(octets.data(), &address.v6.sin6_addr, octets.size());
    result.ip = core::IpAddress::V6(octets);
    result.port = ntohs(address.v6.sin6_port);
  }
  return result;
}

core::Result<Socket> ListenTcp(const core::SocketAddress& address, bool share) {
  const int family = address.ip.is_v4() ? AF_INET : AF_INET6;
  const int made = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (made >= 0 && BindAndListen(made, address, share)) return made;
  const int error = errno;
  if (made >= 0) close(made);
  return core::Status::FromErrno(error, "listen on " + address.ToString());
}

int OpenTcp(const core::SocketAddress& peer, const core::SocketAddress* local) {
  const int family = peer.ip.is_v4() ? AF_INET : AF_INET6;
  const int made = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (made < 0) return -errno;
  bool fine = SwitchOn(made, IPPROTO_TCP, TCP_NODELAY);
  if (fine && local != nullptr) {
    TcpAddress system;
    const socklen_t size = ToSystemAddress(*local, &system);
    // The port is chosen at connect, when the other side is known: more connections fit.
    if (local->port == 0) fine = SwitchOn(made, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
    fine = fine && bind(made, &system.any, size) == 0;
  }
  if (fine) return made;
  const int error = errno;
  close(made);
  return -error;
}

int ConnectUnixNow(const std::string& path, int* made) {
  sockaddr_un address;
  memset(&address, 0, sizeof(address));
  CHECK(!path.empty() && path.size() < sizeof(address.sun_path));
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path, path.data(), path.size());
  const int one = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (one < 0) return -errno;
  // Such a connect waits for nothing but room in the listener's queue, and here not for that
  // either. Afterwards the ring does the waiting, which it refuses to do for O_NONBLOCK.
  if (connect(one, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 &&
      fcntl(one, F_SETFL, 0) == 0) {
    *made = one;
    return 0;
  }
  const int error = errno;
  close(one);
  return -error;
}

core::SocketAddress LocalAddressOf(Socket socket) {
  TcpAddress system;
  memset(&system, 0, sizeof(system));
  socklen_t size = sizeof(system);
  if (getsockname(socket, &system.any, &size) != 0) return {};
  return FromSystemAddress(system);
}

core::SocketAddress PeerAddressOf(Socket socket) {
  TcpAddress system;
  memset(&system, 0, sizeof(system));
  socklen_t size = sizeof(system);
  if (getpeername(socket, &system.any, &size) != 0) return {};
  if (system.any.sa_family == AF_UNIX) return {UserBehind(socket), 0};
  return FromSystemAddress(system);
}

void CloseTcp(Socket socket, bool reset) {
  if (reset) {
    const linger now = {1, 0};
    // Fails for no open TCP socket; if it did, the peer would see a FIN instead.
    setsockopt(socket, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  }
  // Linux releases the descriptor whatever close returns; EBADF is a mistake of ours.
  CHECK(close(socket) == 0 || errno != EBADF);
}

}  // namespace outbox::io
