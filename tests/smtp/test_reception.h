// TestReception: a Reception that keeps mail in memory, in any of the ways that the driver must
// bear.
#ifndef OUTBOX_TESTS_SMTP_TEST_RECEPTION_H_
#define OUTBOX_TESTS_SMTP_TEST_RECEPTION_H_

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "core/check.h"
#include "core/random.h"
#include "core/time.h"
#include "smtp/reception.h"
#include "smtp/server_connection.h"
#include "tests/smtp/sim_shard.h"

namespace outbox::smtp {

struct ReceivedMail {
  std::string reverse_path;
  std::vector<std::string> recipients;
  std::string body;
};

class TestReception final : public Reception, public ServerConnection::Owner {
 public:
  struct Habits {
    uint32_t late_percent = 0;    // questions that are answered later
    uint32_t wait_percent = 0;    // pieces after which storage says wait
    uint32_t direct_percent = 0;  // pieces that go into memory of ours
    bool refuse_clients = false;
    bool fail_storage = false;
  };

  TestReception(SimShard* shard, const Habits& habits, uint64_t seed)
      : shard_(shard), habits_(habits), random_(seed) {
    context.io = &shard->io;
    context.wheel = &shard->wheel;
    context.blocks = &shard->blocks;
    context.reception = this;
    context.session.hostname = "relay.example.com";
    accept_.Bind<&TestReception::OnAccept>(this);
  }
  ~TestReception() { CHECK(connections_.empty()); }

  void Listen(const core::SocketAddress& address) {
    listener_ = shard_->io.Listen(address, false).value();
    shard_->io.Accept(&accept_, listener_);
  }
  void StopListening() {
    if (accept_.in_flight) shard_->io.Cancel(&accept_);
  }
  void Shutdown() {
    for (auto& connection : connections_) connection->Shutdown();
  }
  size_t connections() const { return connections_.size(); }
  bool accepting() const { return accept_.in_flight; }

  Admission Admit(const core::SocketAddress&, const core::SocketAddress&,
                  ServerConnection* connection) override;

  ServerContext context;
  std::vector<ReceivedMail> mail;
  int opened = 0;
  int closed = 0;
  int timed_out = 0;
  int disowned = 0;
  int aborted = 0;
  size_t connections_max = 0;
  int direct_pieces = 0;

 private:
  class Session;

  void OnAccept(const io::OpResult& result) {
    if (result.result >= 0) {
      connections_.push_back(std::make_unique<ServerConnection>(&context, this));
      connections_max = std::max(connections_max, connections_.size());
      connections_.back()->Start(result.result);
    }
    if (!result.more && result.result != -ECANCELED) shard_->io.Accept(&accept_, listener_);
  }
  void OnServerConnectionClosed(ServerConnection* connection) override {
    std::erase_if(connections_, [connection](const auto& c) { return c.get() == connection; });
  }

  SimShard* shard_;
  Habits habits_;
  core::Random random_;
  io::Op accept_;
  io::Socket listener_ = io::kNoHandle;
  std::vector<std::unique_ptr<ServerConnection>> connections_;
};

class TestReception::Session final : public ReceptionSession {
 public:
  Session(TestReception* reception, ServerConnection* connection)
      : reception_(reception), connection_(connection) {
    timer_.Bind<&Session::OnTimer>(this);
    ++reception->opened;
  }

  void OnHello(std::string_view name, bool) override { CHECK(!name.empty() && !in_transaction_); }
  MaybeReply OnMail(const MailRequest& request) override {
    CHECK(!in_transaction_);
    mail_ = {std::string(request.reverse_path.mailbox), {}, {}};
    in_transaction_ = true;
    return Say({250, {2, 1, 0}, "Sender ok"});
  }
  MaybeReply OnRcpt(const Path& path, const RecipientDsn&) override {
    CHECK(in_transaction_);
    if (path.local.starts_with("refused")) return Say({550, {5, 1, 1}, "No such user"});
    if (path.local.starts_with("many")) return Say({452, {4, 5, 3}, "Too many"});
    mail_.recipients.emplace_back(path.mailbox);
    return Say({250, {2, 1, 5}, "Recipient ok"});
  }
  MaybeReply OnData() override { return Say({354, {}, "Go on"}); }

