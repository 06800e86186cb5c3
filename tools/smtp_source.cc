// smtp_source: makes load. Sends numbered messages over a number of connections and reports what
// was accepted, how fast, and what it cost, as JSON.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "core/time.h"
#include "tools/load_loop.h"
#include "tools/load_report.h"
#include "tools/source_connection.h"
#include "tools/source_work.h"

namespace outbox::tools {
namespace {

constexpr uint32_t kConnectionsMax = 8192;

int Fail(const core::Status& status) {
  std::fprintf(stderr, "smtp_source: %s\n", status.message().c_str());
  return 1;
}

// One progress line, overwritten in place on a terminal; elsewhere only its last state.
class Progress {
 public:
  Progress(bool wanted, const SourceWork& work, uint64_t messages)
      : wanted_(wanted),
        live_(wanted && isatty(STDERR_FILENO) == 1),
        work_(work),
        messages_(messages) {}

  int64_t next_ns() const { return live_ ? next_ns_ : core::kNever; }
  void Show(int64_t now_ns) {
    if (begin_ns_ == 0) begin_ns_ = now_ns;
    if (!live_ || now_ns < next_ns_) return;
    next_ns_ = now_ns + 200 * core::kNsPerMs;
    Print(now_ns);
  }
  void End(int64_t now_ns) {
    if (!wanted_) return;
    Print(now_ns);
    std::fputc('\n', stderr);
  }

 private:
  void Print(int64_t now_ns) const {
    const double seconds = static_cast<double>(now_ns - begin_ns_) / 1e9;
    std::fprintf(stderr, "%s  %llu of %llu accepted, %.1f s ", live_ ? "\r" : "",
                 static_cast<unsigned long long>(work_.accepted()),
                 static_cast<unsigned long long>(messages_), seconds);
    std::fflush(stderr);
  }

  const bool wanted_;
  const bool live_;
  const SourceWork& work_;
  const uint64_t messages_;
  int64_t begin_ns_ = 0;
  int64_t next_ns_ = 0;
};

// Turns until the work is done, stopped, or given up. An error is one of the id file's.
core::Status Send(const SourceOptions& options, io::Io* io, SourceWork* work,
                  const std::vector<std::unique_ptr<SourceConnection>>& connections) {
  Progress progress(options.progress, *work, options.messages);
  int64_t end_ns = core::kNever;
  TurnOnce(io, 0);
  if (options.seconds_max > 0) {
    end_ns = io->now_ns() + static_cast<int64_t>(options.seconds_max * 1e9);
  }
  while (!StopRequested() && !work->done() && !work->too_many_failures() && io->now_ns() < end_ns) {
    int64_t wake_ns = std::min(end_ns, progress.next_ns());
    for (const auto& connection : connections) {
      if (connection->wake_ns() <= io->now_ns()) connection->Poke();
      wake_ns = std::min(wake_ns, connection->wake_ns());
    }
    TurnOnce(io, wake_ns);
    const core::Status status = work->FlushIds();
    if (!status.ok()) return status;
    progress.Show(io->now_ns());
  }
  progress.End(io->now_ns());
  return core::OkStatus();
}

// Lets the last QUITs be said, at most for a second, then ends what is left.
void End(io::Io* io, const std::vector<std::unique_ptr<SourceConnection>>& connections) {
  const auto ended = [&connections] {
    return std::all_of(connections.begin(), connections.end(),
                       [](const auto& connection) { return connection->ended(); });
  };
  const int64_t patience_ns = io->now_ns() + core::kNsPerSecond;
  while (!StopRequested() && !ended() && io->now_ns() < patience_ns) TurnOnce(io, patience_ns);
  for (const auto& connection : connections) connection->Stop();
  for (int turn = 0; turn < 1000 && !ended(); ++turn) {
    TurnOnce(io, io->now_ns() + 10 * core::kNsPerMs);
  }
}

int Run(const SourceOptions& options) {
  const core::Result<core::SocketAddress> peer = core::SocketAddress::Parse(options.to, 25);
  if (!peer.ok()) return Fail(peer.status());
  core::SocketAddress local;
  if (!options.from.empty()) {
    const core::Result<core::IpAddress> ip = core::IpAddress::Parse(options.from);
    if (!ip.ok()) return Fail(ip.status());
    local.ip = *ip;
  }
  core::Result<std::unique_ptr<io::UringIo>> io = CreateLoadIo(options.connections);
  if (!io.ok()) return Fail(io.status());
  SourceWork work(options);
  core::Status status = work.Open();
  if (!status.ok()) return Fail(status);
  StopOnSignals(io->get());
  std::vector<std::unique_ptr<SourceConnection>> connections;
  for (uint32_t i = 0; i < options.connections; ++i) {
    connections.push_back(std::make_unique<SourceConnection>(
        io->get(), &work, &*peer, options.from.empty() ? nullptr : &local));
  }
  status = Send(options, io->get(), &work, connections);
  End(io->get(), connections);
  ForgetSignals();
  const nlohmann::json result = work.ToJson();
  if (status.ok() && !options.result_file.empty()) {
    status = WriteJsonFile(options.result_file, result);
  } else if (status.ok()) {
    std::printf("%s\n", result.dump(1).c_str());
  }
  if (!status.ok()) return Fail(status);
  return work.accepted() == options.messages ? 0 : 1;
}

}  // namespace
}  // namespace outbox::tools

