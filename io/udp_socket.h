// UDP sockets by plain system calls.
#ifndef OUTBOX_IO_UDP_SOCKET_H_
#define OUTBOX_IO_UDP_SOCKET_H_

#include "core/ip_address.h"
#include "io/io.h"

namespace outbox::io {

// A new UDP socket that is connected to `peer`, bound to `local` unless that is null. The kernel
// draws the source port from its cryptographic generator. The socket, or -errno.
int OpenUdp(const core::SocketAddress& peer, const core::SocketAddress* local);

}  // namespace outbox::io

#endif  // OUTBOX_IO_UDP_SOCKET_H_
