// The daemon's reload: all of the new file, or none of it and the old one goes on.
//
// Everything that can fail comes first: the file is read and checked, what cannot change is
// compared, a new log file is opened, and every shard opens its new listeners. Only when all have
// said yes each takes the new configuration, between two of its turns.
#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "tools/config_file.h"
#include "tools/daemon.h"
#include "tools/daemon_seat.h"
#include "tools/listener_probe.h"
#include "tools/source_addresses.h"

namespace outbox::tools {
namespace {

std::string Joined(const std::vector<std::string>& lines) {
  std::string all;
  for (const std::string& line : lines) all += (all.empty() ? "" : "\n") + line;
  return all;
}

}  // namespace

void Daemon::Reload(std::shared_ptr<ReplyStream> reply) {
  if (reloading_ != nullptr || !running_ || stopping_) {
    if (reply == nullptr) {  // the file may have changed since it was read
      reload_again_ = true;
      return;
    }
    const char* why = reloading_ != nullptr ? "another reload is under way"
                      : stopping_           ? "outboxd is stopping"
                                            : "outboxd is starting";
    reply->Fail(why);
    return;
  }
  manager_.Reloading();
  reloading_ = std::make_unique<Reloading>();
  reloading_->reply = std::move(reply);
  LoadedConfig loaded = LoadConfig(config_file_, config_.get());
  if (loaded.config == nullptr) {
    FailReload(loaded.errors);
    return;
  }
  if (const auto errors = NeedsRestart(*config_, loaded, config_file_); !errors.empty()) {
    FailReload(errors);
    return;
  }
  if (const core::Status free = ProbeListeners(*loaded.config, config_.get()); !free.ok()) {
    FailReload({config_file_ + ":1:1: " + free.message()});
    return;
  }
  reloading_->config = loaded.config;
  reloading_->left = shards_;
  for (uint32_t i = 0; i < shards_; ++i) {
    reloading_->shards.push_back(queue::ShardConfig::Make(loaded.config, loaded.tls.tls));
  }
  reloading_->tls = std::move(loaded.tls);
  const queue::RouteChanges changes =
      reloading_->shards[0].router->Since(*shard_configs_[0].router);
  for (uint32_t i = 0; i < shards_; ++i) {
    seats_[i]->shard->Post([this, changes, next = reloading_->shards[i]](queue::Shard* shard) {
      const core::Status status = shard->PrepareReload(next, changes);
      control_->Post([this, status] { OnPrepared(status); });
    });
  }
}

void Daemon::OnPrepared(const core::Status& status) {
  if (!status.ok()) reloading_->errors.push_back(config_file_ + ":1:1: " + status.message());
  if (--reloading_->left > 0) return;
  if (reloading_->errors.empty() && reloading_->config->log.file != config_->log.file) {
    const core::Status opened = log_.Switch(reloading_->config->log.file);
    if (!opened.ok()) reloading_->errors.push_back(config_file_ + ":1:1: " + opened.message());
  }
  if (reloading_->errors.empty() && !stopping_) {
    CommitReload();
    return;
  }
  for (const auto& seat : seats_) {
    seat->shard->Post([](queue::Shard* shard) { shard->RollbackReload(); });
  }
  if (reloading_->errors.size() > 1) reloading_->errors.resize(1);  // every shard says the same
  FailReload(reloading_->errors);
}

void Daemon::CommitReload() {
  for (const auto& seat : seats_) {
    seat->shard->Post([](queue::Shard* shard) { shard->CommitReload(); });
  }
  const std::unique_ptr<Reloading> done = std::move(reloading_);
  config_ = done->config;
  log_.SetForm(LogForm());
  shard_configs_ = done->shards;
  SetTlsFiles(done->tls);
  memory_limit_.store(config_->limits.memory, std::memory_order_relaxed);
  if (maildrop_ != nullptr) maildrop_->SetListener(*config_);
  manager_.Ready("takes mail");
  LogEvent("reloaded", config_file_);
  const std::vector<std::string> missing = MissingAddresses(*config_);
  for (const std::string& one : missing) LogEvent("source_missing", one);
  if (done->reply != nullptr) {
    done->reply->Finish({{"reloaded", true},
                         {"file", config_file_},
                         {"listeners", config_->listeners.size()},
                         {"routes", config_->routes.size()},
                         {"warnings", missing},
                         {"end", true}});
  }
  MaybeReloadAgain();
}

void Daemon::MaybeReloadAgain() {
  if (!stopping_ && std::exchange(reload_again_, false)) Reload(nullptr);
}

void Daemon::FailReload(const std::vector<std::string>& errors) {
  const std::unique_ptr<Reloading> failed = std::move(reloading_);
  manager_.Ready("takes mail; the last reload failed");
  for (const std::string& error : errors) LogEvent("reload_failed", error);
  if (failed->reply != nullptr) {
    failed->reply->Fail(Joined(errors) + "\nnothing has changed: the old configuration goes on");
    return MaybeReloadAgain();
  }
  // Nobody waits for the answer: a service manager's log should have it.
  for (const std::string& error : errors)
    std::fprintf(stderr, "outboxd: reload: %s\n", error.c_str());
  MaybeReloadAgain();
}

}  // namespace outbox::tools
