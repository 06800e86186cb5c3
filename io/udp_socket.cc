#include "io/udp_socket.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/tcp_socket.h"

namespace outbox::io {

int OpenUdp(const core::SocketAddress& peer, const core::SocketAddress* local) {
  const int family = peer.ip.is_v4() ? AF_INET : AF_INET6;
  const int made = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (made < 0) return -errno;
  TcpAddress system;
  bool fine = true;
  if (local != nullptr) {
    const socklen_t size = ToSystemAddress(*local, &system);
    fine = bind(made, &system.any, size) == 0;
  }
  if (fine) {
    const socklen_t size = ToSystemAddress(peer, &system);
    fine = connect(made, &system.any, size) == 0;
  }
  if (fine) return made;
  const int error = errno;
  close(made);
  return -error;
}

}  // namespace outbox::io
