// ClientRun: drives an smtp::ClientSession as its driver does, without a connection, and writes
// down what happened.
#ifndef OUTBOX_TESTS_SMTP_CLIENT_RUN_H_
#define OUTBOX_TESTS_SMTP_CLIENT_RUN_H_

#include <algorithm>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/check.h"
#include "smtp/client_session.h"
#include "tests/smtp/naive_body.h"

namespace outbox::smtp {

struct TestMessage {
  std::string reverse_path;
  std::vector<std::string> recipients;
  std::string body;  // wire form
  uint64_t size = 0;
  bool eight_bit = false;
  bool verify_only = false;
  bool by_data = false;
  bool patient = false;
  bool utf8_address = false;
  bool utf8_header = false;
  // RFC 3461; of all recipients, or none.
  DsnReturn ret = DsnReturn::kUnspecified;
  std::string envid = {};
  std::vector<RecipientDsn> dsn = {};
};

class ClientRun {
 public:
  explicit ClientRun(TlsUse tls = TlsUse::kOff, const ClientCredentials* credentials = nullptr)
      : tls_(tls), credentials_(credentials), session_(options, tls, credentials) {}

  // Feeds what a server says in pieces of `piece` octets; sends behind each piece.
  void Serve(std::string_view bytes, size_t piece = SIZE_MAX) {
    Begin();
    for (size_t pos = 0; pos < bytes.size(); pos += std::min(piece, bytes.size() - pos)) {
      std::string_view input = bytes.substr(pos, piece);
      Pump(&input);
    }
  }
  void Greet(const std::string& greeting, const std::string& hello) {
    Serve(greeting);
    Serve(hello);
    CHECK(sent.starts_with(options.lmtp ? "LHLO client.example.org\r\n"
                                        : "EHLO client.example.org\r\n"));
    sent.erase(0, sizeof("EHLO client.example.org\r\n") - 1);
  }
  void Quit() {
    session_.Quit();
    std::string_view nothing;
    Pump(&nothing);
  }
  void Abandon(SessionEnd end) {
    session_.Abandon(end);
    std::string_view nothing;
    Pump(&nothing);
  }
  // Everything sent since the last call.
  std::string TakeSent() { return std::exchange(sent, std::string()); }
  ClientSession& session() {
    Begin();
    return session_;
  }

  ClientSessionOptions options{"client.example.org"};
  std::vector<TestMessage> messages;  // begun one after another, as soon as the session takes one
  bool hold_bodies = false;           // kSendBody is not followed
  bool shake_hands = true;            // when kStartTls says so
  std::string sent;
  std::vector<std::string> events;
  // Whether recipient r of message m was delivered, and how many results it got.
  std::vector<std::vector<int>> results;
  std::vector<std::vector<bool>> delivered;
  bool ended = false;
  bool heard_dsn = false;  // DSN was offered, at some time

 private:
  void Pump(std::string_view* input) {
    using Kind = ClientSession::EventKind;
    while (!ended) {
      const ClientSession::Event event = session_.Next(input);
      if (event.kind == Kind::kNeedBytes) {
        if (!Send()) break;
        continue;
      }
      OnEvent(event);
    }
  }

  void OnEvent(const ClientSession::Event& event) {
    using Kind = ClientSession::EventKind;
    const std::string slot = std::to_string(event.transaction);
    switch (event.kind) {
      case Kind::kReady:
        events.push_back("ready");
        break;
      case Kind::kStartTls:  // the handshake takes no time
        events.push_back("tls");
        if (shake_hands) session_.Secured();
        break;
      case Kind::kSendBody:
        events.push_back("body " + slot);
        if (hold_bodies) break;
        sent += session_.by_bdat(event.transaction)
                    ? NaiveUnstuffed(messages[in_slot_[event.transaction]].body)
                    : messages[in_slot_[event.transaction]].body;
        session_.BodyQueued(event.transaction);
        break;
      case Kind::kResult: {
        events.push_back(slot + "/" + std::to_string(event.recipient) + Describe(event.result));
        const size_t message = in_slot_[event.transaction];
        ++results[message][event.recipient];
        delivered[message][event.recipient] = event.result.delivered();
        break;
      }
      case Kind::kTransactionDone:
        events.push_back("done " + slot);
        break;
      default: {
        ended = true;
        const std::string why = Describe(event.result);
        events.push_back(std::string("end ") + SessionEndName(event.end) +
                         (event.end == SessionEnd::kQuit ? "" : ":" + why));
      }
    }
  }

  // " 550 5.1.1 text (RCPT)"; texts of our own only for a session's end.
  static std::string Describe(const RecipientResult& result) {
    std::string out;
    if (result.kind == ResultKind::kLost) out += " lost";
    if (result.kind == ResultKind::kAnew) out += " anew";
    if (result.kind == ResultKind::kTooLarge) out += " too large";
    if (result.kind == ResultKind::kNeeds8BitMime) out += " needs 8BITMIME";
    if (result.kind == ResultKind::kNeedsSmtpUtf8) out += " needs SMTPUTF8";
    if (result.reply.code != 0) out += " " + std::to_string(result.reply.code);
    const EnhancedCode& code = result.reply.enhanced;
    if (!code.empty()) {
      out += " " + std::to_string(code.status_class) + "." + std::to_string(code.subject) + "." +
             std::to_string(code.detail);
    }
    if (result.reply.code != 0 || result.kind == ResultKind::kReply) {
      out += " " + std::string(result.reply.text);
    }
    out += " (" + std::string(StageName(result.stage)) + ")";
    if (result.kind == ResultKind::kTryNext) out += " try next";
    if (result.told_dsn) out += " told";
    return out;
  }

  // True when something was begun or sent, so that Next has to be asked again.
  bool Send() {
    bool more = false;
    heard_dsn = heard_dsn || session_.offers_dsn();
    while (next_ < messages.size() && session_.CanBegin()) {
      const TestMessage& message = messages[next_];
      keep_.emplace_back(message.recipients.begin(), message.recipients.end());
      const uint64_t size = message.size > 0 ? message.size : NaiveUnstuffed(message.body).size();
      keep_dsn_.push_back({message.ret, message.envid, message.dsn});
      const int slot = session_.BeginTransaction(
          {message.reverse_path, keep_.back(), size, message.eight_bit, message.verify_only,
           message.by_data, message.patient, message.utf8_address, message.utf8_header,
           message.dsn.empty() ? nullptr : &keep_dsn_.back()});
      in_slot_[slot] = next_++;
      results.emplace_back(message.recipients.size());
      delivered.emplace_back(message.recipients.size());
      more = true;
    }
    char memory[core::kClientAuthMax];
    bool again = true;
    while (again) {
      OutputBuffer out{memory};
      again = session_.Write(&out);
      sent += out.written();
      more = more || (session_.offers_chunking() && !out.empty());  // a body may be due
    }
    return more;
  }

  // With what the test has set meanwhile.
  void Begin() {
    if (!std::exchange(begun_, true)) session_ = ClientSession(options, tls_, credentials_);
  }

  const TlsUse tls_;
  const ClientCredentials* const credentials_;
  bool begun_ = false;
  ClientSession session_;
  size_t next_ = 0;
  size_t in_slot_[ClientSession::kSlots] = {};
  std::deque<std::vector<std::string_view>> keep_;  // the envelopes' views
  std::deque<EnvelopeDsn> keep_dsn_;
};

}  // namespace outbox::smtp

#endif  // OUTBOX_TESTS_SMTP_CLIENT_RUN_H_
