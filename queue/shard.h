// Shard: everything that one core does, put together.
//
// A shard has an Io, a wheel, a log (and adopted ones), a home for the mail that it accepts, a
// table of the destinations that it owns, and its share of the clients' connections. It does not
// know its thread: a test runs four of them on one.
//
// Lifecycle: made by the control plane -> Start -> RunOnce again and again -> (BeginStop) ->
// stopped() -> destroyed. All calls on the shard's thread, except Post.
//
// One turn: completions, mail from other shards, timers, commands, what home and the store have
// gathered; then mail to others leaves, and the loop sleeps until the earliest deadline.
#ifndef OUTBOX_QUEUE_SHARD_H_
#define OUTBOX_QUEUE_SHARD_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/config.h"
#include "core/event_log.h"
#include "core/metrics.h"
#include "core/random.h"
#include "core/timer_wheel.h"
#include "dns/resolver.h"
#include "io/io.h"
#include "queue/auth_failures.h"
#include "queue/authenticator.h"
#include "queue/client_limits.h"
#include "queue/destination_table.h"
#include "queue/dns_host_finder.h"
#include "queue/draft.h"
#include "queue/home.h"
#include "queue/mailbox_asker.h"
#include "queue/mailbox_file.h"
#include "queue/reception.h"
#include "queue/shard_clients.h"
#include "queue/shard_config.h"
#include "queue/shard_log.h"
#include "queue/shard_mail.h"
#include "queue/shard_operator.h"
#include "queue/signing_line.h"
#include "queue/site.h"
#include "queue/site_rules.h"
#include "queue/smtp_link.h"
#include "queue/store.h"
#include "queue/suspension_list.h"
#include "smtp/block_cache.h"

namespace outbox::queue {

// Who is told of a shard's life. Called on the shard's thread.
class ShardObserver {
 public:
  virtual ~ShardObserver() = default;
  // The store can be written and the listeners are open; or why not: the shard then only waits to
  // be stopped.
  virtual void OnShardReady(uint32_t shard, const core::Status& status) = 0;
};

struct ShardSetup {
  uint32_t index = 0;
  ShardConfig config;
  io::Io* io = nullptr;
  std::vector<io::Io*> ios;  // all shards', by index
  Exchange* exchange = nullptr;
  SiteTable* sites = nullptr;
  ClientLimits* clients = nullptr;
  AuthFailures* auth_failures = nullptr;
  ShardObserver* observer = nullptr;
  core::ShardMetrics* metrics = nullptr;
  std::vector<core::IpAddress> own_addresses;  // of this machine, for ResolverOptionsOf
  std::shared_ptr<const SuspensionList> suspensions;  // by an operator; null: nothing
  std::vector<uint32_t> adopted_logs;          // left over by an earlier number of shards
  uint32_t max_connections_out = UINT32_MAX;   // of this shard
  uint64_t max_log_bytes = UINT64_MAX;         // this shard's part of [storage] max_size
  // Writes whole lines of events somewhere, waiting if it must (it runs on the helper thread).
  // Unset: events are dropped.
  std::function<bool(std::string_view)> write_events;
  // The same for the dialogues of attempts that failed. Unset: they stay in memory only.
  TalkKeeper::Writer write_talks;
  // Sets what only the daemon can know (memory, rings); true: the process is above its memory
  // limit, no new mail. Unset: never.
  std::function<bool(core::ShardMetrics*)> measure;
};

class Shard : public DraftSink, public RoomGauge {
 public:
  explicit Shard(const ShardSetup& setup);
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;
  // REQUIRES: stopped(), or never started.
  ~Shard() override;

  void Start();
  // One turn of the loop.
  void RunOnce();

  // From any thread: runs `work` on the shard, soon.
  void Post(std::function<void(Shard*)> work);

  // No new mail: listeners close, idle clients get 421, transactions in flight end; nothing new is
  // sent.
  void BeginStop();
  // The stop timeout is near: clients get 421 wherever they are in their transaction.
  void Hurry();
  // The stop timeout is over: connections are cut. What was acknowledged is in the log.
  void Abort();
  bool stopped() const { return step_ == Step::kStopped; }

