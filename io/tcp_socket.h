// TCP sockets, and unix sockets to connect to, by plain system calls: what of a socket's life does
// not wait.
#ifndef OUTBOX_IO_TCP_SOCKET_H_
#define OUTBOX_IO_TCP_SOCKET_H_

#include <netinet/in.h>
#include <sys/socket.h>

#include <string>

#include "core/ip_address.h"
#include "core/status.h"
#include "io/io.h"

namespace outbox::io {

// Connections that nobody has accepted yet; cut by the kernel to net.core.somaxconn.
inline constexpr int kListenBacklog = 4096;

// Large enough for the addresses that we speak, and no larger: it lives in an Op.
union TcpAddress {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

// Writes `address` in the system's form; returns its size.
socklen_t ToSystemAddress(const core::SocketAddress& address, TcpAddress* out);
// "[::]:0" when the family is none of ours.
core::SocketAddress FromSystemAddress(const TcpAddress& address);

// A listening socket with SO_REUSEADDR, TCP_NODELAY (which accepted sockets inherit), SO_REUSEPORT
// if `share`; an IPv6 one takes IPv6 only. Errors name the address.
core::Result<Socket> ListenTcp(const core::SocketAddress& address, bool share);
// A new socket of the family of `peer`, TCP_NODELAY, bound to `local` unless that is null. The
// socket, or -errno.
int OpenTcp(const core::SocketAddress& peer, const core::SocketAddress* local);
// A new unix stream socket that is connected to `path`: 0 and *socket; or -errno and no socket.
// Waits for nobody.
int ConnectUnixNow(const std::string& path, int* socket);
core::SocketAddress LocalAddressOf(Socket socket);
core::SocketAddress PeerAddressOf(Socket socket);
// With `reset`, by RST.
void CloseTcp(Socket socket, bool reset);

}  // namespace outbox::io

#endif  // OUTBOX_IO_TCP_SOCKET_H_
