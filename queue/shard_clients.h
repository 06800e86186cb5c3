// ShardClients: a shard's listeners and the clients that came in by them.
//
// Every shard listens at every address (SO_REUSEPORT) and keeps what it accepts; at unix sockets
// the first one does. A failing accept
// (no descriptors left) pauses the listener for a moment instead of spinning. Shard-local.
#ifndef OUTBOX_QUEUE_SHARD_CLIENTS_H_
#define OUTBOX_QUEUE_SHARD_CLIENTS_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "core/config.h"
#include "core/intrusive_list.h"
#include "core/status.h"
#include "core/timer.h"
#include "core/timer_wheel.h"
#include "io/io.h"
#include "io/tls_channel.h"
#include "queue/reception.h"
#include "queue/shard_log.h"
#include "queue/shard_tls.h"
#include "smtp/block_cache.h"
#include "smtp/server_connection.h"

namespace outbox::queue {

class ShardClients {
 public:
  // `tls`: the certificates of config's listeners.
  ShardClients(io::Io* io, core::TimerWheel* wheel, smtp::BlockCache* blocks,
               io::TlsMemory* tls_memory, ShardLog* log, const core::Config& config,
               const ShardTls& tls, const ReceptionContext& reception);
  ShardClients(const ShardClients&) = delete;
  ShardClients& operator=(const ShardClients&) = delete;
  // REQUIRES: closed(), or Listen was never called.
  ~ShardClients();

  // Opens all listeners; `share` when other shards listen at the same addresses. The error names
  // the address; none is open then.
  core::Status Listen(bool share);
  // A reload, in two steps so that all shards take it or none. Prepare opens the listeners at
  // addresses that are new, without accepting; on an error nothing has changed. Then Commit: those
  // accept, listeners that stay have their new rules for who connects from now on, those that are
  // gone close, and their clients get 421 when their transaction is done. Or Rollback.
  core::Status Prepare(const core::Config& config, const ShardTls& tls, bool share);
  void Commit();
  void Rollback();
  // The files of the present configuration's certificates have changed: handshakes from now on.
  void SetCertificates(const ShardTls& tls);

  // No new connections; clients get 421 when their transaction is done.
  void Close();
  // After Close: clients get 421 now, but for those whose message is being committed.
  void Hurry();
  // Cuts what is left.
  void Abort();
  // Close was called, and all listeners and connections are gone.
  bool closed() const;

 private:
  struct Client;
  struct Listener;
  struct Rules;
  struct Change;

  // Whether this shard listens there (the others have a listener that is never opened), and how.
  bool Ours(const core::ListenerConfig& config) const;
  core::Result<io::Socket> Open(const core::ListenerConfig& config, bool share);
  std::shared_ptr<Rules> MakeRules(const core::ListenerConfig& config,
                                   std::shared_ptr<const io::TlsServerContext> tls) const;
  void OnAccepted(Listener* listener, const io::OpResult& result);
  void CloseListener(Listener* listener);
  void ForEachClient(void (smtp::ServerConnection::*order)());
  // It accepts nobody any more, and its clients go.
  void Retire(Listener* listener);

  io::Io* const io_;
  core::TimerWheel* const wheel_;
  ShardLog* const log_;
  smtp::BlockCache* const blocks_;
  io::TlsMemory* const tls_memory_;
  const ReceptionContext reception_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::vector<std::unique_ptr<Listener>> retired_;  // by reloads; until their last client has gone
  std::vector<Change> changes_;                     // prepared
  uint32_t connections_ = 0;
  bool closing_ = false;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_SHARD_CLIENTS_H_