  // A reload, in two steps so that all shards take it or none: Prepare does what can fail, then
  // Commit (or Rollback). `changes`: of the new router since the present one. What a reload cannot
  // change (core::Config: hostname, spool, shards, storage, io) is not looked at.
  core::Status PrepareReload(ShardConfig next, RouteChanges changes);
  void CommitReload();
  void RollbackReload();

  // The certificates of the present configuration, whose files have changed.
  void SetCertificates(ShardTls tls);
  // What an operator has suspended, from now on.
  void SetSuspensions(std::shared_ptr<const SuspensionList> list) {
    destinations_->SetSuspensions(std::move(list));
  }
  // What an operator asks of the shard. After Start.
  ShardOperator& operations() { return *operations_; }

  // DraftSink
  void OnDraftCommitted(Store* store, Message* message, const MetaView& meta, const Router* router,
                        const ClientName& user) override;
  // RoomGauge
  const char* WhyNoRoom() const override;

  uint32_t index() const { return setup_.index; }
  const TalkRing& talk() const { return talks_.ring(); }
  const Home& home() const { return *home_; }
  const Router& router() const { return *setup_.config.router; }
  const SiteRules& sites() const { return *setup_.config.sites; }

 private:
  class Recovery;  // one store's RecoverySink

  enum class Step : uint8_t { kStarting, kRunning, kStopping, kClosingStores, kStopped };

  void SetClientContext();
  void SetTimeouts();
  void TakeLocalConfig();
  void MaybeListen();
  void BecomeReady(const core::Status& status);
  void OnWritable(const core::Status& status);
  void OpenStore(uint32_t log_id, bool adopted);
  void RunPosted();
  void FireTimer(uint8_t kind, uint64_t cookie);
  void AdvanceStop();
  void FlushEvents();
  void OnEventsWritten(const io::OpResult& result);
  void Measure();
  // Says once that new mail is refused for want of disk, and once that it is not any more.
  void NoteRoom();
  int64_t SleepUntil();

  ShardSetup setup_;
  const std::string hostname_;  // does not change; sessions hold views of it
  io::Io* const io_;
  core::Random random_;
  core::TimerWheel wheel_;
  core::EventLog events_;
  TalkKeeper talks_;
  ShardLog log_;
  SigningLine signing_;
  Authenticator authenticator_;
  dns::Resolver resolver_;
  DnsHostFinder finder_;
  PostOffice post_;
  smtp::BlockCache blocks_;
  smtp::TalkRings rings_;
  io::TlsMemory tls_memory_;
  io::TlsClientContext tls_client_{core::kTlsServersKept};
  smtp::PlainHosts plain_hosts_;
  smtp::DataHosts data_hosts_;
  smtp::ClientContext client_context_;
  smtp::ClientContext lmtp_context_;  // the same, but for what it speaks
  SmtpLinkFactory links_;
  MailboxFile mailbox_file_;
  std::unique_ptr<MailboxAsker> asker_;
  std::vector<std::unique_ptr<Store>> stores_;  // the first is the shard's own
  std::vector<std::unique_ptr<Recovery>> recoveries_;
  std::unique_ptr<Home> home_;
  std::unique_ptr<DestinationTable> destinations_;
  std::unique_ptr<DraftPool> drafts_;
  std::unique_ptr<ShardClients> clients_;
  std::unique_ptr<ShardOperator> operations_;

  // Prepared.
  ShardConfig next_;
  RouteChanges route_changes_;

  Step step_ = Step::kStarting;
  bool aborted_ = false;
  uint32_t stores_open_ = 0;  // neither failed nor closed
  bool wheel_busy_ = false;   // the wheel's budget was used up
  int64_t listen_by_ns_ = 0;  // 0: not writable yet, or listening
  int64_t measured_ns_ = 0;
  bool measured_ = true;  // nothing has happened since
  int64_t refused_ = 0;  // for want of room, when it was looked at last
  int64_t disk_low_ns_ = 0;  // when it was last found so; 0: all has been well for a while
  bool over_memory_ = false;
  io::Op events_op_;
  std::string_view events_taken_;
  int64_t events_due_ns_ = 0;  // lines wait for others until then; 0: none wait
  int64_t events_refused_ = 0;  // lines that could not be written

  std::mutex posted_mutex_;  // not on the mail path: the control plane's door
  std::vector<std::function<void(Shard*)>> posted_;
  std::atomic<bool> has_posted_ = false;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_SHARD_H_
