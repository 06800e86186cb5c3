#include "queue/reception.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "queue/client_login.h"
#include "queue/message_id.h"
#include "smtp/server_connection.h"

namespace outbox::queue {
namespace {

using smtp::EnhancedCode;
using smtp::MaybeReply;
using smtp::Reply;

constexpr EnhancedCode kSystemFull{4, 3, 1};     // RFC 3463: mail system full
constexpr EnhancedCode kSystemTrouble{4, 3, 0};  // other or undefined mail system status
constexpr EnhancedCode kTooManyConnections{4, 7, 0};
constexpr EnhancedCode kNotPermitted{5, 7, 1};  // delivery not authorized

// Sessions that are kept for reuse.
constexpr size_t kWarmSessions = 256;

}  // namespace

// One client connection.
class ShardReception::Session : public smtp::ReceptionSession, private DraftOwner {
 public:
  explicit Session(ShardReception* reception)
      : reception_(reception), login_(context().io, context().authenticator, context().log) {
    question_.Bind<&Session::OnMailboxWord>(this);
  }

  void Open(const core::SocketAddress& peer, smtp::ServerConnection* connection) {
    connection_ = connection;
    client_ = peer.ip;
    from_own_network_ = reception_->MayRelay(client_);
    login_.Open(client_, reception_->listener_.auth.users.get(), connection);
    extended_ = false;
    tls_ = {};
    helo_.clear();
  }

  void OnTls(const io::TlsFacts& facts, std::string_view error) override {
    core::ShardMetrics& metrics = context().log->metrics();
    if (!error.empty()) {
      metrics.tls_in_failed_total.Add();
      context().log->ClientTlsFailed(client_, error);
      return;
    }
    metrics.tls_in_total.Add();
    if (facts.resumed) metrics.tls_in_resumed_total.Add();
    context().log->ClientTls(client_, facts);
    tls_ = facts;
    login_.Forget();
    extended_ = false;
    helo_.clear();
  }

  void OnHello(std::string_view name, bool extended) override {
    helo_.assign(name);
    extended_ = extended;
  }

  MaybeReply OnAuth(const smtp::Credentials& credentials) override {
    return login_.OnAuth(credentials);
  }

  MaybeReply OnMail(const smtp::MailRequest& request) override {
    if (const std::optional<Reply> full = NoRoom()) return full;
    if (const auto refused = login_.OnMail(request.reverse_path.mailbox)) return refused;
    draft_ = context().drafts->Take();
    if (draft_ == nullptr) {
      login_.EndTransaction(false);
      context().log->metrics().no_room_total.Add();
      return Reply{452, kSystemFull, "Too many messages are being received, try again later"};
    }
    draft_->Start(this, request, client_, *context().router);
    if (request.smtp_utf8) draft_->DeclareUtf8();
    // A stranger's mail to a mailbox of ours may say any From: we vouch for our own clients alone.
    if (may_relay() && context().signing->table() != nullptr) {
      draft_->SignBy(context().signing->table());
    }
    return Reply{250, {2, 1, 0}, "Sender ok"};
  }

  MaybeReply OnRcpt(const smtp::Path& path, const smtp::RecipientDsn& dsn) override {
    if (const auto refused = login_.OnRcpt()) return refused;
    if (const LocalDomains* local = draft_->router().local(); local != nullptr) {
      recipient_.assign(path.mailbox);
      if (path.is_bare_postmaster()) recipient_.assign("postmaster@").append(context().hostname);
      if (local->OwnsDomainOf(recipient_)) {
        notify_ = dsn.notify;
        orcpt_.assign(dsn.orcpt);
        return OnLocalRcpt(*local);
      }
    }
    if (!may_relay()) {
      context().log->metrics().rejected_total.Add();
      context().log->Refused(client_, path.mailbox, "relaying not permitted");
      text_ = "Relaying is not permitted for " + client_.ToString() + "; ";
      if (reception_->listener_.auth.users != nullptr) text_ += "authenticate, or ";
      text_ += "ask the postmaster to add it to relay_from";
      return Reply{550, kNotPermitted, text_};
    }
    std::string_view recipient = path.mailbox;
    if (path.is_bare_postmaster()) {
      // RFC 5321 4.1.1.3: the postmaster of this host.
      text_ = "postmaster@" + context().hostname;
      recipient = text_;
    }
    if (const Rejection rejected = draft_->AddRecipient(recipient, dsn)) {
      context().log->metrics().rejected_total.Add();
      return Reject(recipient, rejected);
    }
    return Reply{250, {2, 1, 5}, "Recipient ok"};
  }