  BodyState Append(std::string_view bytes) override {
    CHECK(in_transaction_ && !waiting_ && !failed_);
    mail_.body += bytes;
    return State();
  }
  std::span<char> BodySpace() override {
    if (!reception_->random_.Chance(reception_->habits_.direct_percent, 100)) return {};
    space_ = std::make_unique<char[]>(kSpace);
    return {space_.get(), kSpace};
  }
  BodyState AppendDirect(size_t size) override {
    CHECK(space_ != nullptr && !waiting_ && !failed_);
    reception_->direct_pieces += size > 0;
    mail_.body.append(space_.get(), size);
    space_ = nullptr;
    return State();
  }
  MaybeReply Finish(const BodySummary& summary) override {
    CHECK(in_transaction_ && (failed_ || summary.wire_bytes == mail_.body.size()));
    if (failed_) return Done({452, {4, 3, 1}, "No space"});
    finishing_ = true;
    return Done({250, {2, 0, 0}, "Queued"});
  }
  void Abort() override {
    CHECK(in_transaction_);
    ++reception_->aborted;
    in_transaction_ = failed_ = false;
  }
  void OnClosed(ServerEnd end) override {
    ++reception_->closed;
    if (end == ServerEnd::kTimeout) ++reception_->timed_out;
    if (end == ServerEnd::kFaults) ++reception_->disowned;
    timer_.Cancel();
    delete this;
  }

 private:
  static constexpr size_t kSpace = 50'000;

  BodyState State() {
    if (reception_->habits_.fail_storage && mail_.body.size() > 10'000) {
      failed_ = true;
      return BodyState::kFailed;
    }
    if (!reception_->random_.Chance(reception_->habits_.wait_percent, 100)) return BodyState::kMore;
    waiting_ = true;
    SetTimer();
    return BodyState::kWait;
  }
  MaybeReply Say(const Reply& reply) {
    if (!reception_->random_.Chance(reception_->habits_.late_percent, 100)) return Settle(reply);
    reply_ = reply;
    SetTimer();
    return std::nullopt;
  }
  MaybeReply Done(const Reply& reply) { return Say(reply); }
  // What the answer changes on our side.
  Reply Settle(const Reply& reply) {
    if (finishing_) reception_->mail.push_back(mail_);
    if (finishing_ || failed_) in_transaction_ = false;
    finishing_ = failed_ = false;
    return reply;
  }
  void SetTimer() {
    const int64_t delay = reception_->random_.Between(0, 300 * core::kNsPerMs);
    CHECK(timer_.Set(&reception_->shard_->wheel, reception_->shard_->io.now_ns() + delay));
  }
  void OnTimer() {
    if (waiting_) {
      waiting_ = false;
      return connection_->ResumeBody();
    }
    connection_->Answer(Settle(reply_));
  }

  TestReception* reception_;
  ServerConnection* connection_;
  core::Timer timer_;
  ReceivedMail mail_;
  Reply reply_;
  std::unique_ptr<char[]> space_;
  bool in_transaction_ = false;
  bool waiting_ = false;
  bool failed_ = false;
  bool finishing_ = false;
};

inline Reception::Admission TestReception::Admit(const core::SocketAddress&,
                                                 const core::SocketAddress&,
                                                 ServerConnection* connection) {
  if (habits_.refuse_clients) return {nullptr, {421, {4, 7, 0}, "Too many connections"}};
  return {new Session(this, connection), {}};
}

}  // namespace outbox::smtp

#endif  // OUTBOX_TESTS_SMTP_TEST_RECEPTION_H_
