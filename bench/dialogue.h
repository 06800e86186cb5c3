// Both sides of a dialogue, each driven alone: a server session whose driver says yes to
// everything, a client session whose server does.
#ifndef OUTBOX_BENCH_DIALOGUE_H_
#define OUTBOX_BENCH_DIALOGUE_H_

#include <optional>
#include <string>
#include <string_view>

#include "bench/sample_mail.h"
#include "core/check.h"
#include "smtp/client_session.h"
#include "smtp/server_session.h"

namespace outbox::bench {

class ServerDialogue {
 public:
  ServerDialogue() { Begin(); }

  // Another session, greeted.
  void Begin() {
    session_.emplace(Options());
    out_.Clear();
    session_->Start(&out_);
    Hear("EHLO client.example.org\r\n");
  }
  // Returns the messages that were committed meanwhile.
  int Hear(std::string_view input) {
    using Step = smtp::ServerSession::Step;
    out_.Clear();
    int committed = 0;
    while (true) {
      const Step step = session_->Next(&input, &out_);
      if (step == Step::kNeedBytes || step == Step::kClose) return committed;
      if (step == Step::kFlush) out_.Clear();
      if (session_->phase() != smtp::ServerSession::Phase::kAnswer) continue;
      committed += step == Step::kEndOfBody;
      const bool data = step == Step::kAskData;
      session_->Answer(data ? smtp::Reply{354, {}, "Go on"} : smtp::Reply{250, {2, 0, 0}, "Ok"},
                       &out_);
    }
  }

 private:
  static const smtp::ServerSessionOptions* Options() {
    static const smtp::ServerSessionOptions* const options = [] {
      auto* made = new smtp::ServerSessionOptions;
      made->hostname = "relay.example.com";
      return made;
    }();
    return options;
  }

  char memory_[4096];
  smtp::OutputBuffer out_{memory_};
  std::optional<smtp::ServerSession> session_;
};

class ClientDialogue {
 public:
  ClientDialogue() : session_(options_) { Begin(); }
  ClientDialogue(const ClientDialogue&) = delete;
  ClientDialogue& operator=(const ClientDialogue&) = delete;

  // Another session, greeted; the first transaction's envelope is written.
  void Begin() {
    session_ = smtp::ClientSession(options_);
    Hear("220 mx.example.com ESMTP\r\n");
    Say();
    Hear("250-mx.example.com\r\n250-PIPELINING\r\n250-SIZE 10000000\r\n250 8BITMIME\r\n");
    Envelope();
  }
  // The message in hand is sent and taken; `next`: with the envelope of another one behind it.
  void Message(bool next) {
    Hear("250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 End data with <CR><LF>.<CR><LF>\r\n");
    if (next) Envelope();
    Hear("250 2.0.0 Ok: queued as 4Abcdef\r\n");
    CHECK(session_.busy() == next);
  }
  void Quit() {
    session_.Quit();
    Say();
    Hear("221 2.0.0 Bye\r\n");
    CHECK(session_.ended());
  }

 private:
  void Envelope() {
    session_.BeginTransaction(envelope_);
    Say();
  }
  void Say() {
    out_.Clear();
    session_.Write(&out_);
  }
  void Hear(std::string_view replies) {
    using Kind = smtp::ClientSession::EventKind;
    while (true) {
      const smtp::ClientSession::Event event = session_.Next(&replies);
      if (event.kind == Kind::kNeedBytes || event.kind == Kind::kEnded) return;
      if (event.kind == Kind::kSendBody) session_.BodyQueued(event.transaction);
    }
  }

  const smtp::ClientSessionOptions options_{"client.example.org"};
  const smtp::ClientEnvelope envelope_{kSender, {&kRecipient, 1}, 4096, false};
  char memory_[4096];
  smtp::OutputBuffer out_{memory_};
  smtp::ClientSession session_;
};

}  // namespace outbox::bench

#endif  // OUTBOX_BENCH_DIALOGUE_H_
