#include "tools/service_manager.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace outbox::tools {
namespace {

// $WATCHDOG_USEC, when it is meant for this process.
int64_t WatchdogNs() {
  const char* const usec = std::getenv("WATCHDOG_USEC");
  const char* const pid = std::getenv("WATCHDOG_PID");
  if (usec == nullptr || (pid != nullptr && std::to_string(::getpid()) != pid)) return 0;
  int64_t value = 0;
  const char* const end = usec + std::strlen(usec);
  const auto [rest, error] = std::from_chars(usec, end, value);
  constexpr int64_t kLongest = INT64_MAX / 1000;
  return error == std::errc() && rest == end && value > 0 && value < kLongest ? value * 1000 : 0;
}

}  // namespace

ServiceManager::ServiceManager() {
  const char* const name = std::getenv("NOTIFY_SOCKET");
  if (name == nullptr || (name[0] != '/' && name[0] != '@') ||
      std::strlen(name) >= sizeof(sockaddr_un::sun_path)) {
    return;
  }
  address_ = name;
  if (address_[0] == '@') address_[0] = '\0';
  ::unsetenv("NOTIFY_SOCKET");
  fd_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd_ >= 0) alive_within_ns_ = WatchdogNs();
}

ServiceManager::~ServiceManager() {
  if (fd_ >= 0) ::close(fd_);
}

void ServiceManager::Tell(const std::string& lines) {
  if (fd_ < 0) return;
  sockaddr_un to = {};
  to.sun_family = AF_UNIX;
  address_.copy(to.sun_path, address_.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size());
  // A manager that is gone or too busy is not our trouble.
  ::sendto(fd_, lines.data(), lines.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&to),
           size);
}

void ServiceManager::Ready(const std::string& status) { Tell("READY=1\nSTATUS=" + status + "\n"); }

void ServiceManager::Reloading() {
  timespec now = {};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const int64_t now_us = int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
  Tell("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(now_us) + "\n");
}

void ServiceManager::Stopping() { Tell("STOPPING=1\nSTATUS=stopping\n"); }

void ServiceManager::Alive() { Tell("WATCHDOG=1\n"); }

}  // namespace outbox::tools
