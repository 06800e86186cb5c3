#include "tools/daemon.h"

#include <pthread.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <utility>

#include "core/limits.h"
#include "core/time.h"
#include "core/time_format.h"
#include "tools/daemon_seat.h"
#include "tools/descriptor_plan.h"
#include "tools/listener_probe.h"
#include "tools/machine.h"
#include "tools/source_addresses.h"

namespace outbox::tools {
namespace {

// So long before the stop timeout clients that are sending are told, unless it is short.
constexpr int64_t kStopWarningNs = 2 * core::kNsPerSecond;
// After the connections have been cut, the stores still write what they hold.
constexpr int64_t kHardStopNs = 20 * core::kNsPerSecond;

// The core that shard `index` is pinned to: the index-th of those that the process may use.
int CoreOf(uint32_t index) {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return -1;
  const int usable = CPU_COUNT(&set);
  int nth = static_cast<int>(index) % std::max(usable, 1);
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &set) && nth-- == 0) return core;
  }
  return -1;
}

}  // namespace

uint64_t ResidentBytes() {
  std::FILE* file = std::fopen("/proc/self/statm", "re");
  if (file == nullptr) return 0;
  unsigned long long total = 0;
  unsigned long long resident = 0;
  const int read = std::fscanf(file, "%llu %llu", &total, &resident);
  std::fclose(file);
  return read == 2 ? resident * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE)) : 0;
}

Daemon::Daemon(std::string config_file, std::shared_ptr<const core::Config> config, TlsFiles tls)
    : config_file_(std::move(config_file)),
      config_(std::move(config)),
      tls_(std::move(tls)),
      shards_(config_->shards == 0 ? UsableCores() : config_->shards),
      log_(config_->log.file),
      talk_file_(config_->talk.directory, config_->talk.disk),
      book_(config_->spool),
      memory_limit_(config_->limits.memory) {}

// --- Start
// -----------------------------------------------------------------------------------------

std::shared_ptr<const ClassicLog> Daemon::LogForm() const {
  if (config_->log.format == core::LogFormat::kJson) return nullptr;
  return std::make_shared<const ClassicLog>(config_->hostname, config_->log.name, ::getpid());
}

core::Status Daemon::Prepare() {
  log_.SetForm(LogForm());
  if (core::Status status = log_.Open(); !status.ok()) return status;
  std::error_code error;
  std::filesystem::create_directories(config_->spool, error);
  if (error) {
    return core::Status(core::StatusCode::kIoError,
                        "cannot make the spool " + config_->spool + ": " + error.message());
  }
  if (core::Status status = lock_.Take(config_->spool); !status.ok()) return status;
  if (core::Status status = LoadSuspensions(); !status.ok()) return status;
  if (core::Status status = AwaitListeners(*config_); !status.ok()) return status;
  const std::string control = std::filesystem::path(config_->control).parent_path();
  if (!control.empty()) std::filesystem::create_directories(control, error);
  if (error) {
    return core::Status(core::StatusCode::kIoError,
                        "cannot make the directory of the control socket " + config_->control +
                            ": " + error.message());
  }
  if (core::Status status = OpenMaildrop(); !status.ok()) return status;
  return PlanOpenFiles();
}

core::Status Daemon::OpenMaildrop() {
  if (config_->maildrop.empty()) return core::OkStatus();
  maildrop_ = std::make_unique<MaildropPickup>(
      config_->maildrop, config_->hostname,
      [this](const char* event, const std::string& text) { LogEvent(event, text); });
  maildrop_->SetListener(*config_);
  return maildrop_->Open();
}

core::Status Daemon::PlanOpenFiles() {
  DescriptorNeeds needs;
  needs.limit = io::UringIo::RaiseOpenFiles();
  needs.shards = shards_;
  needs.listeners = static_cast<uint32_t>(config_->listeners.size());
  needs.connections_out = config_->limits.connections_out;
  for (const core::ListenerConfig& listener : config_->listeners) {
    needs.connections_in = std::max(needs.connections_in, listener.max_connections);
  }
  needs.spool_files = CountSpoolFiles(config_->spool);
  const core::Result<DescriptorPlan> plan = PlanDescriptors(needs);
  if (!plan.ok()) return plan.status();
  connections_out_ = plan->connections_out;
  clients_.SetBound(plan->connections_in);
  std::string text =
      std::to_string(needs.limit) + " file descriptors: " + std::to_string(plan->connections_in) +
      " connections in and " + std::to_string(plan->connections_out) + " out at most";
  if (plan->connections_in < needs.connections_in ||
      plan->connections_out < needs.connections_out) {
    text += ", which is less than configured; raise LimitNOFILE= of the service (ulimit -n)";
  }
  LogEvent("open_files", text);
  return core::OkStatus();
}

