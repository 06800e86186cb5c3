#include "queue/shard_clients.h"

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "core/check.h"

namespace outbox::queue {
namespace {

// How long a listener rests after an accept that failed for want of something.
constexpr int64_t kAcceptPauseNs = 100 * core::kNsPerMs;
// How often the log is told of that.
constexpr int64_t kAcceptLineNs = 10 * core::kNsPerSecond;
// Who may open a unix socket is for its directory to say.
constexpr uint32_t kUnixSocketMode = 0666;

}  // namespace

// How a listener treats its clients. They keep the rules that they came in under.
struct ShardClients::Rules {
  Rules(const ReceptionContext& reception_context, const core::ListenerConfig& config)
      : reception(reception_context, config) {}
  ShardReception reception;
  smtp::ServerContext context;
};

struct ShardClients::Client final : smtp::ServerConnection::Owner {
  Client(Listener* owner, std::shared_ptr<Rules> of_now)
      : listener(owner), rules(std::move(of_now)), connection(&rules->context, this) {}
  void OnServerConnectionClosed(smtp::ServerConnection* closed) override;

  Listener* listener;
  const std::shared_ptr<Rules> rules;
  core::ListLink link;
  smtp::ServerConnection connection;
};

struct ShardClients::Listener {
  Listener(ShardClients* all, const core::ListenerConfig& config, std::shared_ptr<Rules> of_now)
      : clients(all), place(config), rules(std::move(of_now)) {
    accept.Bind<&Listener::OnAccepted>(this);
    pause.Bind<&Listener::OnPauseOver>(this);
  }
  void OnAccepted(const io::OpResult& result) { clients->OnAccepted(this, result); }
  void OnPauseOver() {
    if (!accept.in_flight) Accept();
  }
  // Nothing to do for one that another shard has.
  void Accept() {
    if (socket != io::kNoHandle) clients->io_->Accept(&accept, socket);
  }
  bool gone() const { return socket == io::kNoHandle && !accept.in_flight && open.empty(); }

