#include "queue/shard.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "core/limits.h"
#include "core/timer.h"
#include "queue/contention.h"

namespace outbox::queue {
namespace {

// How often gauges are brought up to date and memory is looked at.
constexpr int64_t kMeasureNs = 100 * core::kNsPerMs;
// The disk must have had room for so long before that is said: at the edge it comes and goes.
constexpr int64_t kRoomCalmNs = 10 * core::kNsPerSecond;
// How long mail waits for room in a full ring before the loop looks again.
constexpr int64_t kRingRetryNs = core::kNsPerMs;
// How long a start waits for room in the store before it listens regardless (and says 452).
constexpr int64_t kFirstRoomNs = 5 * core::kNsPerSecond;
constexpr int64_t kRoomLookNs = 2 * core::kNsPerMs;
// How often a stopping shard looks whether its parts are done.
constexpr int64_t kStopLookNs = 10 * core::kNsPerMs;
// How long a line of the event log waits for others at most, and how many bytes do not wait: each
// write wakes the helper's thread, which on a busy machine costs as much as some messages.
constexpr int64_t kEventsWaitNs = 5 * core::kNsPerMs;
constexpr size_t kEventsWaitBytes = core::kEventLogBufferBytes / 4;
// A log whose size is bounded is cut into at least so many segments, so that its reserve is a small
// part.
constexpr uint64_t kSegmentsMin = 32;
constexpr uint64_t kSegmentBytesMin = 1 << 20;

}  // namespace

// What one store's recovery says, passed on.
class Shard::Recovery : public RecoverySink {
 public:
  Recovery(Shard* shard, Store* store, bool adopted)
      : shard_(shard), store_(store), adopted_(adopted) {}

  void OnMessage(Message* message, const MetaView& meta, const StateView& state) override {
    shard_->home_->OnRecovered(store_, message, meta, state);
  }
  void OnDamage(std::string_view what) override { shard_->log_.Damage(what); }
  void OnWritable(const core::Status& status) override {
    if (!status.ok()) shard_->setup_.metrics->recovering.Subtract();  // nothing else comes
    if (!adopted_ || !status.ok()) shard_->OnWritable(status);
  }
  void OnRecovered(const RecoveryReport& report) override {
    shard_->setup_.metrics->recovering.Subtract();
    shard_->log_.Notice(core::LogLevel::kInfo, "recovered",
                        store_->options().directory + ": " + std::to_string(report.messages) +
                            " messages, " + std::to_string(report.damages) + " damaged records, " +
                            std::to_string(report.torn_records) + " unfinished ones cut");
  }