core::Result<std::vector<uint32_t>> Daemon::FindLogs() const {
  std::vector<uint32_t> logs;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(config_->spool, error)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("log-") || !entry.is_directory()) continue;
    uint32_t id = 0;
    const char* end = name.data() + name.size();
    const auto [rest, wrong] = std::from_chars(name.data() + 4, end, id);
    if (wrong == std::errc() && rest == end) logs.push_back(id);
  }
  if (error) {
    return core::Status(core::StatusCode::kIoError,
                        "cannot read the spool " + config_->spool + ": " + error.message());
  }
  std::sort(logs.begin(), logs.end());
  return logs;
}

core::Status Daemon::MakeShards() {
  core::Result<std::vector<uint32_t>> logs = FindLogs();
  if (!logs.ok()) return logs.status();
  exchange_ = std::make_unique<queue::Exchange>(shards_);
  sites_ = std::make_unique<queue::SiteTable>(core::kMaxSites);
  io::UringOptions options;
  options.disable = config_->io.disable;
  std::vector<io::Io*> ios;
  for (uint32_t i = 0; i < shards_; ++i) {
    seats_.push_back(std::make_unique<Seat>());
    seats_[i]->index = i;
    core::Result<std::unique_ptr<io::UringIo>> io = io::UringIo::Create(options);
    if (!io.ok()) return io.status();
    seats_[i]->io = std::move(*io);
    ios.push_back(seats_[i]->io.get());
  }
  for (uint32_t i = 0; i < shards_; ++i) {
    queue::ShardSetup setup;
    setup.index = i;
    setup.max_connections_out = connections_out_ / shards_;
    shard_configs_.push_back(queue::ShardConfig::Make(config_, tls_.tls));
    setup.config = shard_configs_[i];
    setup.own_addresses = OwnAddresses();
    setup.io = ios[i];
    setup.ios = ios;
    setup.exchange = exchange_.get();
    setup.sites = sites_.get();
    setup.suspensions = book_.list();
    setup.clients = &clients_;
    setup.auth_failures = &auth_failures_;
    setup.observer = this;
    setup.metrics = &seats_[i]->metrics;
    for (const uint32_t log : *logs) {
      if (log >= shards_ && log % shards_ == i) setup.adopted_logs.push_back(log);
    }
    if (config_->storage.max_size > 0) setup.max_log_bytes = config_->storage.max_size / shards_;
    setup.write_events = [this](std::string_view lines) { return log_.Write(lines); };
    if (config_->talk.disk > 0) {
      setup.write_talks = [this](std::string_view lines) { return talk_file_.Write(lines); };
    }
    Seat* seat = seats_[i].get();
    setup.measure = [this, seat](core::ShardMetrics* metrics) {
      return MeasureShard(seat, metrics);
    };
    seat->shard = std::make_unique<queue::Shard>(setup);
  }
  return core::OkStatus();
}

void Daemon::StartThreads() {
  for (const auto& seat : seats_) {
    seat->thread = std::thread([this, one = seat.get()] { RunShard(one); });
  }
}

void Daemon::RunShard(Seat* seat) {
  const std::string name = "shard-" + std::to_string(seat->index);
  ::pthread_setname_np(::pthread_self(), name.c_str());
  if (const int core = CoreOf(seat->index); core >= 0) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<size_t>(core), &set);
    ::pthread_setaffinity_np(::pthread_self(), sizeof set, &set);  // only a wish
  }
  seat->io->Start();
  seat->shard->Start();
  while (!seat->shard->stopped()) seat->shard->RunOnce();
  // A stopped shard still answers the others' mail until all have stopped.
  if (stopped_.fetch_add(1) + 1 == shards_) {
    for (const auto& other : seats_) other->io->WakeFromOutside();
  }
  while (stopped_.load() < shards_) seat->shard->RunOnce();
  seat->io->Drain(core::kNsPerSecond);
  control_->Post([this] {
    if (++joined_ == shards_) Finish();
  });
}

bool Daemon::MeasureShard(Seat* seat, core::ShardMetrics* metrics) {
  const io::UringCounters& counters = seat->io->counters();
  metrics->uring_enters_total.Set(static_cast<int64_t>(seat->io->enters()));
  metrics->turns_total.Set(static_cast<int64_t>(counters.turns));
  metrics->uring_overflows_total.Set(static_cast<int64_t>(counters.overflows));
  metrics->receives_parked_total.Set(static_cast<int64_t>(counters.receives_parked));
  // The first shard reads the memory of the process, for all.
  if (seat->index == 0) {
    resident_bytes_.store(ResidentBytes(), std::memory_order_relaxed);
    metrics->memory_bytes.Set(
        static_cast<int64_t>(resident_bytes_.load(std::memory_order_relaxed)));
  }
  return resident_bytes_.load(std::memory_order_relaxed) >
         memory_limit_.load(std::memory_order_relaxed);
}

