#include "tools/sendmail/session_relay.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

#include "tools/sendmail/submission.h"

namespace outbox::tools {
namespace {

constexpr size_t kPieceBytes = size_t{64} << 10;

bool WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t size = ::write(fd, bytes.data(), bytes.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(size));
  }
  return true;
}

// Moves what there is; false at the end or an error.
bool Move(int from, int to, bool make_crlf, char* last) {
  static char piece[kPieceBytes];
  const ssize_t size = ::read(from, piece, sizeof piece);
  if (size < 0) return errno == EINTR;
  if (size == 0) return false;
  std::string_view bytes(piece, static_cast<size_t>(size));
  if (!make_crlf) return WriteAll(to, bytes);
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    if (c == '\n' && *last != '\r') out.push_back('\r');
    out.push_back(c);
    *last = c;
  }
  return WriteAll(to, out);
}

}  // namespace

bool RelaySession(const std::string& path, int from_client, int to_client) {
  const int server = ConnectToListener(path);
  if (server < 0) {
    WriteAll(to_client, "421 4.3.2 The mail system is not running, try again later\r\n");
    return false;
  }
  char last = '\0';
  bool client_open = true;
  while (true) {
    // Replies first: a client that has gone still gets those to what it had said.
    pollfd polled[2] = {{server, POLLIN, 0}, {client_open ? from_client : -1, POLLIN, 0}};
    if (::poll(polled, 2, -1) < 0) {
      if (errno == EINTR) continue;
      break;
    }
    if (polled[0].revents != 0 && !Move(server, to_client, false, &last)) break;
    if (polled[1].revents != 0 && !Move(from_client, server, true, &last)) {
      client_open = false;
      ::shutdown(server, SHUT_WR);
    }
  }
  ::close(server);
  return true;
}

}  // namespace outbox::tools
