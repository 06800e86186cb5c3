// Channel: one question on its way: server after server, by UDP and, where it must be, by TCP.
//
// A question is a sequence of *tries*. A try is one server and one socket: a UDP socket with a
// fresh source port and a fresh id, or a TCP connection. It ends with a reply, an error, or its
// time; then, when its operations are over and its socket is closed, comes what was decided: the
// next server, the same one without EDNS0 or by TCP, or the end. A server that has answered with an
// error is not asked again for this question; one that was silent is, with more patience, until
// limits.h kDnsQuestionNs have passed.
//
// Owned by the Transport and used again and again. Never calls the question's owner from inside of
// Start: what fails at once is gone on with by the timer.
#ifndef OUTBOX_DNS_CHANNEL_H_
#define OUTBOX_DNS_CHANNEL_H_

#include <sys/uio.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/limits.h"
#include "core/timer.h"
#include "dns/answer.h"
#include "dns/codec.h"
#include "dns/name_servers.h"
#include "dns/transport.h"
#include "io/connection.h"
#include "io/io.h"

namespace outbox::dns {

class Channel final : public io::Connection::Handler {
 public:
  explicit Channel(Transport* transport);
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // REQUIRES: idle.
  void Start(Question* question);
  // The question is forgotten. No effect when idle.
  void Abort();

  // The transport's: it has a question of that kind.
  bool patient = false;

  // io::Connection::Handler
  void OnBytes(std::span<char> bytes) override;
  void OnReceived(size_t size) override;
  void OnEndOfStream() override;
  void OnSent(size_t size) override;
  void OnError(int error) override;
  void OnClosed() override;

 private:
  // What comes when the present try is over.
  enum class After : uint8_t {
    kUndecided,  // the try goes on
    kNextServer,
    kSameServer,  // by UDP
    kTcp,         // the same server
    kFinish,
  };
  // A server, as this question has met it.
  struct Tried {
    std::string failure;  // the last one: "did not answer"
    bool given_up = false;
  };

  void NextServer();
  void Try();
  void TryUdp();
  void TryTcp();
  // The time limit of the present try.
  void SetTimer(int64_t limit_ns);
  size_t Encode(std::span<char> out);
  void ReceiveDatagram();
  // `bytes` came from the server. False: they have nothing to do with the question.
  bool Judge(std::span<const char> bytes);
  void OnServerError(const Reply& reply);
  // The present server is of no use for this question, or was not heard.
  void Fail(std::string what, bool give_up);
  void EndTry(After after);
  void GoOnIfJoined();
  void Finish();
  std::string Failure() const;
  int64_t now_ns() const { return transport_->io()->now_ns(); }

  void OnTimer();
  void OnDatagramSent(const io::OpResult& result);
  void OnDatagram(const io::OpResult& result);
  void OnConnected(const io::OpResult& result);

  Transport* const transport_;
  Question* question_ = nullptr;  // null: idle, or aborted
  bool busy_ = false;
  After after_ = After::kUndecided;
  QuestionResult result_;

  // The question's course.
  std::shared_ptr<NameServers> servers_;
  std::vector<uint8_t> order_;
  std::vector<Tried> tried_;  // by server
  size_t place_ = 0;          // in order_
  uint32_t round_ = 0;        // through the servers
  int64_t deadline_ns_ = 0;

  // The present try.
  uint8_t server_ = 0;
  bool edns_ = true;
  bool by_tcp_ = false;
  uint16_t id_ = 0;
  uint32_t mismatches_ = 0;
  io::Socket udp_ = io::kNoHandle;
  core::Timer timer_;
  io::Op send_;
  io::Op receive_;
  io::Op connect_;
  io::Connection connection_;
  iovec part_ = {};
  std::array<char, 2 + kQuestionBytesMax> request_ = {};
  std::array<char, core::kDnsDatagramBytes> datagram_ = {};
  std::string stream_;  // what came by TCP
};

}  // namespace outbox::dns

#endif  // OUTBOX_DNS_CHANNEL_H_