  MaybeReply OnData() override {
    if (const std::optional<Reply> full = NoRoom()) return full;
    // A client that waits for this reply sends nothing that we would have to keep meanwhile.
    waits_for_room_ = !draft_->Prepare();
    if (waits_for_room_) return std::nullopt;  // OnDraftRoom answers
    return GoAhead();
  }

  smtp::BodyState Append(std::string_view bytes) override {
    context().log->metrics().bytes_in_total.Add(static_cast<int64_t>(bytes.size()));
    return draft_->Append(bytes);
  }

  std::span<char> BodySpace() override { return draft_->Space(); }

  smtp::BodyState AppendDirect(size_t size) override {
    context().log->metrics().bytes_in_total.Add(static_cast<int64_t>(size));
    return draft_->Advance(size);
  }

  MaybeReply Finish(const smtp::BodySummary& summary) override {
    if (const std::optional<Reply> full = NoRoom()) {
      Abort();
      return full;
    }
    if (draft_->failed()) {
      Abort();
      context().log->metrics().no_room_total.Add();
      return Reply{452, kSystemFull,
                   "There is no room for so large a message now, try again later"};
    }
    if (const Rejection rejected = draft_->Decide(summary)) {
      context().log->metrics().messages_refused_total.Add();
      const Reply reply = Reject("message", rejected);
      Abort();
      return reply;
    }
    DraftOrigin origin;
    origin.hostname = context().hostname;
    origin.helo = helo_;
    origin.client = client_;
    origin.extended = extended_;
    origin.tls_cipher = tls_.cipher;
    origin.own_client = may_relay();
    origin.user = login_.name();
    draft_->Commit(summary, origin);
    login_.EndTransaction(true);
    return std::nullopt;  // OnDraftDone answers
  }

  void Abort() override {
    waits_for_room_ = false;
    login_.EndTransaction(false);
    if (draft_ != nullptr) std::exchange(draft_, nullptr)->Leave();
  }

  void OnClosed(smtp::ServerEnd end) override {
    Abort();
    login_.Forget();
    core::ShardMetrics& metrics = context().log->metrics();
    if (end == smtp::ServerEnd::kTimeout) metrics.timeouts_in_total.Add();
    if (end == smtp::ServerEnd::kFaults) metrics.protocol_errors_in_total.Add();
    context().asker->Cancel(&question_);
    context().clients->Release(client_);
    metrics.connections_in.Subtract();
    reception_->Free(this);  // the last thing: may delete us
  }

 private:
  const ReceptionContext& context() const { return reception_->context_; }
  bool may_relay() const { return from_own_network_ || login_.known(); }

  // The answer of a route that refuses mail.
  Reply Reject(std::string_view what, const Rejection& rejected) {
    context().log->Rejected(client_, what, rejected.route, rejected.text);
    text_ = rejected.text;
    return Reply{550, kNotPermitted, text_};
  }

  // 452 or 451 when new mail cannot be taken now.
  std::optional<Reply> NoRoom() {
    if (const char* why = context().room->WhyNoRoom()) {
      context().log->metrics().no_room_total.Add();
      return Reply{452, kSystemFull, why};
    }
    if (context().store->accepting()) return std::nullopt;
    context().log->metrics().no_room_total.Add();
    const core::Status status = context().store->status();
    if (status.code() == core::StatusCode::kResourceExhausted) {
      return Reply{452, kSystemFull, "The mail spool is full, try again later"};
    }
    return Reply{451, kSystemTrouble, "The mail spool cannot be written now, try again later"};
  }

  static Reply GoAhead() { return Reply{354, {}, "End data with <CR><LF>.<CR><LF>"}; }

  void OnDraftRoom() override {
    if (std::exchange(waits_for_room_, false)) {
      connection_->Answer(GoAhead());
    } else {
      connection_->ResumeBody();
    }
  }
  // To a mailbox of ours mail may come from anywhere: that is no relaying.
  MaybeReply OnLocalRcpt(const LocalDomains& local) {
    const LocalAnswer answer = local.Find(recipient_);
    switch (answer.standing) {
      case LocalStanding::kMailbox:
        return Added(draft_->AddRecipient(recipient_, {notify_, orcpt_}));
      case LocalStanding::kNoMailbox:
        return NoMailbox();
      case LocalStanding::kNotKnown:
        return NotNow();
      case LocalStanding::kAsk: {
        MailboxWord word = MailboxWord::kNotNow;
        if (!context().asker->Ask(&question_, answer.address, &word)) return std::nullopt;
        return TakeWord(word);
      }
    }
    return NotNow();
  }

  void OnMailboxWord(MailboxWord word) { connection_->Answer(TakeWord(word)); }