int Daemon::Run() {
  core::Status status = Prepare();
  if (status.ok()) {
    core::Result<std::unique_ptr<ControlServer>> control =
        ControlServer::Create(config_->control, this, config_->stats);
    status = control.status();
    if (control.ok()) control_ = std::move(*control);
  }
  if (status.ok()) {
    log_tail_.SetServer(control_.get());
    log_.SetTee([this](std::string_view lines) { log_tail_.Publish(lines); });
    status = MakeShards();
  }
  if (!status.ok()) {
    std::fprintf(stderr, "outboxd: %s\n", status.message().c_str());
    return 1;
  }
  SetTlsFiles(tls_);
  tls_ = {};
  StartThreads();
  control_->Run();
  for (const auto& seat : seats_) seat->thread.join();
  for (const auto& seat : seats_) seat->shard.reset();
  if (maildrop_ != nullptr) maildrop_->Join();  // its last connection is closed
  return exit_status_;
}

void Daemon::OnShardReady(uint32_t shard, const core::Status& status) {
  control_->Post([this, shard, status] {
    if (!status.ok()) {
      std::fprintf(stderr, "outboxd: shard %u: %s\n", shard, status.message().c_str());
      exit_status_ = 1;
      BeginStop("a shard could not start");
      return;
    }
    if (++ready_ < shards_ || stopping_) return;
    OnRunning();
    WatchSuspensions();
    MaybeReloadAgain();
  });
}

void Daemon::OnRunning() {
  running_ = true;
  for (const std::string& missing : MissingAddresses(*config_)) LogEvent("source_missing", missing);
  std::printf("outboxd ready\n");
  std::fflush(stdout);
  manager_.Ready("takes mail");
  if (maildrop_ != nullptr) maildrop_->Start();
  if (manager_.alive_within_ns() > 0) ShowLife();
}

void Daemon::ShowLife() {
  // Shards that stop answer no longer; the stop has a limit of its own.
  if (silent_ == 0 || stopping_) manager_.Alive();
  if (silent_ == 0) {
    silent_ = shards_;
    for (const auto& seat : seats_) {
      seat->shard->Post([this](queue::Shard*) { control_->Post([this] { --silent_; }); });
    }
  }
  control_->After(manager_.alive_within_ns() / 4, [this] { ShowLife(); });
}

// --- Stop
// ------------------------------------------------------------------------------------------

void Daemon::LogEvent(const char* event, const std::string& text) {
  timespec now = {};
  ::clock_gettime(CLOCK_REALTIME, &now);
  std::array<char, core::kRfc3339Bytes> time;
  nlohmann::ordered_json line;
  line["time"] = core::FormatRfc3339(now.tv_sec * core::kNsPerSecond + now.tv_nsec, time);
  line["event"] = event;
  line["text"] = text;
  log_.Write(line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

void Daemon::BeginStop(const char* why) {
  if (stopping_) return;
  stopping_ = true;
  LogEvent("stopping", why);
  manager_.Stopping();
  if (maildrop_ != nullptr) maildrop_->RequestStop();
  for (const auto& seat : seats_) {
    seat->shard->Post([](queue::Shard* shard) { shard->BeginStop(); });
  }
  const int64_t warning_ns = std::min(config_->stop_timeout_ns / 4, kStopWarningNs);
  control_->After(config_->stop_timeout_ns - warning_ns, [this] {
    for (const auto& seat : seats_) {
      seat->shard->Post([](queue::Shard* shard) { shard->Hurry(); });
    }
  });
  control_->After(config_->stop_timeout_ns, [this] {
    for (const auto& seat : seats_) {
      seat->shard->Post([](queue::Shard* shard) { shard->Abort(); });
    }
  });
  control_->After(config_->stop_timeout_ns + kHardStopNs, [] {
    std::fprintf(stderr,
                 "outboxd: the stop hangs; giving up. Nothing that was acknowledged is lost.\n");
    std::fflush(stderr);
    ::_exit(1);
  });
}

Daemon::~Daemon() = default;

void Daemon::Finish() {
  log_tail_.End();
  control_->Quit();
}

void Daemon::OnSignal(int signal) {
  if (signal == SIGHUP) {
    if (const core::Status status = log_.Open(); !status.ok()) {
      std::fprintf(stderr, "outboxd: %s\n", status.message().c_str());
    }
    Reload(nullptr);
    return;
  }
  BeginStop(signal == SIGTERM ? "SIGTERM" : "SIGINT");
}

}  // namespace outbox::tools
