// Unix stream sockets that programs of this machine come in by: what a listener does before it
// listens, and who is at the other end.
#ifndef OUTBOX_IO_UNIX_SOCKET_H_
#define OUTBOX_IO_UNIX_SOCKET_H_

#include <sys/types.h>

#include <string>

#include "core/ip_address.h"
#include "core/status.h"
#include "io/io.h"

namespace outbox::io {

// A listening socket at `path`, for whom `mode` lets in, from the first client on. A socket file
// that nobody listens at is removed first. Does not wait; the descriptor does not block. Errors
// name the path: kAlreadyExists when a living server is there, or something that is no socket.
core::Result<Socket> ListenUnixNow(const std::string& path, mode_t mode, int backlog);

// Who has connected to a unix socket, as core::IpAddress::LocalUser; "::" when the kernel does not
// say.
core::IpAddress UserBehind(Socket socket);

}  // namespace outbox::io

#endif  // OUTBOX_IO_UNIX_SOCKET_H_