  Reply TakeWord(MailboxWord word) {
    if (word == MailboxWord::kNotNow) return NotNow();
    if (word == MailboxWord::kNo) return NoMailbox();
    return Added(draft_->AddRecipient(recipient_, {notify_, orcpt_}));
  }

  Reply NotNow() {
    context().log->metrics().rejected_total.Add();
    context().log->Refused(client_, recipient_, "the local mailboxes are not known now");
    return {451, kSystemTrouble, "The mailbox cannot be looked up now, try again later"};
  }

  Reply NoMailbox() {
    const Router& router = draft_->router();
    if (router.local()->undelivered() == core::Undelivered::kReject) {
      context().log->metrics().rejected_total.Add();
      context().log->Refused(client_, recipient_, "no such mailbox");
      return {550, {5, 1, 1}, "There is no mailbox of this name here"};
    }
    return Added(draft_->AddWithoutMailbox(recipient_, {notify_, orcpt_}));
  }

  // What a route says of a recipient that we would take.
  Reply Added(const Rejection& rejected) {
    if (!rejected) return {250, {2, 1, 5}, "Recipient ok"};
    context().log->metrics().rejected_total.Add();
    return Reject(recipient_, rejected);
  }

  void OnDraftDone(const core::Status& status, uint64_t id) override {
    draft_ = nullptr;
    Reply reply;
    if (status.ok()) {
      char id_text[kMessageIdChars];
      text_.assign("Ok: queued as ").append(FormatMessageId(id, id_text));
      reply = {250, {2, 0, 0}, text_};
    } else {
      context().log->metrics().messages_refused_total.Add();
      context().log->Notice(core::LogLevel::kError, "message_not_stored", status.ToString());
      switch (status.code()) {
        case core::StatusCode::kResourceExhausted:
          context().log->metrics().no_room_total.Add();
          reply = {452, kSystemFull, "The mail spool is full, try again later"};
          break;
        case core::StatusCode::kInvalidArgument:
          reply = {552, {5, 3, 4}, "The envelope is too large: send to fewer recipients at once"};
          break;
        default:
          reply = {451, kSystemTrouble, "The message could not be stored, try again later"};
          break;
      }
    }
    connection_->Answer(reply);
  }

  ShardReception* const reception_;
  smtp::ServerConnection* connection_ = nullptr;
  Draft* draft_ = nullptr;  // during a transaction
  core::IpAddress client_;
  bool from_own_network_ = false;
  bool extended_ = false;
  io::TlsFacts tls_;
  bool waits_for_room_ = false;  // the answer to DATA
  ClientLogin login_;
  std::string helo_;
  std::string text_;       // of the reply in hand
  std::string recipient_;  // in a local domain, while it is asked for
  std::string orcpt_;      // and what it came with
  smtp::NotifyBits notify_ = 0;
  MailboxQuestion question_;
};

ShardReception::ShardReception(const ReceptionContext& context,
                               const core::ListenerConfig& listener)
    : context_(context), listener_(listener) {}

ShardReception::~ShardReception() { CHECK(sessions_ == 0); }

bool ShardReception::MayRelay(const core::IpAddress& client) const {
  if (listener_.is_unix()) return true;  // who may not cannot open it
  return std::any_of(listener_.relay_from.begin(), listener_.relay_from.end(),
                     [&client](const core::Network& network) { return network.Contains(client); });
}

smtp::Reception::Admission ShardReception::Admit(const core::SocketAddress& peer,
                                                 const core::SocketAddress&,
                                                 smtp::ServerConnection* connection) {
  context_.log->metrics().connections_in_total.Add();
  const ClientLimits::Admission admission = context_.clients->Admit(
      peer.ip, listener_.max_connections, listener_.max_connections_per_client);
  if (admission != ClientLimits::Admission::kAdmitted) {
    context_.log->metrics().connections_refused_total.Add();
    const char* why = admission == ClientLimits::Admission::kTooManyOfClient
                          ? "Too many connections from your address, try again later"
                          : "Too many connections, try again later";
    context_.log->Refused(peer.ip, "connection", why);
    return {nullptr, Reply{421, kTooManyConnections, why}};
  }
  context_.log->metrics().connections_in.Add();
  std::unique_ptr<Session> session;
  if (free_.empty()) {
    session = std::make_unique<Session>(this);
  } else {
    session = std::move(free_.back());
    free_.pop_back();
  }
  session->Open(peer, connection);
  ++sessions_;
  return {session.release(), {}};
}

void ShardReception::Free(Session* session) {
  CHECK(sessions_ > 0);
  --sessions_;
  std::unique_ptr<Session> owned(session);
  if (free_.size() < kWarmSessions) free_.push_back(std::move(owned));
}

}  // namespace outbox::queue
