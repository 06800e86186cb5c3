// smtp_sink: "the rest of the world" for tests and measurements.
//
// Accepts every message, checks it against the hash that smtp_source put into it, and counts:
// messages, recipients delivered, duplicates, corrupted ones, latency. Writes what it counted as
// JSON, twice a second while it changes and at its end (SIGTERM or SIGINT). It keeps no message.
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "core/time.h"
#include "tools/load_loop.h"
#include "tools/load_report.h"
#include "tools/sink_connection.h"
#include "tools/sink_ledger.h"

namespace outbox::tools {
namespace {

constexpr uint64_t kSocketsMax = 16384;
constexpr int64_t kStatsIntervalNs = 500 * core::kNsPerMs;
// How often the sink looks whether it has to hold replies still.
constexpr int64_t kHoldLookNs = 20 * core::kNsPerMs;

struct SinkOptions {
  std::vector<std::string> listen = {"127.0.0.1:2600"};
  std::string stats_file;
  std::string ids_file;
  uint32_t fail_percent = 0;
  uint32_t reject_percent = 0;
  uint32_t delay_ms = 0;
  bool chunking = false;
  std::string hold_file;
  uint64_t latency_from = 0;
};

// Listeners and connections. Lives on main's stack; the loop ends before it does.
class Sink final : public SinkShared {
 public:
  Sink(const SinkOptions& options, io::Io* the_io);

  core::Status Listen(const std::string& address);
  // One turn of the loop.
  void Turn();
  // No new work; turns until nothing is in flight.
  void StopAndWait();
  core::Status WriteFiles(bool last);

  void Delay(SinkConnection* connection) override;
  void Closed(SinkConnection* connection) override;

 private:
  void Stop();
  bool ended() const;
  void LookWhetherToHold();

  struct Listener {
    io::Op accept;
    io::Socket socket = io::kNoHandle;
    Sink* sink = nullptr;
    void OnAccepted(const io::OpResult& result);
  };
  struct Delayed {
    int64_t due_ns;
    SinkConnection* connection;
  };