  ShardClients* clients;
  const core::ListenerConfig place;  // where it is
  std::shared_ptr<Rules> rules;
  io::Socket socket = io::kNoHandle;
  bool retired = false;
  int64_t failed_ns = 0;  // when the log was told last
  io::Op accept;
  core::Timer pause;
  core::IntrusiveList<Client, &Client::link> open;
};

// What a reload does at one address.
struct ShardClients::Change {
  Listener* existing = nullptr;    // gets the new rules
  std::unique_ptr<Listener> made;  // or is new
  std::shared_ptr<Rules> rules;
};

void ShardClients::Client::OnServerConnectionClosed(smtp::ServerConnection*) {
  ShardClients* clients = listener->clients;
  link.Unlink();
  --clients->connections_;
  delete this;
}

ShardClients::ShardClients(io::Io* io, core::TimerWheel* wheel, smtp::BlockCache* blocks,
                           io::TlsMemory* tls_memory, ShardLog* log, const core::Config& config,
                           const ShardTls& tls, const ReceptionContext& reception)
    : io_(io),
      wheel_(wheel),
      log_(log),
      blocks_(blocks),
      tls_memory_(tls_memory),
      reception_(reception) {
  for (size_t i = 0; i < config.listeners.size(); ++i) {
    const core::ListenerConfig& one = config.listeners[i];
    listeners_.push_back(std::make_unique<Listener>(this, one, MakeRules(one, tls.Of(i))));
  }
}

ShardClients::~ShardClients() { CHECK(connections_ == 0); }

std::shared_ptr<ShardClients::Rules> ShardClients::MakeRules(
    const core::ListenerConfig& config, std::shared_ptr<const io::TlsServerContext> tls) const {
  auto rules = std::make_shared<Rules>(reception_, config);
  smtp::ServerContext& context = rules->context;
  context.io = io_;
  context.wheel = wheel_;
  context.reception = &rules->reception;
  context.blocks = blocks_;
  context.session.hostname = reception_.hostname;
  context.session.max_message_bytes = config.max_size;
  context.session.max_recipients = config.max_recipients;
  context.session.refuse_nul = config.refuse_nul;
  context.session.offers_chunking = config.chunking;
  context.command_timeout_ns = config.command_timeout_ns;
  context.data_timeout_ns = config.data_timeout_ns;
  context.session.offers_tls = tls != nullptr && (config.tls == core::TlsMode::kOpportunistic ||
                                                  config.tls == core::TlsMode::kRequired);
  context.session.needs_tls = config.tls == core::TlsMode::kRequired;
  context.session.offers_auth = config.auth.users != nullptr;
  context.session.auth_in_clear = config.auth.without_tls;
  context.session.needs_auth = config.auth.mode == core::AuthMode::kRequired;
  context.implicit_tls = config.tls == core::TlsMode::kImplicit;
  CHECK(tls != nullptr || !context.implicit_tls);
  context.tls = std::move(tls);
  context.tls_memory = tls_memory_;
  return rules;
}

bool ShardClients::Ours(const core::ListenerConfig& config) const {
  return !config.is_unix() || reception_.at_unix_sockets;
}

core::Result<io::Socket> ShardClients::Open(const core::ListenerConfig& config, bool share) {
  return config.is_unix() ? io_->ListenUnix(config.path, kUnixSocketMode)
                          : io_->Listen(config.address, share);
}

core::Status ShardClients::Listen(bool share) {
  for (const auto& listener : listeners_) {
    if (!Ours(listener->place)) continue;
    core::Result<io::Socket> socket = Open(listener->place, share);
    if (!socket.ok()) {
      for (const auto& open : listeners_) CloseListener(open.get());
      return socket.status();
    }
    listener->socket = *socket;
  }
  for (const auto& listener : listeners_) listener->Accept();
  return core::OkStatus();
}

void ShardClients::OnAccepted(Listener* listener, const io::OpResult& result) {
  if (result.result >= 0) {
    if (closing_ || listener->retired) {
      io_->CloseSocket(result.result, /*reset=*/true);
    } else {
      auto* client = new Client(listener, listener->rules);
      listener->open.PushBack(client);
      ++connections_;
      client->connection.Start(result.result);
    }
  } else if (!closing_ && !listener->retired && result.result != -ECANCELED) {
    log_->metrics().accept_failures_total.Add();
    if (listener->failed_ns == 0 || io_->now_ns() - listener->failed_ns >= kAcceptLineNs) {
      listener->failed_ns = io_->now_ns();
      log_->Notice(core::LogLevel::kWarning, "accept_failed",
                   listener->place.ToString() + ": " + std::strerror(-result.result));
    }
  }
  if (result.more) return;
  if (closing_ || listener->retired) {
    CloseListener(listener);
    return;
  }
  // The wheel holds more timers than a shard has listeners.
  CHECK(listener->pause.Set(wheel_, io_->now_ns() + kAcceptPauseNs));
}

void ShardClients::CloseListener(Listener* listener) {
  listener->pause.Cancel();
  if (listener->socket == io::kNoHandle) return;
  io_->CloseSocket(std::exchange(listener->socket, io::kNoHandle), /*reset=*/false);
}

void ShardClients::Retire(Listener* listener) {
  listener->retired = true;
  if (listener->accept.in_flight) {
    io_->Cancel(&listener->accept);  // its completion closes the socket
  } else {
    CloseListener(listener);
  }
  for (Client* client = listener->open.front(); client != nullptr;) {
    Client* next = listener->open.Next(client);
    client->connection.Shutdown();
    client = next;
  }
}

core::Status ShardClients::Prepare(const core::Config& config, const ShardTls& tls, bool share) {
  CHECK(changes_.empty());
  std::erase_if(retired_, [](const auto& listener) { return listener->gone(); });
  for (size_t i = 0; i < config.listeners.size(); ++i) {
    const core::ListenerConfig& one = config.listeners[i];
    Change change;
    change.rules = MakeRules(one, tls.Of(i));
    for (const auto& listener : listeners_) {
      if (listener->place.SamePlace(one)) change.existing = listener.get();
    }
    if (change.existing == nullptr) {
      change.made = std::make_unique<Listener>(this, one, change.rules);
      if (Ours(one)) {
        core::Result<io::Socket> socket = Open(one, share);
        if (!socket.ok()) {
          Rollback();
          return socket.status();
        }
        change.made->socket = *socket;
      }
    }
    changes_.push_back(std::move(change));
  }
  return core::OkStatus();
}

void ShardClients::Rollback() {
  for (const Change& change : changes_) {
    if (change.made != nullptr) CloseListener(change.made.get());
  }
  changes_.clear();
}

void ShardClients::Commit() {
  std::vector<std::unique_ptr<Listener>> before = std::exchange(listeners_, {});
  for (Change& change : changes_) {
    if (change.made != nullptr) {
      change.made->Accept();
      listeners_.push_back(std::move(change.made));
      continue;
    }
    for (auto& listener : before) {
      if (listener.get() != change.existing) continue;
      listener->rules = std::move(change.rules);
      listeners_.push_back(std::move(listener));
    }
    std::erase(before, nullptr);
  }
  changes_.clear();
  for (auto& listener : before) {
    Retire(listener.get());
    retired_.push_back(std::move(listener));
  }
}

// The listeners stand in the configuration's order.
void ShardClients::SetCertificates(const ShardTls& tls) {
  for (size_t i = 0; i < listeners_.size(); ++i) {
    smtp::ServerContext& context = listeners_[i]->rules->context;
    if (context.tls != nullptr && tls.Of(i) != nullptr) context.tls = tls.Of(i);
  }
}

void ShardClients::Close() {
  if (closing_) return;
  closing_ = true;
  Rollback();
  for (const auto& listener : listeners_) Retire(listener.get());
}

void ShardClients::ForEachClient(void (smtp::ServerConnection::*order)()) {
  for (const auto* all : {&listeners_, &retired_}) {
    for (const auto& listener : *all) {
      for (Client* client = listener->open.front(); client != nullptr;) {
        Client* next = listener->open.Next(client);
        (client->connection.*order)();
        client = next;
      }
    }
  }
}

// The second time for each of them.
void ShardClients::Hurry() { ForEachClient(&smtp::ServerConnection::Shutdown); }

void ShardClients::Abort() { ForEachClient(&smtp::ServerConnection::Reset); }

bool ShardClients::closed() const {
  if (!closing_ || connections_ > 0) return false;
  for (const auto* all : {&listeners_, &retired_}) {
    for (const auto& listener : *all) {
      if (!listener->gone()) return false;
    }
  }
  return true;
}

}  // namespace outbox::queue
