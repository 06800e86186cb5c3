// A shard's reload: the new configuration takes the place of the old one between two turns.
#include <utility>

#include "core/check.h"
#include "queue/shard.h"

namespace outbox::queue {

void Shard::SetTimeouts() {
  const core::DeliveryConfig& delivery = setup_.config.config->delivery;
  smtp::ClientTimeouts& timeouts = client_context_.timeouts;
  timeouts.connect_ns = delivery.connect_timeout_ns;
  timeouts.greeting_ns = delivery.greeting_timeout_ns;
  timeouts.hello_ns = delivery.helo_timeout_ns;
  timeouts.mail_ns = delivery.mail_timeout_ns;
  timeouts.rcpt_ns = delivery.rcpt_timeout_ns;
  timeouts.data_ns = delivery.data_timeout_ns;
  timeouts.block_ns = delivery.block_timeout_ns;
  timeouts.final_dot_ns = delivery.final_dot_timeout_ns;
  // Deliveries close idle connections first: they know who waits for the slot.
  timeouts.idle_ns = 2 * delivery.idle_timeout_ns;
  timeouts.quit_ns = delivery.quit_timeout_ns;
  timeouts.tls_ns = delivery.tls_timeout_ns;
  lmtp_context_.timeouts = timeouts;
  client_context_.session.chunking = lmtp_context_.session.chunking = delivery.chunking;
}

// Where the mailboxes of the present router come from.
void Shard::TakeLocalConfig() {
  LocalDomains* const local = setup_.config.router->local();
  mailbox_file_.Watch(local);
  asker_->SetServers(local != nullptr && local->config().ask ? local->config().lmtp
                                                             : std::vector<core::ViaHost>());
}

core::Status Shard::PrepareReload(ShardConfig next, RouteChanges changes) {
  CHECK(next_.config == nullptr);
  if (step_ != Step::kRunning || listen_by_ns_ != 0) {
    return core::Status(core::StatusCode::kUnavailable, "a shard is starting or stopping");
  }
  const core::Status status =
      clients_->Prepare(*next.config, next.tls, setup_.exchange->shards() > 1);
  if (!status.ok()) return status;
  next_ = std::move(next);
  route_changes_ = std::move(changes);
  // Shards commit one after another, and their mail comes at once: what its keys name is known here
  // before.
  destinations_->SetSources(SourceTable::Both(setup_.config.sources, next_.sources));
  links_.SetCredentials(RouteCredentials::Both(setup_.config.credentials, next_.credentials));
  return core::OkStatus();
}

void Shard::SetCertificates(ShardTls tls) {
  setup_.config.tls = std::move(tls);
  tls_client_.SetTrust(setup_.config.tls.trust);
  clients_->SetCertificates(setup_.config.tls);
}

void Shard::RollbackReload() {
  if (next_.config == nullptr) return;
  clients_->Rollback();
  next_ = {};
  destinations_->SetSources(setup_.config.sources);
  links_.SetCredentials(setup_.config.credentials);
}

void Shard::CommitReload() {
  if (next_.config == nullptr) return;
  if (step_ != Step::kRunning) {  // the stop has closed what was prepared
    next_ = {};
    return;
  }
  home_->SetRouter(next_.router.get());
  setup_.config = std::exchange(next_, {});
  const core::Config& config = *setup_.config.config;
  SetTimeouts();
  TakeLocalConfig();
  signing_.SetTable(setup_.config.signing);
  links_.SetCredentials(setup_.config.credentials);
  authenticator_.SetConfig(config.auth);
  tls_client_.SetTrust(setup_.config.tls.trust);
  events_.SetMinimum(config.log.level);
  log_.SetTellsEnds(config.log.format == core::LogFormat::kClassic);
  destinations_->SetIdleTimeout(config.delivery.idle_timeout_ns);
  home_->SetReturnFullMax(config.delivery.return_full_max);
  destinations_->SetConvertEightBit(config.delivery.convert_eight_bit);
  destinations_->SetSources(setup_.config.sources);
  destinations_->OnPoliciesChanged();
  resolver_.SetOptions(ResolverOptionsOf(config, setup_.own_addresses));
  clients_->Commit();
  if (!route_changes_.empty()) operations_->Reroute(std::exchange(route_changes_, {}));
}

}  // namespace outbox::queue