  const SinkOptions& options_;
  SinkLedger ledger_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  absl::flat_hash_map<SinkConnection*, std::unique_ptr<SinkConnection>> connections_;
  std::vector<std::unique_ptr<SinkConnection>> closed_;  // deleted after the turn
  std::deque<Delayed> delayed_;
  bool held_ = false;  // the hold file is there
  int64_t next_hold_look_ns_ = 0;
  int64_t next_stats_ns_ = 0;
  uint64_t written_messages_ = UINT64_MAX;
  bool stopping_ = false;
};

Sink::Sink(const SinkOptions& options, io::Io* the_io) : options_(options) {
  io = the_io;
  ledger = &ledger_;
  ledger_.CountLatencyFrom(options.latency_from);
  fail_percent = options.fail_percent;
  reject_percent = options.reject_percent;
  chunking = options.chunking;
  delay = options.delay_ms > 0 || !options.hold_file.empty();
}

core::Status Sink::Listen(const std::string& text) {
  const core::Result<core::SocketAddress> address = core::SocketAddress::Parse(text);
  if (!address.ok()) return address.status();
  core::Result<io::Socket> socket = io->Listen(*address, /*share=*/false);
  if (!socket.ok()) return socket.status();
  if (address->ip.is_any()) {
    // Any loopback address, and nothing but loopback: a sink that swallows mail must not be
    // reachable.
    static constexpr char kLoopback[] = "lo";
    if (setsockopt(*socket, SOL_SOCKET, SO_BINDTODEVICE, kLoopback, sizeof kLoopback) != 0) {
      return core::Status::FromErrno(errno, "binding to the loopback interface");
    }
  }
  auto listener = std::make_unique<Listener>();
  listener->sink = this;
  listener->socket = *socket;
  listener->accept.Bind<&Listener::OnAccepted>(listener.get());
  io->Accept(&listener->accept, listener->socket);
  listeners_.push_back(std::move(listener));
  return core::OkStatus();
}

void Sink::Listener::OnAccepted(const io::OpResult& result) {
  if (result.result >= 0) {
    if (sink->stopping_ || sink->connections_.size() >= kSocketsMax) {
      sink->io->CloseSocket(result.result, /*reset=*/true);
    } else {
      auto connection = std::make_unique<SinkConnection>(sink, result.result);
      SinkConnection* const started = connection.get();
      sink->connections_.emplace(started, std::move(connection));
      started->Start();
    }
  }
  if (!result.more && !sink->stopping_) sink->io->Accept(&accept, socket);
}

void Sink::Delay(SinkConnection* connection) {
  delayed_.push_back({io->now_ns() + options_.delay_ms * core::kNsPerMs, connection});
}

void Sink::Closed(SinkConnection* connection) {
  const auto found = connections_.find(connection);
  closed_.push_back(std::move(found->second));
  connections_.erase(found);
}

void Sink::Turn() {
  int64_t until_ns = stopping_ ? io->now_ns() + 10 * core::kNsPerMs : next_stats_ns_;
  if (!delayed_.empty() && !held_) until_ns = std::min(until_ns, delayed_.front().due_ns);
  if (!options_.hold_file.empty()) until_ns = std::min(until_ns, next_hold_look_ns_);
  TurnOnce(io, until_ns);
  LookWhetherToHold();
  const bool may_end = !held_ || stopping_;
  while (may_end && !delayed_.empty() &&
         (stopping_ || delayed_.front().due_ns <= io->now_ns())) {
    SinkConnection* const connection = delayed_.front().connection;
    delayed_.pop_front();
    connection->EndDelay();
  }
  closed_.clear();
  if (io->now_ns() >= next_stats_ns_) {
    next_stats_ns_ = io->now_ns() + kStatsIntervalNs;
    if (written_messages_ != ledger_.messages()) {
      const core::Status status = WriteFiles(/*last=*/false);
      if (!status.ok()) std::fprintf(stderr, "smtp_sink: %s\n", status.message().c_str());
    }
  }
}

void Sink::LookWhetherToHold() {
  if (options_.hold_file.empty() || io->now_ns() < next_hold_look_ns_) return;
  next_hold_look_ns_ = io->now_ns() + kHoldLookNs;
  held_ = access(options_.hold_file.c_str(), F_OK) == 0;
}

void Sink::Stop() {
  stopping_ = true;
  for (const auto& listener : listeners_) {
    if (listener->accept.in_flight) io->Cancel(&listener->accept);
  }
  std::vector<SinkConnection*> open;
  for (const auto& entry : connections_) open.push_back(entry.first);
  for (SinkConnection* const connection : open) connection->Shut();
}

void Sink::StopAndWait() {
  Stop();
  for (int turn = 0; turn < 1000 && !ended(); ++turn) Turn();
}

bool Sink::ended() const {
  if (!connections_.empty()) return false;
  for (const auto& listener : listeners_) {
    if (listener->accept.in_flight) return false;
  }
  return true;
}

core::Status Sink::WriteFiles(bool last) {
  written_messages_ = ledger_.messages();
  if (!options_.stats_file.empty()) {
    const core::Status status = WriteJsonFile(options_.stats_file, ledger_.ToJson());
    if (!status.ok()) return status;
  } else if (last) {
    std::printf("%s\n", ledger_.ToJson().dump(1).c_str());
  }
  if (last && !options_.ids_file.empty()) return ledger_.WriteIds(options_.ids_file);
  return core::OkStatus();
}

int Fail(const core::Status& status) {
  std::fprintf(stderr, "smtp_sink: %s\n", status.message().c_str());
  return 1;
}

int Run(const SinkOptions& options) {
  core::Result<std::unique_ptr<io::UringIo>> io = CreateLoadIo(kSocketsMax);
  if (!io.ok()) return Fail(io.status());
  Sink sink(options, io->get());
  for (const std::string& address : options.listen) {
    const core::Status status = sink.Listen(address);
    if (!status.ok()) {
      sink.StopAndWait();
      return Fail(status);
    }
  }
  StopOnSignals(io->get());
  sink.Turn();
  std::printf("smtp_sink ready\n");
  std::fflush(stdout);
  while (!StopRequested()) sink.Turn();
  sink.StopAndWait();
  ForgetSignals();
  const core::Status status = sink.WriteFiles(/*last=*/true);
  return status.ok() ? 0 : Fail(status);
}

}  // namespace
}  // namespace outbox::tools

int main(int argc, char** argv) {
  outbox::tools::SinkOptions options;
  CLI::App app{"smtp_sink: takes every message, checks and counts it, and keeps none."};
  app.add_option("--listen", options.listen,
                 "ADDRESS:PORT, may be repeated; 0.0.0.0 is every loopback address")
      ->capture_default_str();
  app.add_option("--stats", options.stats_file, "JSON file for what was counted (default: stdout)");
  app.add_option("--latency-from", options.latency_from,
                 "id of the first message whose latency counts");
  app.add_option("--ids", options.ids_file, "at the end, list every delivered recipient here");
  app.add_option("--fail-percent", options.fail_percent, "recipients refused by 451")
      ->check(CLI::Range(0, 100));
  app.add_option("--reject-percent", options.reject_percent, "recipients refused by 550")
      ->check(CLI::Range(0, 100));
  app.add_flag("--chunking", options.chunking, "offer CHUNKING (RFC 3030)");
  app.add_option("--delay-ms", options.delay_ms, "wait before the reply to the final dot")
      ->check(CLI::Range(0, 600000));
  app.add_option("--hold", options.hold_file,
                 "while this file is there, replies to the final dot wait");
  CLI11_PARSE(app, argc, argv);
  return outbox::tools::Run(options);
}
