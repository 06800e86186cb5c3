// What the machine can copy over loopback TCP in two hops: a source, a forwarder and a sink, three
// processes of one thread each, which read and write pieces of one size and do nothing else: no
// protocol, no disk. The measure for large messages: a relay that did nothing but relay would reach
// it.
//
//   loopback_copy SIZE CONNECTIONS MEBIBYTES
//
// SIZE: octets of one write, and of one read at most. The source writes to its connections in turn.
// Prints the rate in MB (10^6 octets) a second, from the first write to the last read. Ends within
// two minutes, whatever happens.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

constexpr unsigned kSecondsMax = 120;

struct Work {
  size_t size = 0;
  size_t connections = 0;
  uint64_t bytes = 0;  // through all connections
};

[[noreturn]] void Fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

// A connected pair: what is written to `from` arrives at `to`.
struct Hop {
  int from = -1;
  int to = -1;
};

int Listen(sockaddr_in* address) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  *address = {};
  address->sin_family = AF_INET;
  address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(*address);
  if (bind(listener, reinterpret_cast<sockaddr*>(address), length) != 0 ||
      getsockname(listener, reinterpret_cast<sockaddr*>(address), &length) != 0 ||
      listen(listener, 1) != 0) {
    Fail("listen");
  }
  return listener;
}

Hop Connect() {
  sockaddr_in address;
  const int listener = Listen(&address);
  Hop hop;
  hop.from = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(hop.from, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    Fail("connect");
  }
  hop.to = accept(listener, nullptr, nullptr);
  if (hop.to < 0) Fail("accept");
  const int one = 1;
  setsockopt(hop.from, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
  close(listener);
  return hop;
}

void WriteAll(int socket, const char* data, size_t bytes) {
  while (bytes > 0) {
    const ssize_t written = write(socket, data, bytes);
    if (written < 0) Fail("write");
    data += written;
    bytes -= static_cast<size_t>(written);
  }
}

void Source(const Work& work, const std::vector<Hop>& hops) {
  const std::vector<char> data(work.size, 'x');
  for (uint64_t sent = 0, turn = 0; sent < work.bytes; sent += work.size, ++turn) {
    WriteAll(hops[turn % hops.size()].from, data.data(),
             static_cast<size_t>(std::min<uint64_t>(work.size, work.bytes - sent)));
  }
}

// Reads from whichever hop has something until `bytes` are there; writes them to the hop of the
// same number in `onwards`, if there are any.
void Read(const Work& work, const std::vector<Hop>& hops, const std::vector<Hop>& onwards) {
  const int poll = epoll_create1(EPOLL_CLOEXEC);
  for (size_t i = 0; i < hops.size(); ++i) {
    epoll_event event = {};
    event.events = EPOLLIN;
    event.data.u64 = i;
    if (epoll_ctl(poll, EPOLL_CTL_ADD, hops[i].to, &event) != 0) Fail("epoll_ctl");
  }
  std::vector<char> data(work.size);
  epoll_event events[64];
  uint64_t seen = 0;
  while (seen < work.bytes) {
    const int ready = epoll_wait(poll, events, 64, 10'000);
    if (ready <= 0) Fail("epoll_wait");
    for (int i = 0; i < ready; ++i) {
      const size_t number = static_cast<size_t>(events[i].data.u64);
      const ssize_t got = read(hops[number].to, data.data(), data.size());
      if (got <= 0) Fail("read");
      seen += static_cast<uint64_t>(got);
      if (!onwards.empty()) WriteAll(onwards[number].from, data.data(), static_cast<size_t>(got));
    }
  }
  close(poll);
}

// Runs `what` in a process of its own.
template <typename What>
pid_t Fork(What what) {
  const pid_t child = fork();
  if (child < 0) Fail("fork");
  if (child == 0) {
    alarm(kSecondsMax);
    what();
    _exit(0);
  }
  return child;
}

double MegabytesASecond(const Work& work) {
  std::vector<Hop> first;
  std::vector<Hop> second;
  for (size_t i = 0; i < work.connections; ++i) {
    first.push_back(Connect());
    second.push_back(Connect());
  }
  const auto start = std::chrono::steady_clock::now();
  const pid_t children[] = {Fork([&] { Source(work, first); }),
                            Fork([&] { Read(work, first, second); }),
                            Fork([&] { Read(work, second, {}); })};
  for (const pid_t child : children) {
    int status = 0;
    if (waitpid(child, &status, 0) != child || status != 0) {
      for (const pid_t other : children) kill(other, SIGKILL);
      std::fprintf(stderr, "loopback_copy: a process failed\n");
      std::exit(1);
    }
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  return static_cast<double>(work.bytes) / 1e6 / took.count();
}

}  // namespace

int main(int argc, char** argv) {
  Work work;
  if (argc == 4) {
    work.size = std::strtoull(argv[1], nullptr, 10);
    work.connections = std::strtoull(argv[2], nullptr, 10);
    work.bytes = std::strtoull(argv[3], nullptr, 10) << 20;
  }
  if (work.size == 0 || work.size > (64u << 20) || work.connections == 0 ||
      work.connections > 1000 || work.bytes == 0 || work.bytes > (uint64_t{1} << 40)) {
    std::fprintf(stderr, "usage: loopback_copy SIZE CONNECTIONS MEBIBYTES\n");
    return 2;
  }
  std::printf("%.1f\n", MegabytesASecond(work));
  return 0;
}
