#include "bench/smtp_peer.h"

namespace outbox::bench {
namespace {

// Of a line, as much as tells commands and the final dot apart.
constexpr size_t kLineStart = 8;

}  // namespace

void ClientPeer::Hear(std::string_view bytes) {
  for (const char c : bytes) {
    if (column_++ == 3) last_line_ = c != '-';
    if (c != '\n') continue;
    column_ = 0;
    if (last_line_) OnReply();
  }
}

void ClientPeer::OnReply() {
  switch (step_) {
    case Step::kGreeting:
      say += "EHLO client.example.org\r\n";
      step_ = Step::kHello;
      return;
    case Step::kHello:
    case Step::kFinalDot:
      step_ = Step::kIdle;
      return Go();
    case Step::kMail:
      step_ = Step::kRcpt;
      return;
    case Step::kRcpt:
      step_ = Step::kData;
      return;
    case Step::kData:
      say += *wire_;
      step_ = Step::kFinalDot;
      return;
    case Step::kIdle:
      return;  // 421: the relay stops
  }
}

void ClientPeer::Go() {
  if (step_ != Step::kIdle) return;
  const std::string_view recipient = next_recipient_();
  if (recipient.empty()) return;
  say += "MAIL FROM:<sender@example.org>\r\nRCPT TO:<";
  say += recipient;
  say += ">\r\nDATA\r\n";
  step_ = Step::kMail;
}

void ServerPeer::Hear(std::string_view bytes) {
  for (const char c : bytes) {
    if (column_++ < kLineStart) line_ += c;
    if (c != '\n') continue;
    OnLine();
    line_.clear();
    column_ = 0;
  }
}

void ServerPeer::OnLine() {
  if (in_data_) {
    if (line_ != ".\r\n") return;
    in_data_ = false;
    ++*messages_;
    say += "250 2.0.0 Ok: queued as 4Abcdef\r\n";
  } else if (line_.starts_with("EHLO")) {
    say += "250-mx.example.com\r\n250-PIPELINING\r\n250-SIZE 10000000\r\n250 8BITMIME\r\n";
  } else if (line_.starts_with("DATA")) {
    in_data_ = true;
    say += "354 End data with <CR><LF>.<CR><LF>\r\n";
  } else if (line_.starts_with("QUIT")) {
    say += "221 2.0.0 Bye\r\n";
  } else {
    say += "250 2.1.0 Ok\r\n";
  }
}

}  // namespace outbox::bench
