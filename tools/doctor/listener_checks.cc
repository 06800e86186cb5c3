#include "tools/doctor/listener_checks.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "io/tcp_socket.h"
#include "tools/doctor/ring_probe.h"

namespace outbox::tools {
namespace {

using core::SocketAddress;

// Where to connect to for a listener on all addresses.
SocketAddress ReachableAt(SocketAddress address) {
  if (!address.ip.is_any()) return address;
  std::array<uint8_t, 16> loopback = {};
  loopback[15] = 1;
  address.ip =
      address.ip.is_v4() ? core::IpAddress::V4(127, 0, 0, 1) : core::IpAddress::V6(loopback);
  return address;
}

// 0, or the errno of a try to have the address alone, as the daemon's start does.
int TryToListen(const SocketAddress& address) {
  io::TcpAddress system;
  const socklen_t size = io::ToSystemAddress(address, &system);
  const int made = socket(system.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (made < 0) return errno;
  const int on = 1;
  int error = 0;
  if (setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) error = errno;
  if (error == 0 && system.any.sa_family == AF_INET6 &&
      setsockopt(made, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0) {
    error = errno;
  }
  if (error == 0 && bind(made, &system.any, size) != 0) error = errno;
  if (error == 0 && listen(made, 1) != 0) error = errno;
  close(made);
  return error;
}

void CheckFree(const SocketAddress& address, Report* report) {
  const std::string what = address.ToString();
  const std::string port = std::to_string(address.port);
  const int error = TryToListen(address);
  switch (error) {
    case 0:
      report->Ok(what, "is free");
      return;
    case EADDRINUSE:
      report->Fail(what, "is in use, and not by an outboxd that answers",
                   "See who has it: ss -ltnp 'sport = :" + port +
                       "'. Stop that program, or give the listener another port.");
      return;
    case EADDRNOTAVAIL:
      report->Fail(what, "is no address of this machine",
                   "Add it to an interface (ip address), or correct address in [[listener]].");
      return;
    case EACCES:
      report->Note(what, "whether it is free cannot be seen: ports below 1024 need a privilege",
                   "Run the doctor as root; outboxd needs AmbientCapabilities="
                   "CAP_NET_BIND_SERVICE in its unit, or to be started as root.");
      return;
    default:
      report->Fail(what, std::string("cannot be listened at: ") + std::strerror(error),
                   "Correct address in [[listener]].");
  }
}

void CheckOurs(const core::ListenerConfig& listener, const core::Config& config,
               BlockingLoop* loop, Report* report) {
  const std::string what = listener.ToString();
  const core::Result<std::string> greeting =
      ReadGreeting(loop, ReachableAt(listener.address), listener.path);
  const std::string reload =
      "outbox reload, if the configuration has changed since the daemon was started.";
  if (!greeting.ok() && greeting.status().code() == core::StatusCode::kUnavailable) {
    report->Fail(what, "outboxd runs, and does not listen there", reload);
  } else if (!greeting.ok() || greeting->empty()) {
    report->Warn(what, "outboxd runs, and nobody greets there: " + greeting.status().message(),
                 "A packet filter on this machine may be in the way; or outboxd is overloaded.");
  } else if (*greeting == "220 " + config.hostname + " ESMTP Outbox") {
    report->Ok(what, "outboxd greets there");
  } else if (greeting->starts_with("421 ")) {
    report->Note(what, "says: " + *greeting);
  } else {
    report->Fail(
        what, "another program answers there: " + *greeting,
        "See who it is: ss -ltnp 'sport = :" + std::to_string(listener.address.port) + "'. " +
            reload);
  }
}

}  // namespace

void CheckListeners(const core::Config& config, const DaemonView& daemon, BlockingLoop* loop,
                    Report* report) {
  for (const core::ListenerConfig& listener : config.listeners) {
    if (!daemon.running) {
      // A unix socket that another program has is said when the daemon starts.
      if (!listener.is_unix()) CheckFree(listener.address, report);
    } else if (loop != nullptr) {
      CheckOurs(listener, config, loop, report);
    }
  }
}

}  // namespace outbox::tools
