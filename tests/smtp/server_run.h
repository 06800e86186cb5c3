// ServerRun: drives an smtp::ServerSession as its driver does, without a connection, and writes
// down what happened.
#ifndef OUTBOX_TESTS_SMTP_SERVER_RUN_H_
#define OUTBOX_TESTS_SMTP_SERVER_RUN_H_

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "core/check.h"
#include "smtp/server_session.h"

namespace outbox::smtp {

class ServerRun {
 public:
  explicit ServerRun(const ServerSessionOptions* options) : session_(options) {}

  void Start() {
    session_.Start(&out_);
    Flush();
  }

  // Feeds all of `bytes` in pieces of `piece` octets, until the session closes.
  void Feed(std::string_view bytes, size_t piece = SIZE_MAX) {
    for (size_t pos = 0; pos < bytes.size() && !closed;
         pos += std::min(piece, bytes.size() - pos)) {
      FeedPiece(bytes.substr(pos, piece));
    }
  }

  ServerSession& session() { return session_; }

  // What the run has led to.
  std::string output;                 // everything that the client was sent
  int sends = 0;                      // in how many pieces
  std::vector<std::string> events;    // "MAIL <a@b.c>", "ABORT", ...
  std::vector<std::string> messages;  // committed, in wire form
  BodySummary last_body;
  bool closed = false;

  // What the driver answers: 4xx and 5xx by the address, else yes.
  Reply commit_reply{250, {2, 0, 0}, "Queued"};
  Reply data_reply{354, {}, "Go on"};

 private:
  static Reply Decide(const Path& path, std::string_view yes) {
    if (path.local.starts_with("refused")) return {550, {5, 7, 1}, "Not this one"};
    if (path.local.starts_with("later")) return {450, {4, 2, 1}, "Try later"};
    if (path.local.starts_with("closing")) return {421, {4, 3, 2}, "Stopping"};
    return {250, {2, 1, 0}, yes};
  }

  void FeedPiece(std::string_view input) {
    while (true) {
      ServerSession::Step step = session_.Next(&input, &out_);
      bool answered = false;
      while (session_.phase() == ServerSession::Phase::kAnswer) {
        step = Answer(step);
        answered = true;
      }
      using Step = ServerSession::Step;
      if (step == Step::kFlush) Flush();
      if (step == Step::kHello) Note("HELLO " + std::string(session_.command().argument));
      if (step == Step::kBody) body_ += session_.chunk();
      if (step == Step::kHello) {
        open_ = false;
        body_.clear();
      }
      // A session that closes forgets what was open, as kAbort does.
      if (step == Step::kAbort || (step == Step::kClose && open_)) {
        Note("ABORT");
        open_ = false;
        body_.clear();
      }
      if (step == Step::kStartTls) {
        CHECK(input.empty() && !open_);
        Note("TLS");
        Flush();
        session_.Secured();
      }
      if (step == Step::kClose) {
        closed = true;
        CHECK(session_.phase() == ServerSession::Phase::kClosed);
      }
      if (closed || (step == Step::kNeedBytes && input.empty() && !answered)) break;
    }
    Flush();
  }

  ServerSession::Step Answer(ServerSession::Step asked) {
    using Step = ServerSession::Step;
    const Command& command = session_.command();
    if (out_.room() < core::kSmtpReplyRoom) Flush();
    if (asked == Step::kAskMail) {
      Note("MAIL <" + std::string(command.path.mailbox) + ">");
      const Reply reply = Decide(command.path, "Sender ok");
      open_ = reply.code == 250;
      return session_.Answer(reply, &out_);
    }
    if (asked == Step::kAskRcpt) {
      Note("RCPT <" + std::string(command.path.mailbox) + ">");
      return session_.Answer(Decide(command.path, "Recipient ok"), &out_);
    }
    if (asked == Step::kAskAuth) return AnswerAuth();
    if (asked == Step::kAskData) {
      Note("DATA");
      return session_.Answer(data_reply, &out_);
    }
    CHECK(asked == Step::kEndOfBody);
    last_body = session_.body();
    CHECK(last_body.wire_bytes == body_.size());
    Note("COMMIT");
    open_ = false;
    if (commit_reply.code == 250) messages.push_back(body_);
    body_.clear();
    return session_.Answer(commit_reply, &out_);
  }

  // Everybody's password is "secret"; some are answered in another way, with it or without.
  ServerSession::Step AnswerAuth() {
    const Credentials given = session_.credentials();
    CHECK(!open_ && !given.user.empty() && !given.password.empty());
    CHECK(given.user.size() <= core::kAuthUserBytes);
    CHECK(given.password.size() <= core::kAuthPasswordBytes);
    Note("AUTH " + std::string(core::AuthMechanismName(given.mechanism)) + " " +
         std::string(given.user));
    const bool right = given.password == "secret";
    const bool busy = given.user.starts_with("busy");
    const bool refused = given.user.starts_with("barred");
    session_.ForgetSecrets();
    if (busy) return session_.Answer({454, {4, 7, 0}, "Busy"}, &out_);
    if (refused) return session_.Answer({421, {4, 7, 0}, "Refused. Closing"}, &out_);
    if (!right) return session_.Answer({535, {5, 7, 8}, "Wrong"}, &out_);
    return session_.Answer({235, {2, 7, 0}, "Welcome"}, &out_);
  }

  void Note(std::string event) { events.push_back(std::move(event)); }

  void Flush() {
    if (out_.empty()) return;
    ++sends;
    output += out_.written();
    out_.Clear();
  }

  ServerSession session_;
  std::string body_;
  bool open_ = false;  // a transaction
  char memory_[2048];
  OutputBuffer out_{memory_};
};

}  // namespace outbox::smtp

#endif  // OUTBOX_TESTS_SMTP_SERVER_RUN_H_
