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

}  // namespace

struct ShardClients::Client final : smtp::ServerConnection::Owner {
  Client(Listener* owner, const smtp::ServerContext* context)
      : listener(owner), connection(context, this) {}
  void OnServerConnectionClosed(smtp::ServerConnection* closed) override;

  Listener* listener;
  core::ListLink link;
  smtp::ServerConnection connection;
};

struct ShardClients::Listener {
  Listener(ShardClients* all, const ReceptionContext& reception_context,
           const core::ListenerConfig& config)
      : clients(all), address(config.address), reception(reception_context, config) {
    accept.Bind<&Listener::OnAccepted>(this);
    pause.Bind<&Listener::OnPauseOver>(this);
  }
  void OnAccepted(const io::OpResult& result) { clients->OnAccepted(this, result); }
  void OnPauseOver() {
    if (socket != io::kNoHandle && !accept.in_flight) clients->io_->Accept(&accept, socket);
  }

  ShardClients* clients;
  core::SocketAddress address;
  ShardReception reception;
  smtp::ServerContext context;
  io::Socket socket = io::kNoHandle;
  io::Op accept;
  core::Timer pause;
  core::IntrusiveList<Client, &Client::link> open;
};

void ShardClients::Client::OnServerConnectionClosed(smtp::ServerConnection*) {
  ShardClients* clients = listener->clients;
  link.Unlink();
  --clients->connections_;
  delete this;
}

ShardClients::ShardClients(io::Io* io, core::TimerWheel* wheel, smtp::BlockCache* blocks,
                           ShardLog* log, const core::Config& config,
                           const ReceptionContext& reception)
    : io_(io), wheel_(wheel), log_(log) {
  for (const core::ListenerConfig& one : config.listeners) {
    listeners_.push_back(std::make_unique<Listener>(this, reception, one));
    smtp::ServerContext& context = listeners_.back()->context;
    context.io = io;
    context.wheel = wheel;
    context.reception = &listeners_.back()->reception;
    context.blocks = blocks;
    context.session.hostname = config.hostname;
    context.session.max_message_bytes = one.max_size;
    context.session.max_recipients = one.max_recipients;
    context.command_timeout_ns = one.command_timeout_ns;
    context.data_timeout_ns = one.data_timeout_ns;
  }
}

ShardClients::~ShardClients() { CHECK(connections_ == 0); }

core::Status ShardClients::Listen(bool share) {
  for (const auto& listener : listeners_) {
    core::Result<io::Socket> socket = io_->Listen(listener->address, share);
    if (!socket.ok()) {
      for (const auto& open : listeners_) CloseListener(open.get());
      return socket.status();
    }
    listener->socket = *socket;
  }
  for (const auto& listener : listeners_) io_->Accept(&listener->accept, listener->socket);
  return core::OkStatus();
}

void ShardClients::OnAccepted(Listener* listener, const io::OpResult& result) {
  if (result.result >= 0) {
    if (closing_) {
      io_->CloseSocket(result.result, /*reset=*/true);
    } else {
      auto* client = new Client(listener, &listener->context);
      listener->open.PushBack(client);
      ++connections_;
      client->connection.Start(result.result);
    }
  } else if (!closing_ && result.result != -ECANCELED) {
    log_->Notice(core::LogLevel::kWarning, "accept_failed",
                 listener->address.ToString() + ": " + std::strerror(-result.result));
  }
  if (result.more) return;
  if (closing_) {
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

void ShardClients::Close() {
  if (closing_) return;
  closing_ = true;
  for (const auto& listener : listeners_) {
    if (listener->accept.in_flight) {
      io_->Cancel(&listener->accept);  // its completion closes the socket
    } else {
      CloseListener(listener.get());
    }
    for (Client* client = listener->open.front(); client != nullptr;) {
      Client* next = listener->open.Next(client);
      client->connection.Shutdown();
      client = next;
    }
  }
}

void ShardClients::Abort() {
  for (const auto& listener : listeners_) {
    for (Client* client = listener->open.front(); client != nullptr;) {
      Client* next = listener->open.Next(client);
      client->connection.Reset();
      client = next;
    }
  }
}

bool ShardClients::closed() const {
  if (!closing_ || connections_ > 0) return false;
  for (const auto& listener : listeners_) {
    if (listener->socket != io::kNoHandle || listener->accept.in_flight) return false;
  }
  return true;
}

}  // namespace outbox::queue
