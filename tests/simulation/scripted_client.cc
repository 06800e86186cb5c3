#include "tests/simulation/scripted_client.h"

#include <algorithm>
#include <utility>

#include "tests/simulation/line_peer.h"

namespace outbox::simulation {

class ScriptedClient::Transaction {
 public:
  Transaction(ScriptedClient* client, uint64_t id, const core::SocketAddress& server,
              const ClientMessage& message, const ClientScript& script, Done done)
      : client_(client),
        server_(server),
        message_(message),
        script_(script),
        done_(std::move(done)) {
    result_.recipient_replies.resize(message_.recipients.size());
    connect_.Bind<&Transaction::OnConnect>(this);
    client->io_->Connect(&connect_, server, nullptr);
    client->io_->world()->Schedule(script.timeout_ns,
                                   [client, id, alive = std::weak_ptr<int>(client->alive_)] {
                                     if (alive.expired()) return;
                                     if (Transaction* self = client->Find(id)) self->Finish(true);
                                   });
  }

  bool over() const { return over_; }
  const core::SocketAddress& server() const { return server_; }
  bool gone() const { return over_ && !connect_.in_flight && (peer_ == nullptr || peer_->gone()); }

 private:
  using Abort = ClientScript::Abort;
  enum class Step { kGreeting, kHello, kMail, kRecipient, kData, kDot, kQuit };

  void OnConnect(const io::OpResult& result) {
    if (result.result < 0) return Finish(false);
    if (over_) return client_->io_->CloseSocket(result.result, true);  // timed out meanwhile
    peer_ = std::make_unique<LinePeer>(
        client_->io_, result.result, [this] { OnInput(); }, [this](int) { Finish(false); });
    if (script_.abort == Abort::kAfterConnect) Finish(true);
  }

  void OnInput() {
    std::string line;
    while (!over_ && peer_->TakeLine(&line)) {
      if (line.size() >= 4 && line[3] == '-') {
        Hear(line.substr(4));
        continue;
      }
      if (line.size() > 4) Hear(line.substr(4));
      OnReply(line);
    }
  }

  void Hear(const std::string& words) {
    if (words == "PIPELINING") pipelining_ = script_.pipelining;
    if (words == "DSN") result_.asked = true;
  }

  void OnReply(const std::string& reply) {
    if (reply.empty()) return Finish(true);
    if (step_ != Step::kQuit) result_.last_reply = reply;
    const bool good = reply[0] == '2' || reply[0] == '3';
    switch (step_) {
      case Step::kGreeting:
        if (!good) return Leave();
        step_ = Step::kHello;
        return peer_->Write("EHLO client.example\r\n");
      case Step::kHello:
        if (!good) return Leave();
        step_ = Step::kMail;
        return SendEnvelope();
      case Step::kMail:
        if (!good && !pipelining_) return Leave();
        mail_ok_ = good;
        step_ = Step::kRecipient;
        if (!pipelining_) SendRecipient();
        return;
      case Step::kRecipient:
        // Behind a refused MAIL the answers to RCPT say nothing of the recipients.
        if (mail_ok_) result_.recipient_replies[recipient_] = reply;
        any_recipient_ = any_recipient_ || (mail_ok_ && good);
        if (++recipient_ < message_.recipients.size()) {
          if (!pipelining_) SendRecipient();
          return;
        }
        if (!any_recipient_ && !pipelining_) return Leave();
        step_ = Step::kData;
        if (!pipelining_) peer_->Write("DATA\r\n");
        return;
      case Step::kData:
        if (reply[0] != '3') return Leave();
        step_ = Step::kDot;
        return SendContent();
      case Step::kDot:
        result_.acknowledged = reply[0] == '2' && any_recipient_;
        return Leave();
      case Step::kQuit:
        return Finish(false);
    }
  }

  // What counts is known; nobody waits for the answer to QUIT.
  void Leave() {
    step_ = Step::kQuit;
    peer_->Write("QUIT\r\n");
    Report();
  }

  void SendEnvelope() {
    if (script_.abort == Abort::kInEnvelope) {
      peer_->Write("MAIL FROM:<" + message_.reverse_path + ">\r\nRCPT TO:<");
      return Finish(client_->io_->world()->random().Chance(1, 2));
    }
    peer_->Write("MAIL FROM:<" + message_.reverse_path + ">" +
                 (script_.smtp_utf8 ? " SMTPUTF8" : "") + (result_.asked ? message_.asks : "") +
                 "\r\n");
    if (!pipelining_) return;
    for (size_t i = 0; i < message_.recipients.size(); ++i) WriteRecipient(i);
    peer_->Write("DATA\r\n");
  }

  void SendRecipient() { WriteRecipient(recipient_); }

  void WriteRecipient(size_t i) {
    peer_->Write("RCPT TO:<" + message_.recipients[i] + ">" +
                 (result_.asked ? message_.AsksFor(i) : "") + "\r\n");
  }

  void SendContent() {
    io::SimWorld* world = client_->io_->world();
    if (script_.abort == Abort::kInContent) {
      peer_->Write(message_.content.substr(0, world->random().Below(message_.content.size() + 1)));
      return Finish(world->random().Chance(1, 2));
    }
    peer_->Write(message_.content + ".\r\n");
    result_.dot_sent = true;
    if (script_.abort == Abort::kAfterDot) Finish(world->random().Chance(1, 2));
  }

  void Finish(bool reset) {
    if (over_) return;
    over_ = true;
    if (connect_.in_flight) client_->io_->Cancel(&connect_);
    if (peer_ != nullptr) peer_->Close(reset);
    client_->Reap();
    Report();
  }

  void Report() {
    if (Done done = std::exchange(done_, nullptr)) done(result_);
  }

  ScriptedClient* client_;
  core::SocketAddress server_;
  ClientMessage message_;
  ClientScript script_;
  Done done_;
  ClientResult result_;
  io::Op connect_;
  std::unique_ptr<LinePeer> peer_;
  Step step_ = Step::kGreeting;
  size_t recipient_ = 0;
  bool pipelining_ = false;
  bool mail_ok_ = false;
  bool any_recipient_ = false;
  bool over_ = false;
};

ScriptedClient::ScriptedClient(io::SimIo* io) : io_(io) {}

ScriptedClient::~ScriptedClient() = default;

void ScriptedClient::Send(const core::SocketAddress& server, const ClientMessage& message,
                          const ClientScript& script, Done done) {
  const uint64_t id = ++last_id_;
  transactions_[id] =
      std::make_unique<Transaction>(this, id, server, message, script, std::move(done));
}

size_t ScriptedClient::connections(const core::SocketAddress& server) const {
  return static_cast<size_t>(
      std::count_if(transactions_.begin(), transactions_.end(), [&](const auto& entry) {
        return entry.second->server() == server && !entry.second->gone();
      }));
}

ScriptedClient::Transaction* ScriptedClient::Find(uint64_t id) {
  const auto found = transactions_.find(id);
  return found == transactions_.end() ? nullptr : found->second.get();
}

void ScriptedClient::Reap() {
  if (reap_scheduled_) return;
  reap_scheduled_ = true;
  io_->world()->Schedule(core::kNsPerMs, [this, alive = std::weak_ptr<int>(alive_)] {
    if (alive.expired()) return;
    reap_scheduled_ = false;
    std::erase_if(transactions_, [](const auto& entry) { return entry.second->gone(); });
    for (const auto& [id, transaction] : transactions_) {
      if (transaction->over()) return Reap();
    }
  });
}

}  // namespace outbox::simulation