 private:
  Shard* const shard_;
  Store* const store_;
  const bool adopted_;
};

Shard::Shard(const ShardSetup& setup)
    : setup_(setup),
      hostname_(setup.config.config->hostname),
      io_(setup.io),
      random_(setup.io->RandomU64()),
      wheel_(setup.io->now_ns(), core::kMaxTimersPerShard),
      events_(setup.config.config->log.level),
      talks_(setup.io, setup.metrics, setup.config.config->talk.memory, setup.write_talks),
      log_(setup.io, setup.metrics, &events_, &talks_),
      signing_(setup.io, &log_),
      authenticator_(setup.io, &wheel_, &log_, setup.auth_failures),
      resolver_(setup.io, &wheel_, ResolverOptionsOf(*setup.config.config, setup.own_addresses)),
      finder_(&resolver_),
      post_(setup.exchange, static_cast<uint8_t>(setup.index)),
      links_(&client_context_, &lmtp_context_, hostname_),
      mailbox_file_(io_, &wheel_, &log_) {
  const core::Config& config = *setup_.config.config;
  post_.SetIos(setup_.ios);
  signing_.SetTable(setup_.config.signing);
  authenticator_.SetConfig(config.auth);
  HomeContext home;
  home.io = io_;
  home.wheel = &wheel_;
  home.random = &random_;
  home.post = &post_;
  home.log = &log_;
  home.router = setup_.config.router.get();
  home.signing = &signing_;
  home.hostname = config.hostname;
  home_ = std::make_unique<Home>(home);
  log_.SetTellsEnds(config.log.format == core::LogFormat::kClassic);
  SetClientContext();
  OwnerContext owner;
  owner.io = io_;
  owner.wheel = &wheel_;
  owner.random = &random_;
  owner.post = &post_;
  owner.sites = setup_.sites;
  owner.links = &links_;
  owner.log = &log_;
  owner.finder = &finder_;
  owner.sources = setup_.config.sources;
  owner.policy_for = [this](std::string_view key, const SiteHosts& hosts) {
    return setup_.config.sites->For(key, hosts);
  };
  owner.max_connections = setup_.max_connections_out;
  owner.idle_timeout_ns = config.delivery.idle_timeout_ns;
  owner.convert_eight_bit = config.delivery.convert_eight_bit;
  home_->SetReturnFullMax(config.delivery.return_full_max);
  destinations_ = std::make_unique<DestinationTable>(owner);
  if (setup_.suspensions != nullptr) destinations_->SetSuspensions(setup_.suspensions);
  asker_ = std::make_unique<MailboxAsker>(&lmtp_context_);
  operations_ = std::make_unique<ShardOperator>(io_, home_.get(), destinations_.get(), &log_,
                                                post_.live_hosts(), &finder_);
  post_.SetHandlers(home_.get(), destinations_.get(), nullptr);
  events_op_.Bind<&Shard::OnEventsWritten>(this);
}

void Shard::SetClientContext() {
  client_context_.io = io_;
  client_context_.wheel = &wheel_;
  client_context_.blocks = &blocks_;
  client_context_.rings = &rings_;
  client_context_.tls = &tls_client_;
  client_context_.tls_memory = &tls_memory_;
  client_context_.plain_hosts = &plain_hosts_;
  client_context_.data_hosts = &data_hosts_;
  tls_client_.SetTrust(setup_.config.tls.trust);
  links_.SetCredentials(setup_.config.credentials);
  client_context_.session.helo_name = hostname_;
  lmtp_context_ = client_context_;
  lmtp_context_.session.lmtp = true;
  SetTimeouts();
}

Shard::~Shard() {
  CHECK(stopped() || stores_.empty());
  if (!events_taken_.empty()) events_.Release();
}

// --- Start
// -----------------------------------------------------------------------------------------

void Shard::OpenStore(uint32_t log_id, bool adopted) {
  const core::StorageConfig& storage = setup_.config.config->storage;
  StoreOptions options;
  options.directory = setup_.config.config->spool + "/log-" + std::to_string(log_id);
  options.log_id = log_id;
  options.adopted = adopted;
  options.direct = storage.direct;
  options.segment_bytes =
      std::min(storage.segment_size,
               std::max(kSegmentBytesMin, setup_.max_log_bytes / kSegmentsMin)) /
      io::kBlockBytes * io::kBlockBytes;
  options.max_bytes = setup_.max_log_bytes;
  options.batch_bytes_max =
      static_cast<uint32_t>(std::min<uint64_t>(options.batch_bytes_max, options.segment_bytes / 2));
  options.disk_reserve_bytes = storage.reserve;
  options.hot_bytes_max = storage.hot_memory;
  options.commit_time = &setup_.metrics->commit_time;
  stores_.push_back(std::make_unique<Store>(io_, options));
  Store* store = stores_.back().get();
  recoveries_.push_back(std::make_unique<Recovery>(this, store, adopted));
  ++stores_open_;
  setup_.metrics->recovering.Add();
  store->Open(recoveries_.back().get());
}

void Shard::Start() {
  CHECK(stores_.empty());
  OpenStore(setup_.index, /*adopted=*/false);
  for (const uint32_t log_id : setup_.adopted_logs) OpenStore(log_id, /*adopted=*/true);
  std::vector<Store*> stores;
  for (const auto& store : stores_) stores.push_back(store.get());
  operations_->SetStores(std::move(stores));
  TakeLocalConfig();
  drafts_ = std::make_unique<DraftPool>(io_, stores_[0].get(), this, core::kDraftsPerShard,
                                        &signing_);
  ReceptionContext reception;
  reception.io = io_;
  reception.store = stores_[0].get();
  reception.drafts = drafts_.get();
  reception.signing = &signing_;
  reception.clients = setup_.clients;
  reception.authenticator = &authenticator_;
  reception.router = &setup_.config.router;
  reception.log = &log_;
  reception.room = this;
  reception.asker = asker_.get();
  reception.hostname = setup_.config.config->hostname;
  reception.at_unix_sockets = setup_.index == 0;
  clients_ = std::make_unique<ShardClients>(io_, &wheel_, &blocks_, &tls_memory_, &log_,
                                            *setup_.config.config, setup_.config.tls, reception);
}

void Shard::OnWritable(const core::Status& status) {
  if (!status.ok()) {
    // Also when it is an adopted log and the shard is running: mail in it would wait unseen.
    log_.Notice(core::LogLevel::kError, "log_not_opened", status.ToString());
    if (step_ == Step::kStarting) step_ = Step::kRunning;
    setup_.observer->OnShardReady(setup_.index, status);
    return;
  }
  listen_by_ns_ = io_->now_ns() + kFirstRoomNs;
}

// A store makes its first segments in its own time: who connects to a relay that says it is ready
// should not meet a 452 for that.
void Shard::MaybeListen() {
  if (listen_by_ns_ == 0) return;
  if (!stores_[0]->accepting() && io_->now_ns() < listen_by_ns_) return;
  listen_by_ns_ = 0;
  BecomeReady(clients_->Listen(setup_.exchange->shards() > 1));
}

void Shard::BecomeReady(const core::Status& status) {
  if (step_ != Step::kStarting) return;
  step_ = Step::kRunning;
  setup_.observer->OnShardReady(setup_.index, status);
}

// --- New mail
// --------------------------------------------------------------------------------------

void Shard::OnDraftCommitted(Store* store, Message* message, const MetaView& meta,
                             const Router* router, const ClientName& user) {
  log_.Accepted(message->id, meta, user);
  home_->OnAccepted(store, message, meta, router);
}

const char* Shard::WhyNoRoom() const {
  if (over_memory_) return "Out of memory for new mail, try again later";
  if (home_->tickets() >= core::kTicketsForNewMail) return "The queue is full, try again later";
  return nullptr;
}

// --- The turn
// --------------------------------------------------------------------------------------

void Shard::RunOnce() {
  const bool commanded = !operations_->idle();
  const int64_t began_ns = commanded ? io_->ProcessorNs() : 0;
  io_->PrepareToSleep();
  io_->Turn(SleepUntil());
  post_.Drain();
  wheel_busy_ = wheel_.Advance(io_->now_ns(), core::kTimerWorkPerTurn,
                               [this](uint8_t kind, uint64_t cookie) { FireTimer(kind, cookie); });
  if (has_posted_.load(std::memory_order_acquire)) RunPosted();
  operations_->Tick();
  home_->Tick();
  for (const auto& store : stores_) store->Tick();
  measured_ = io_->now_ns() - measured_ns_ >= kMeasureNs;
  if (measured_) Measure();
  if (step_ == Step::kStarting) MaybeListen();
  if (step_ == Step::kStopping || step_ == Step::kClosingStores) AdvanceStop();
  FlushEvents();
  post_.Flush();
  if (commanded) log_.metrics().command_turn_time.Add(io_->ProcessorNs() - began_ns);
}

int64_t Shard::SleepUntil() {
  if (post_.HasMail() || wheel_busy_ || has_posted_.load(std::memory_order_acquire)) return 0;
  if (operations_->wants_turn()) return 0;
  int64_t until_ns = std::min(wheel_.NextDeadline(), home_->NextDeadline());
  for (const auto& store : stores_) until_ns = std::min(until_ns, store->NextDeadline());
  if (!measured_) until_ns = std::min(until_ns, measured_ns_ + kMeasureNs);
  if (events_due_ns_ != 0) until_ns = std::min(until_ns, events_due_ns_);
  if (post_.waiting() > 0) until_ns = std::min(until_ns, io_->now_ns() + kRingRetryNs);
  if (!operations_->idle()) until_ns = std::min(until_ns, io_->now_ns() + kMeasureNs);
  if (step_ == Step::kStarting) until_ns = std::min(until_ns, io_->now_ns() + kRoomLookNs);
  if (step_ == Step::kStopping || step_ == Step::kClosingStores) {
    until_ns = std::min(until_ns, io_->now_ns() + kStopLookNs);
  }
  return until_ns;
}

void Shard::FireTimer(uint8_t kind, uint64_t cookie) {
  switch (static_cast<core::TimerKind>(kind)) {
    case core::TimerKind::kObject:
      core::Timer::Fire(cookie);
      return;
    case core::TimerKind::kTicketAtOwner:
      destinations_->OnTicketTimer(reinterpret_cast<Ticket*>(static_cast<uintptr_t>(cookie)));
      return;
    case core::TimerKind::kTicketAtHome:
      home_->OnTimer(cookie);
      return;
  }
  CHECK(false);
}

void Shard::Measure() {
  measured_ns_ = io_->now_ns();
  core::ShardMetrics& metrics = log_.metrics();
  StoreStats sum;
  for (const auto& store : stores_) {
    const StoreStats stats = store->stats();
    sum.commits += stats.commits;
    sum.records += stats.records;
    sum.bytes_written += stats.bytes_written;
    sum.commit_errors += stats.commit_errors;
    sum.live_bytes += stats.live_bytes;
    sum.spool_bytes += stats.spool_bytes;
    sum.moved_bytes += stats.moved_bytes;
  }
  metrics.commits_total.Set(static_cast<int64_t>(sum.commits));
  metrics.commit_records_total.Set(static_cast<int64_t>(sum.records));
  metrics.commit_bytes_total.Set(static_cast<int64_t>(sum.bytes_written));
  metrics.commit_errors_total.Set(static_cast<int64_t>(sum.commit_errors));
  metrics.spool_live_bytes.Set(static_cast<int64_t>(sum.live_bytes));
  metrics.spool_bytes.Set(static_cast<int64_t>(sum.spool_bytes));
  metrics.reclaimed_bytes_total.Set(static_cast<int64_t>(sum.moved_bytes));
  const OwnerCounters& owner = destinations_->counters();
  metrics.sending.Set(static_cast<int64_t>(owner.recipients_sending));
  metrics.connections_out.Set(static_cast<int64_t>(owner.connections));
  metrics.connections_out_total.Set(static_cast<int64_t>(owner.connects));
  metrics.sessions_refused_total.Set(static_cast<int64_t>(owner.sessions_refused));
  metrics.timeouts_out_total.Set(static_cast<int64_t>(owner.sessions_timed_out));
  metrics.lost_connections_total.Set(static_cast<int64_t>(owner.transactions_lost));
  metrics.bytes_out_total.Set(static_cast<int64_t>(owner.bytes_lent));
  metrics.shortages_total.Set(static_cast<int64_t>(owner.shortages));
  metrics.tls_out_total.Set(static_cast<int64_t>(owner.tls));
  metrics.tls_out_resumed_total.Set(static_cast<int64_t>(owner.tls_resumed));
  metrics.tls_out_failed_total.Set(static_cast<int64_t>(owner.tls_failed));
  metrics.auth_out_total.Set(static_cast<int64_t>(owner.auth));
  metrics.auth_out_failed_total.Set(static_cast<int64_t>(owner.auth_failed));
  metrics.attempts_total.Set(static_cast<int64_t>(owner.attempts));
  metrics.site_slowdowns_total.Set(static_cast<int64_t>(owner.site_slowdowns));
  metrics.site_suspensions_total.Set(static_cast<int64_t>(owner.site_suspensions));
  metrics.lanes_opened_total.Set(static_cast<int64_t>(owner.lanes_opened));
  metrics.tickets.Set(home_->tickets());
  metrics.shelved.Set(home_->shelved());
  metrics.timers.Set(wheel_.size());
  metrics.destinations.Set(static_cast<int64_t>(destinations_->size()));
  metrics.mailbox_messages_total.Set(static_cast<int64_t>(post_.counters().posted));
  metrics.mailbox_full_total.Set(static_cast<int64_t>(post_.counters().full));
  metrics.atomic_retries_total.Set(static_cast<int64_t>(contention_retries));
  metrics.wakes_total.Set(static_cast<int64_t>(post_.counters().wakes));
  metrics.log_dropped_total.Set(static_cast<int64_t>(events_.dropped_total()) +
                                events_refused_);
  if (step_ == Step::kRunning) NoteRoom();
  if (setup_.measure) over_memory_ = setup_.measure(&metrics);
}

void Shard::NoteRoom() {
  // At the edge small messages are taken while large ones are not.
  const core::Status status = stores_[0]->status();
  const int64_t refused = log_.metrics().no_room_total.value();
  const bool some_refused = std::exchange(refused_, refused) != refused && !over_memory_;
  if (status.code() == core::StatusCode::kResourceExhausted || (status.ok() && some_refused)) {
    if (disk_low_ns_ == 0) {
      log_.Notice(core::LogLevel::kWarning, "disk_low",
                  stores_[0]->options().directory +
                      ": the disk is at its reserve, or the spool at its size: new mail is refused "
                      "with 452 4.3.1, delivery goes on");
    }
    disk_low_ns_ = io_->now_ns();
  } else if (disk_low_ns_ != 0 && io_->now_ns() - disk_low_ns_ >= kRoomCalmNs) {
    disk_low_ns_ = 0;
    log_.Notice(core::LogLevel::kInfo, "disk_ok",
                stores_[0]->options().directory + ": there is room again, new mail is taken");
  }
  log_.metrics().disk_low.Set(disk_low_ns_ != 0);
}

// --- Events
// ----------------------------------------------------------------------------------------

void Shard::FlushEvents() {
  talks_.Flush(/*all=*/measured_ || step_ != Step::kRunning);
  if (events_op_.in_flight || events_.waiting_bytes() == 0) return;
  if (events_due_ns_ == 0) events_due_ns_ = io_->now_ns() + kEventsWaitNs;
  const bool wait = io_->now_ns() < events_due_ns_ && events_.waiting_bytes() < kEventsWaitBytes;
  if (wait && step_ == Step::kRunning) return;
  events_due_ns_ = 0;
  events_taken_ = events_.Take();
  if (!setup_.write_events) {
    events_.Release();
    events_taken_ = {};
    return;
  }
  io_->RunOnHelper(&events_op_, [this] { return setup_.write_events(events_taken_) ? 0 : -1; });
}

void Shard::OnEventsWritten(const io::OpResult& result) {
  if (result.result < 0) {
    events_refused_ += std::count(events_taken_.begin(), events_taken_.end(), '\n');
  }
  events_taken_ = {};
  events_.Release();
}

// --- The control plane
// -----------------------------------------------------------------------------

void Shard::Post(std::function<void(Shard*)> work) {
  {
    const std::lock_guard<std::mutex> lock(posted_mutex_);
    posted_.push_back(std::move(work));
  }
  has_posted_.store(true, std::memory_order_release);
  io_->WakeFromOutside();
}

void Shard::RunPosted() {
  std::vector<std::function<void(Shard*)>> work;
  {
    const std::lock_guard<std::mutex> lock(posted_mutex_);
    work.swap(posted_);
    has_posted_.store(false, std::memory_order_relaxed);
  }
  for (const auto& one : work) one(this);
}

// --- Stop
// ------------------------------------------------------------------------------------------

void Shard::BeginStop() {
  if (step_ != Step::kStarting && step_ != Step::kRunning) return;
  step_ = Step::kStopping;
  if (clients_ != nullptr) clients_->Close();
  asker_->Close();  // whose clients get their answer, and then 421
  authenticator_.Close();  // likewise
  mailbox_file_.Close();
  destinations_->Close();
  home_->Close();
}

void Shard::Hurry() {
  if (step_ == Step::kStopping) clients_->Hurry();
}

void Shard::Abort() {
  if (step_ != Step::kStopping || aborted_) return;
  aborted_ = true;
  clients_->Abort();
  destinations_->Abort();
}

// The order: clients and deliveries end; then home has everything back and nothing on its way to
// the disk; then the stores close. Mail from other shards is answered all the while.
void Shard::AdvanceStop() {
  if (step_ == Step::kStopping) {
    if (!clients_->closed() || drafts_->in_use() > 0 || !destinations_->closed()) return;
    if (!asker_->closed() || !mailbox_file_.closed() || !authenticator_.closed()) return;
    if (!home_->idle(/*abandon_states=*/aborted_) || post_.HasMail() || post_.waiting() > 0) return;
    operations_->Stop();
    resolver_.Close();
    if (!operations_->idle() || !resolver_.closed()) return;
    step_ = Step::kClosingStores;
    for (const auto& store : stores_) {
      store->Close([this](const core::Status& status) {
        if (!status.ok()) log_.Notice(core::LogLevel::kError, "close", status.ToString());
        --stores_open_;
      });
    }
    return;
  }
  if (stores_open_ > 0) return;
  // The last events go out before the loop ends.
  if (events_op_.in_flight || talks_.busy()) return;
  FlushEvents();
  if (!events_op_.in_flight && !talks_.busy()) step_ = Step::kStopped;
}

}  // namespace outbox::queue
