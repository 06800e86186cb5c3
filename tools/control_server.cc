#include "tools/control_server.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <ctime>

#include "core/check.h"
#include "io/unix_socket.h"
#include "tools/control_connection.h"

namespace outbox::tools {
namespace {

constexpr int64_t kDoorRestNs = 100'000'000;
constexpr int64_t kFarewellNs = 1'000'000'000;

int64_t SteadyNs() {
  timespec now = {};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

sigset_t Signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  return signals;
}

// A socket that clients come in by.
struct Door {
  std::string path;
  bool read_only = false;
  int fd = -1;
};

class Server final : public ControlServer {
 public:
  Server(std::vector<Door> doors, int event, int signals, ControlHandler* handler)
      : doors_(std::move(doors)), event_(event), signals_(signals), handler_(handler) {}
  ~Server() override;

  void Run() override;
  void Quit() override { quit_ = true; }
  void Post(std::function<void()> work) override;
  void After(int64_t delay_ns, std::function<void()> work) override;

 private:
  struct Timer {
    int64_t due_ns;
    std::function<void()> work;
  };

  void Turn(int64_t until_ns);
  void AcceptClients(const Door& door);
  void ReadSignals();
  void RunPosted();
  void RunTimers();
  int64_t NextTimer() const;
  bool AnyOutput() const;