int main(int argc, char** argv) {
  using outbox::tools::ParseSizes;
  outbox::tools::SourceOptions options;
  CLI::App app{"smtp_source: sends numbered messages; exit 0 when all of them were accepted."};
  app.add_option("--to", options.to, "ADDRESS:PORT of the server")->capture_default_str();
  app.add_option("--from", options.from, "local address to connect from");
  app.add_option("--connections", options.connections, "how many at a time")
      ->check(CLI::Range(1u, outbox::tools::kConnectionsMax))
      ->capture_default_str();
  app.add_option("--messages", options.messages, "how many")->capture_default_str();
  app.add_option("--first-id", options.first_id, "number of the first")->capture_default_str();
  app.add_option("--size", options.size, "of a body: bytes, KiB, MiB, or 'mixed'")
      ->check([](const std::string& text) {
        return ParseSizes(text).empty() ? std::string("not a size: ") + text : std::string();
      })
      ->capture_default_str();
  app.add_option("--domains", options.domains, "recipient domains")
      ->check(CLI::Range(uint64_t{1}, uint64_t{1} << 32))
      ->capture_default_str();
  app.add_option("--recipients", options.recipients, "a message")
      ->check(CLI::Range(1u, outbox::tools::kLoadRecipientsMax))
      ->capture_default_str();
  app.add_option("--suffix", options.suffix, "of the recipient domains")->capture_default_str();
  app.add_option("--sender", options.sender, "envelope sender; may be empty")
      ->capture_default_str();
  app.add_flag("--pipelining", options.pipelining, "send commands ahead (RFC 2920)");
  app.add_flag("--chunking", options.chunking,
               "send content by BDAT (RFC 3030), with --pipelining behind its envelope");
  app.add_option("--per-connection", options.per_connection, "messages a connection (0: no limit)");
  app.add_option("--rate", options.rate, "messages a second at most (0: no limit)")
      ->check(CLI::Range(0.0, 1e7));
  app.add_option("--retry-ms", options.retry_ms, "pause of a connection after a failure")
      ->check(CLI::Range(0, 600000))
      ->capture_default_str();
  app.add_option("--seconds-max", options.seconds_max, "end then, whatever is left");
  app.add_option("--failures-max", options.failures_max, "end after so many failures")
      ->capture_default_str();
  app.add_flag("--progress", options.progress, "a progress line on stderr");
  app.add_option("--result", options.result_file, "JSON file for the result (default: stdout)");
  app.add_option("--ids", options.ids_file, "append the id of each accepted message here at once");
  CLI11_PARSE(app, argc, argv);
  return outbox::tools::Run(options);
}
