// Daemon: outboxd's main thread: it makes the shards, gives each a thread, answers the operator,
// and ends everything in order.
//
// Lifecycle: constructed from a checked configuration -> Run, which returns the exit status. The
// main thread serves the control socket and the signals (tools/control_server.h); the mail runs on
// the shards' threads.
#ifndef OUTBOX_TOOLS_DAEMON_H_
#define OUTBOX_TOOLS_DAEMON_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/config.h"
#include "core/metrics.h"
#include "io/uring_io.h"
#include "queue/auth_failures.h"
#include "queue/client_limits.h"
#include "queue/shard.h"
#include "queue/shard_mail.h"
#include "queue/site.h"
#include "queue/spool/spool_lock.h"
#include "tools/control_request.h"
#include "tools/control_server.h"
#include "tools/log_file.h"
#include "tools/log_tail.h"
#include "tools/maildrop_pickup.h"
#include "tools/service_manager.h"
#include "tools/suspension_book.h"
#include "tools/talk_file.h"
#include "tools/tls_files.h"

namespace outbox::tools {

class Daemon : private ControlHandler, private queue::ShardObserver {
 public:
  // `config_file`: what a reload reads. `tls`: what belongs to the configuration.
  Daemon(std::string config_file, std::shared_ptr<const core::Config> config, TlsFiles tls);
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;
  ~Daemon() override;

  // Serves until it is told to stop. 0: stopped in order; 1: could not start (the reason is on
  // stderr).
  int Run();

 private:
  struct Seat;  // a shard, its Io and its thread

  core::Status Prepare();
  // Divides the descriptors of the process (tools/descriptor_plan.h) and tells the log.
  core::Status PlanOpenFiles();
  // The log ids below the spool, from earlier runs.
  core::Result<std::vector<uint32_t>> FindLogs() const;
  // Makes the pick-up of the maildrop, if there is one.
  core::Status OpenMaildrop();
  core::Status MakeShards();
  void StartThreads();
  void RunShard(Seat* seat);
  bool MeasureShard(Seat* seat, core::ShardMetrics* metrics);
  // The daemon's own line in the event log.
  void LogEvent(const char* event, const std::string& text);
  // How the configuration wants the log's lines.
  std::shared_ptr<const ClassicLog> LogForm() const;
  void OnRunning();
  // Tells the service manager that all shards turn, again and again.
  void ShowLife();
  void BeginStop(const char* why);
  void Finish();

  // queue::ShardObserver, on a shard's thread
  void OnShardReady(uint32_t shard, const core::Status& status) override;
  // ControlHandler, on the main thread
  void Handle(const nlohmann::json& request, std::shared_ptr<ReplyStream> reply) override;
  void OnSignal(int signal) override;
  // Reads the file again; the answer goes to `reply` (null: nobody), and to the log. Nobody's comes
  // later while a start or another reload is under way.
  void Reload(std::shared_ptr<ReplyStream> reply);
  void FailReload(const std::vector<std::string>& errors);
  void OnPrepared(const core::Status& status);
  void CommitReload();
  void MaybeReloadAgain();
  // daemon_tls.cc
  void SetTlsFiles(const TlsFiles& files);
  void LookAtTlsFiles();
  void TakeTlsFiles();

  void Answer(const ControlRequest& request, const std::shared_ptr<ReplyStream>& reply);
  void AnswerReport(const std::shared_ptr<ReplyStream>& reply);
  void AnswerReroute(const ControlRequest& request, const std::shared_ptr<ReplyStream>& reply);
  void AnswerOrder(const ControlRequest& request, const std::shared_ptr<ReplyStream>& reply);
  void AnswerStats(const std::shared_ptr<ReplyStream>& reply);
  // Sites, and what is suspended (daemon_suspensions.cc).
  core::Status LoadSuspensions();
  void SpreadSuspensions(std::function<void()> then);
  void WatchSuspensions();
  void AnswerAboutSites(const ControlRequest& request, const std::shared_ptr<ReplyStream>& reply);
  void AnswerSuspend(const SuspendRequest& request, const std::shared_ptr<ReplyStream>& reply);
  void Suspend(const SuspendRequest& request, const std::shared_ptr<ReplyStream>& reply);
  void AnswerResume(const SuspendRequest& request, const std::shared_ptr<ReplyStream>& reply);
  void AnswerSuspended(const std::shared_ptr<ReplyStream>& reply);
  void AnswerSites(uint32_t limit, const std::shared_ptr<ReplyStream>& reply);
  void AnswerQueue(const ControlRequest& request, const std::shared_ptr<ReplyStream>& reply);
  std::vector<queue::Shard*> Shards() const;

  // One under way.
  struct Reloading {
    std::shared_ptr<ReplyStream> reply;
    std::shared_ptr<const core::Config> config;
    std::vector<queue::ShardConfig> shards;
    TlsFiles tls;
    std::vector<std::string> errors;
    uint32_t left = 0;  // shards that have not answered
  };

  const std::string config_file_;
  std::shared_ptr<const core::Config> config_;
  std::vector<queue::ShardConfig> shard_configs_;  // of today, one a shard
  std::unique_ptr<Reloading> reloading_;
  bool reload_again_ = false;  // a signal came when it could not be done
  TlsFiles tls_;                        // of the start
  std::vector<FileStamp> tls_stamps_;   // of the files that are in use, or were refused
  std::vector<FileStamp> tls_seen_;     // at the last look
  bool tls_watched_ = false;
  uint32_t shards_ = 1;
  uint32_t connections_out_ = 1;  // in all
  LogFile log_;
  LogTail log_tail_;
  TalkFile talk_file_;  // of failed attempts
  queue::SpoolLock lock_;
  ServiceManager manager_;
  std::unique_ptr<MaildropPickup> maildrop_;
  std::unique_ptr<ControlServer> control_;
  std::unique_ptr<queue::Exchange> exchange_;
  std::unique_ptr<queue::SiteTable> sites_;
  SuspensionBook book_;
  bool watching_suspensions_ = false;  // a timer is set for the first that ends
  queue::ClientLimits clients_;
  queue::AuthFailures auth_failures_;
  std::vector<std::unique_ptr<Seat>> seats_;
  std::atomic<uint32_t> stopped_ = 0;
  std::atomic<uint64_t> resident_bytes_ = 0;
  std::atomic<uint64_t> memory_limit_;
  uint32_t ready_ = 0;
  uint32_t joined_ = 0;  // shards whose threads are about to end
  uint32_t silent_ = 0;  // shards that have not answered ShowLife
  bool running_ = false;
  bool stopping_ = false;
  int exit_status_ = 0;
};

// Resident memory of this process in bytes, from /proc/self/statm; 0 if that cannot be read.
uint64_t ResidentBytes();

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_DAEMON_H_
