// From which size on zero-copy sends would pay, here or over the network between two machines.
//
// The relay sends with copies. A zero-copy send spares the kernel one, and in return keeps the
// memory until the peer's machine has acknowledged it, with a notification to be read for each
// send: what that costs depends on the network card. On loopback the kernel copies all the same,
// later, and says so: its flag is printed, and the figures there show the cost without the gain.
//
//   zero_copy                          over loopback
//   zero_copy --listen ADDRESS:PORT    takes what another machine's run sends, until interrupted
//   zero_copy --to ADDRESS:PORT        over the network
//
// One connection; sizes in turn, rounds interleaved; CPU time of the sending thread, softirqs that
// run on it included.
#include <errno.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "core/check.h"
#include "core/ip_address.h"
#include "core/time.h"
#include "io/tcp_socket.h"

namespace outbox::bench {
namespace {

constexpr size_t kSizes[] = {4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20};
constexpr size_t kSizeMax = 1 << 20;
constexpr size_t kRoundBytes = 32 << 20;
constexpr int kRounds = 9;
// Sends whose memory has not come back, at most.
constexpr uint32_t kPinnedMax = 64;

int64_t ThreadCpuNs() {
  timespec now = {};
  CHECK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) == 0);
  return int64_t{now.tv_sec} * core::kNsPerSecond + now.tv_nsec;
}

[[noreturn]] void Die(const char* what) {
  std::fprintf(stderr, "zero_copy: %s: %s\n", what, strerror(errno));
  std::exit(1);
}

class Sender {
 public:
  explicit Sender(int socket) : socket_(socket), bytes_(kSizeMax, 'x') {
    const int on = 1;
    if (setsockopt(socket_, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof(on)) != 0) Die("SO_ZEROCOPY");
  }

  void Send(size_t size, bool zero_copy) {
    for (size_t at = 0; at < size;) {
      const ssize_t sent = send(socket_, bytes_.data() + at, size - at,
                                MSG_NOSIGNAL | (zero_copy ? MSG_ZEROCOPY : 0));
      if (sent < 0 && errno == ENOBUFS && zero_copy && pinned_ > 0) {
        TakeNotices(/*wait=*/true);
        continue;
      }
      if (sent < 0) Die("send");
      at += static_cast<size_t>(sent);
      pinned_ += zero_copy ? 1 : 0;
    }
    if (zero_copy) TakeNotices(pinned_ > kPinnedMax);
  }
  void TakeAllNotices() {
    while (pinned_ > 0) TakeNotices(/*wait=*/true);
  }
  uint64_t notified() const { return notified_; }
  uint64_t copied() const { return copied_; }

 private:
  void TakeNotices(bool wait) {
    if (wait) {
      pollfd errors = {socket_, 0, 0};
      if (poll(&errors, 1, 10'000) == 0) {
        errno = ETIMEDOUT;
        Die("the peer takes nothing");
      }
    }
    for (;;) {
      alignas(cmsghdr) char control[256];
      msghdr message = {};
      message.msg_control = control;
      message.msg_controllen = sizeof(control);
      if (recvmsg(socket_, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) return;
      for (cmsghdr* at = CMSG_FIRSTHDR(&message); at != nullptr; at = CMSG_NXTHDR(&message, at)) {
        sock_extended_err notice;
        std::memcpy(&notice, CMSG_DATA(at), sizeof(notice));
        if (notice.ee_origin != SO_EE_ORIGIN_ZEROCOPY) continue;
        const uint32_t sends = notice.ee_data - notice.ee_info + 1;
        pinned_ -= std::min(pinned_, sends);
        notified_ += sends;
        if ((notice.ee_code & SO_EE_CODE_ZEROCOPY_COPIED) != 0) copied_ += sends;
      }
    }
  }

  const int socket_;
  const std::string bytes_;
  uint32_t pinned_ = 0;
  uint64_t notified_ = 0;
  uint64_t copied_ = 0;
};

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void Measure(int socket) {
  std::printf("%10s %18s %18s %8s %14s\n", "a send of", "copied, us a MiB", "zero-copy, us",
              "ratio", "copied anyway");
  for (const size_t size : kSizes) {
    Sender sender(socket);
    std::vector<double> us[2];
    for (int round = 0; round < kRounds; ++round) {
      for (const bool zero_copy : {false, true}) {
        const int64_t began = ThreadCpuNs();
        for (size_t sent = 0; sent < kRoundBytes; sent += size) sender.Send(size, zero_copy);
        sender.TakeAllNotices();
        us[zero_copy ? 1 : 0].push_back(static_cast<double>(ThreadCpuNs() - began) / 1e3 /
                                        static_cast<double>(kRoundBytes >> 20));
      }
    }
    const double plain = Median(us[0]);
    const double spared = Median(us[1]);
    std::printf("%6zu KiB %18.0f %18.0f %8.2f %12.0f %%\n", size >> 10, plain, spared,
                spared / plain,
                100.0 * static_cast<double>(sender.copied()) /
                    static_cast<double>(std::max<uint64_t>(sender.notified(), 1)));
  }
}

// Reads and drops what one peer sends.
void Discard(int socket) {
  std::vector<char> into(256 << 10);
  while (recv(socket, into.data(), into.size(), 0) > 0) {
  }
  close(socket);
}

int Connect(const core::SocketAddress& peer) {
  const int socket = io::OpenTcp(peer, nullptr);
  io::TcpAddress address;
  const socklen_t size = io::ToSystemAddress(peer, &address);
  // The relay's sockets never block; here they may.
  if (socket < 0 || fcntl(socket, F_SETFL, 0) != 0 || connect(socket, &address.any, size) != 0) {
    Die(peer.ToString().c_str());
  }
  return socket;
}

int Accept(int listener) {
  pollfd readable = {listener, POLLIN, 0};
  if (poll(&readable, 1, -1) < 0) Die("poll");
  const int socket = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  if (socket < 0) Die("accept");
  return socket;
}

int Run(std::string_view how, std::string_view where) {
  core::SocketAddress address{core::IpAddress::V4(127, 0, 0, 1), 0};
  if (!how.empty()) {
    const auto parsed = core::SocketAddress::Parse(where);
    if ((how != "--listen" && how != "--to") || !parsed.ok()) {
      std::fprintf(stderr, "usage: zero_copy [--listen ADDRESS:PORT | --to ADDRESS:PORT]\n");
      return 2;
    }
    address = parsed.value();
  }
  if (how == "--to") {
    Measure(Connect(address));
    return 0;
  }
  const auto listener = io::ListenTcp(address, /*share=*/false);
  if (!listener.ok()) {
    std::fprintf(stderr, "zero_copy: %s\n", listener.status().ToString().c_str());
    return 1;
  }
  while (how == "--listen") Discard(Accept(listener.value()));
  const int socket = Connect(io::LocalAddressOf(listener.value()));
  std::thread reader(Discard, Accept(listener.value()));
  Measure(socket);
  shutdown(socket, SHUT_WR);
  reader.join();
  return 0;
}

}  // namespace
}  // namespace outbox::bench

int main(int argc, char** argv) {
  const std::string_view how = argc > 1 ? argv[1] : "";
  return outbox::bench::Run(how, argc > 2 ? argv[2] : "");
}
