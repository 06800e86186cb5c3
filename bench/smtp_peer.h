// SmtpPeer: the other end of a connection of PeerIo: a client that sends one message after the
// other, or a server that takes them all. They speak by heart, and trust what they hear.
#ifndef OUTBOX_BENCH_SMTP_PEER_H_
#define OUTBOX_BENCH_SMTP_PEER_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace outbox::bench {

class SmtpPeer {
 public:
  virtual ~SmtpPeer() = default;
  // The relay has sent this. What is to be said goes to `say`.
  virtual void Hear(std::string_view bytes) = 0;

  std::string say;  // not sent yet
};

// Pipelines its envelope, waits for 354, sends the body, waits for 250. When next_recipient says ""
// it waits until Go.
class ClientPeer : public SmtpPeer {
 public:
  using NextRecipient = std::function<std::string_view()>;
  ClientPeer(const std::string* wire, NextRecipient next_recipient)
      : wire_(wire), next_recipient_(std::move(next_recipient)) {}

  void Hear(std::string_view bytes) override;
  // Sends again, if it has nothing in hand.
  void Go();
  bool waiting() const { return step_ == Step::kIdle; }

 private:
  enum class Step : uint8_t { kGreeting, kHello, kMail, kRcpt, kData, kFinalDot, kIdle };
  void OnReply();

  const std::string* const wire_;
  const NextRecipient next_recipient_;
  Step step_ = Step::kGreeting;
  size_t column_ = 0;
  bool last_line_ = false;  // of a reply
};

class ServerPeer : public SmtpPeer {
 public:
  explicit ServerPeer(uint64_t* messages) : messages_(messages) {
    say = "220 mx.example.com ESMTP\r\n";
  }

  void Hear(std::string_view bytes) override;

 private:
  void OnLine();

  uint64_t* const messages_;  // that were taken, by all
  bool in_data_ = false;
  std::string line_;  // its first octets
  size_t column_ = 0;
};

}  // namespace outbox::bench

#endif  // OUTBOX_BENCH_SMTP_PEER_H_