  const std::vector<Door> doors_;
  const int event_;
  const int signals_;
  ControlHandler* const handler_;
  bool quit_ = false;
  int64_t doors_rest_until_ns_ = 0;  // nobody could be let in; 0: they are open
  std::vector<std::shared_ptr<ControlConnection>> clients_;
  std::vector<Timer> timers_;
  std::mutex posted_mutex_;
  std::vector<std::function<void()>> posted_;
};

Server::~Server() {
  clients_.clear();
  for (const Door& door : doors_) {
    unlink(door.path.c_str());
    close(door.fd);
  }
  close(event_);
  close(signals_);
}

void Server::Run() {
  while (!quit_) Turn(NextTimer());
  const int64_t patience_ns = SteadyNs() + kFarewellNs;
  while (AnyOutput() && SteadyNs() < patience_ns) Turn(patience_ns);
}

void Server::Turn(int64_t until_ns) {
  std::vector<pollfd> polled = {{event_, POLLIN, 0}, {signals_, POLLIN, 0}};
  if (doors_rest_until_ns_ <= SteadyNs()) doors_rest_until_ns_ = 0;
  const bool open = doors_rest_until_ns_ == 0;
  for (const Door& door : doors_) polled.push_back({open ? door.fd : -1, POLLIN, 0});
  if (!open) until_ns = std::min(until_ns, doors_rest_until_ns_);
  const size_t first_client = polled.size();
  const std::vector<std::shared_ptr<ControlConnection>> clients = clients_;
  for (const auto& client : clients) polled.push_back({client->fd(), client->events(), 0});

  int timeout_ms = -1;
  if (until_ns != INT64_MAX) {
    const int64_t wait_ms = (until_ns - SteadyNs() + 999'999) / 1'000'000;
    timeout_ms = static_cast<int>(std::clamp<int64_t>(wait_ms, 0, 60'000));
  }
  if (poll(polled.data(), polled.size(), timeout_ms) < 0) {
    CHECK(errno == EINTR || errno == ENOMEM);
    return;
  }
  if (polled[1].revents != 0) ReadSignals();
  if (polled[0].revents != 0) RunPosted();
  RunTimers();
  for (size_t i = 0; i < clients.size(); ++i) {
    if (polled[first_client + i].revents != 0)
      clients[i]->OnEvents(polled[first_client + i].revents);
    clients[i]->Resume();
  }
  for (size_t i = 0; i < doors_.size(); ++i) {
    if (polled[2 + i].revents != 0) AcceptClients(doors_[i]);
  }
  // Who waits for a client to read must hear that it has gone.
  for (const auto& client : clients_) {
    if (client->dead()) client->Resume();
  }
  std::erase_if(clients_, [](const auto& client) { return client->dead(); });
}

void Server::AcceptClients(const Door& door) {
  for (size_t i = 0; i < kControlClientsMax; ++i) {
    const int fd = accept4(door.fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
      // Without a descriptor for them, who knocks waits outside: poll(2) would report it for ever.
      const bool short_of = errno != EAGAIN && errno != EINTR && errno != ECONNABORTED;
      if (short_of) doors_rest_until_ns_ = SteadyNs() + kDoorRestNs;
      return;
    }
    const auto same_door = std::count_if(
        clients_.begin(), clients_.end(),
        [&door](const auto& client) { return client->read_only() == door.read_only; });
    if (static_cast<size_t>(same_door) >= kControlClientsMax) {
      static constexpr char kFull[] = "{\"error\":\"too many clients\"}\n";
      send(fd, kFull, sizeof kFull - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
      close(fd);
      continue;
    }
    clients_.push_back(std::make_shared<ControlConnection>(fd, handler_, door.read_only));
  }
}

void Server::ReadSignals() {
  signalfd_siginfo info = {};
  while (read(signals_, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    handler_->OnSignal(static_cast<int>(info.ssi_signo));
  }
}

void Server::Post(std::function<void()> work) {
  {
    const std::lock_guard<std::mutex> lock(posted_mutex_);
    posted_.push_back(std::move(work));
  }
  const uint64_t one = 1;
  // The counter cannot overflow in practice, and a full one is awake anyway.
  [[maybe_unused]] const ssize_t written = write(event_, &one, sizeof one);
}

void Server::RunPosted() {
  uint64_t count = 0;
  [[maybe_unused]] const ssize_t size = read(event_, &count, sizeof count);
  std::vector<std::function<void()>> works;
  {
    const std::lock_guard<std::mutex> lock(posted_mutex_);
    works.swap(posted_);
  }
  for (const auto& work : works) work();
}

void Server::After(int64_t delay_ns, std::function<void()> work) {
  timers_.push_back({SteadyNs() + delay_ns, std::move(work)});
}

void Server::RunTimers() {
  const int64_t now_ns = SteadyNs();
  std::vector<Timer> due;
  for (Timer& timer : timers_) {
    if (timer.due_ns <= now_ns) due.push_back(std::move(timer));
  }
  std::erase_if(timers_, [now_ns](const Timer& timer) { return timer.due_ns <= now_ns; });
  for (const Timer& timer : due) timer.work();
}

int64_t Server::NextTimer() const {
  int64_t next_ns = INT64_MAX;
  for (const Timer& timer : timers_) next_ns = std::min(next_ns, timer.due_ns);
  return next_ns;
}

bool Server::AnyOutput() const {
  return std::any_of(clients_.begin(), clients_.end(),
                     [](const auto& client) { return client->has_output(); });
}

}  // namespace

void ControlServer::BlockSignals() {
  const sigset_t signals = Signals();
  CHECK(pthread_sigmask(SIG_BLOCK, &signals, nullptr) == 0);
}

core::Result<std::unique_ptr<ControlServer>> ControlServer::Create(const std::string& path,
                                                                   ControlHandler* handler,
                                                                   const std::string& stats_path) {
  std::vector<Door> doors;
  const auto leave = [&doors](const core::Status& status) {
    for (const Door& door : doors) {
      unlink(door.path.c_str());
      close(door.fd);
    }
    return status;
  };
  for (const Door& wanted : {Door{path, false, -1}, Door{stats_path, true, -1}}) {
    if (wanted.path.empty()) continue;
    const core::Result<int> listening = io::ListenUnixNow(
        wanted.path, wanted.read_only ? 0666 : 0660, kControlClientsMax);
    if (!listening.ok()) return leave(listening.status());
    doors.push_back({wanted.path, wanted.read_only, *listening});
  }
  const sigset_t mask = Signals();
  const int signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
  const int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (signals < 0 || event < 0) {
    const core::Status status = core::Status::FromErrno(errno, "signalfd, eventfd");
    for (const int fd : {signals, event}) {
      if (fd >= 0) close(fd);
    }
    return leave(status);
  }
  return std::unique_ptr<ControlServer>(new Server(std::move(doors), event, signals, handler));
}

}  // namespace outbox::tools
