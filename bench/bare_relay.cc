// A relay without anything that makes it one: it speaks the dialogue of smtp_source and smtp_sink,
// hands each message from the one to the other over the same Io as the product, and does nothing
// else. No disk, no queue, no limits, no time limits; what does not fit into its buffers, or is
// refused, ends it. What the product costs above it is the product's; what it costs itself is the
// kernel's price of six sends and six receives a message.
//
//   bare_relay PORT SINK_PORT
//
// Listens at 127.0.0.1:PORT, beside others like it, until a signal ends it, two minutes at most,
// and sends what is for domain number N to 127.1.(N / 250).(N % 250 + 1):SINK_PORT, where
// bench/relay --hosts has it.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/check.h"
#include "core/ip_address.h"
#include "core/time.h"
#include "io/uring_io.h"

namespace outbox::bench {
namespace {

constexpr uint64_t kSocketsMax = 12'000;
constexpr unsigned kSecondsMax = 120;
constexpr size_t kBodyBytes = (1 << 20) + 64 * 1024;  // at most; what is not used is never touched
constexpr std::string_view kBodyEnd = "\r\n.\r\n";
constexpr size_t kDomainsAStep = 250;  // of the third octet of their addresses

core::SocketAddress Address(const std::string& host, uint16_t port) {
  const core::Result<core::SocketAddress> address = core::SocketAddress::Parse(host, port);
  CHECK(address.ok());
  return *address;
}

core::SocketAddress AddressOf(size_t domain, uint16_t port) {
  return Address("127.1." + std::to_string(domain / kDomainsAStep) + "." +
                     std::to_string(domain % kDomainsAStep + 1),
                 port);
}

// Bodies are received into memory that is used again and again, and sent from there.
class Bodies {
 public:
  char* Take() {
    if (free_.empty()) {
      all_.push_back(std::make_unique_for_overwrite<char[]>(kBodyBytes));
      free_.push_back(all_.back().get());
    }
    char* body = free_.back();
    free_.pop_back();
    return body;
  }
  void Return(char* body) { free_.push_back(body); }

 private:
  std::vector<std::unique_ptr<char[]>> all_;
  std::vector<char*> free_;
};

struct Mail {
  std::string envelope;  // MAIL, RCPT, DATA
  char* body = nullptr;
  size_t body_bytes = 0;
};

// A connection to one domain's host: one message after the other.
class Outward {
 public:
  Outward(io::Io* io, Bodies* bodies, size_t domain, uint16_t port)
      : io_(io), bodies_(bodies), peer_(AddressOf(domain, port)) {
    connect_.Bind<&Outward::OnConnected>(this);
    receive_.Bind<&Outward::OnReceived>(this);
    send_.Bind<&Outward::OnSent>(this);
  }

  void Add(Mail mail) {
    waiting_.push_back(std::move(mail));
    if (step_ == Step::kClosed) {
      step_ = Step::kGreeting;
      io_->Connect(&connect_, peer_, nullptr);
    } else if (step_ == Step::kIdle) {
      Next();
    }
  }

 private:
  enum class Step { kClosed, kGreeting, kEhlo, kIdle, kEnvelope, kBody };

  void Next() {
    step_ = Step::kIdle;
    if (waiting_.empty() || send_.in_flight) return;
    mail_ = std::move(waiting_.front());
    waiting_.pop_front();
    replies_ = 3;
    step_ = Step::kEnvelope;
    Say(mail_.envelope);
  }

  void Say(std::string_view text) {
    part_ = {const_cast<char*>(text.data()), text.size()};
    io_->Send(&send_, socket_, std::span<const iovec>(&part_, 1));
  }

  void OnConnected(const io::OpResult& result) {
    CHECK(result.result >= 0);
    socket_ = result.result;
    io_->Recv(&receive_, socket_);
  }

  void OnReceived(const io::OpResult& result) {
    if (result.result <= 0) return;  // the end of the measurement
    size_t ends = 0;                 // of replies
    const std::string_view text(result.data.data(), result.data.size());
    for (size_t at = 0, end = 0; (end = text.find('\n', at)) != std::string_view::npos;) {
      ends += text.size() - at < 4 || text[at + 3] != '-' ? 1 : 0;
      at = end + 1;
    }
    io_->ReturnBuffer(result.buffer);
    io_->Recv(&receive_, socket_);
    if (step_ == Step::kGreeting) {
      step_ = Step::kEhlo;
      Say("EHLO bare.bench.test\r\n");
    } else if (step_ == Step::kEhlo && ends > 0) {
      Next();
    } else if (step_ == Step::kEnvelope) {
      replies_ -= std::min(ends, replies_);
      if (replies_ > 0) return;
      step_ = Step::kBody;
      Say({mail_.body, mail_.body_bytes});
    } else if (step_ == Step::kBody) {
      Done();
    }
  }

  void OnSent(const io::OpResult&) {
    if (step_ == Step::kIdle) Done();
  }

  // The host has said 250, and the kernel that it has all of it.
  void Done() {
    step_ = Step::kIdle;
    if (send_.in_flight) return;
    if (mail_.body != nullptr) bodies_->Return(std::exchange(mail_.body, nullptr));
    Next();
  }

  io::Io* const io_;
  Bodies* const bodies_;
  const core::SocketAddress peer_;
  io::Op connect_, receive_, send_;
  iovec part_ = {};
  io::Socket socket_ = io::kNoHandle;
  Step step_ = Step::kClosed;
  size_t replies_ = 0;
  Mail mail_;
  std::deque<Mail> waiting_;
};

class Relay {
 public:
  Relay(io::Io* io, uint16_t sink_port) : io_(io), sink_port_(sink_port) {}

  Bodies* bodies() { return &bodies_; }

  void Take(size_t domain, Mail mail) {
    std::unique_ptr<Outward>& outward = outward_[domain];
    if (outward == nullptr) outward = std::make_unique<Outward>(io_, &bodies_, domain, sink_port_);
    outward->Add(std::move(mail));
  }

 private:
  io::Io* const io_;
  const uint16_t sink_port_;
  Bodies bodies_;
  std::map<size_t, std::unique_ptr<Outward>> outward_;
};

// A client that waits for each reply.
class Inward {
 public:
  Inward(io::Io* io, Relay* relay, io::Socket socket) : io_(io), relay_(relay), socket_(socket) {
    receive_.Bind<&Inward::OnReceived>(this);
    content_.Bind<&Inward::OnContent>(this);
    send_.Bind<&Inward::OnSent>(this);
    Say("220 bare.bench.test\r\n");
    io_->Recv(&receive_, socket_);
  }

 private:
  void Say(std::string_view text) {
    CHECK(!send_.in_flight);
    part_ = {const_cast<char*>(text.data()), text.size()};
    io_->Send(&send_, socket_, std::span<const iovec>(&part_, 1));
  }

  void OnReceived(const io::OpResult& result) {
    if (result.result <= 0) return;
    if (mail_.body != nullptr) {
      std::memcpy(mail_.body + mail_.body_bytes, result.data.data(), result.data.size());
      io_->ReturnBuffer(result.buffer);
      return Grow(result.data.size());
    }
    const std::string line(result.data.data(), result.data.size());
    io_->ReturnBuffer(result.buffer);
    const bool data = line.starts_with("DATA");
    if (line.starts_with("EHLO")) {
      io_->Recv(&receive_, socket_);
      return Say("250-bare.bench.test\r\n250 SIZE\r\n");
    }
    if (line.starts_with("MAIL")) {
      mail_.envelope.clear();
      large_ = line.find(" SIZE=") != std::string::npos;
    }
    mail_.envelope += line;
    if (line.starts_with("RCPT")) {
      domain_ = std::strtoull(line.c_str() + line.find("@d") + 2, nullptr, 10);
    }
    if (!data) {
      if (line.starts_with("QUIT")) return Say("221 2.0.0 Bye\r\n");
      io_->Recv(&receive_, socket_);
      return Say("250 2.0.0 Ok\r\n");
    }
    mail_.body = relay_->bodies()->Take();
    mail_.body_bytes = 0;
    ReceiveBody();
    Say("354 Go on\r\n");
  }

  // As the product does: what is short comes as commands do, what is long into its place at once.
  void ReceiveBody() {
    CHECK(mail_.body_bytes < kBodyBytes);
    if (!large_) return io_->Recv(&receive_, socket_);
    io_->RecvInto(&content_, socket_, std::span(mail_.body, kBodyBytes).subspan(mail_.body_bytes));
  }

  void OnContent(const io::OpResult& result) {
    if (result.result > 0) Grow(static_cast<size_t>(result.result));
  }

  void Grow(size_t bytes) {
    mail_.body_bytes += bytes;
    if (!std::string_view(mail_.body, mail_.body_bytes).ends_with(kBodyEnd)) return ReceiveBody();
    relay_->Take(domain_, std::exchange(mail_, Mail()));
    io_->Recv(&receive_, socket_);
    Say("250 2.0.0 Ok\r\n");
  }

  void OnSent(const io::OpResult&) {}

  io::Io* const io_;
  Relay* const relay_;
  const io::Socket socket_;
  io::Op receive_, content_, send_;
  iovec part_ = {};
  size_t domain_ = 0;
  bool large_ = false;  // the message that comes
  Mail mail_;
};

class Door {
 public:
  Door(io::Io* io, Relay* relay, io::Socket listener) : io_(io), relay_(relay) {
    accept_.Bind<&Door::OnAccepted>(this);
    io_->Accept(&accept_, listener);
  }

 private:
  void OnAccepted(const io::OpResult& result) {
    if (result.result < 0) return;
    clients_.push_back(std::make_unique<Inward>(io_, relay_, result.result));
  }

  io::Io* const io_;
  Relay* const relay_;
  io::Op accept_;
  std::vector<std::unique_ptr<Inward>> clients_;
};

int Run(uint16_t port, uint16_t sink_port) {
  io::UringOptions options;
  options.buffer_count = 512;
  core::Status status = io::UringIo::ReserveOpenFiles(kSocketsMax);
  std::unique_ptr<io::UringIo> io;
  io::Socket listener = io::kNoHandle;
  if (status.ok()) {
    core::Result<std::unique_ptr<io::UringIo>> made = io::UringIo::Create(options);
    status = made.status();
    if (made.ok()) io = std::move(*made);
  }
  if (status.ok()) {
    const core::Result<io::Socket> made = io->Listen(Address("127.0.0.1", port), true);
    status = made.status();
    if (made.ok()) listener = *made;
  }
  if (!status.ok()) {
    std::fprintf(stderr, "bare_relay: %s\n", status.ToString().c_str());
    return 1;
  }
  Relay relay(io.get(), sink_port);
  Door door(io.get(), &relay, listener);
  std::printf("bare_relay ready\n");
  std::fflush(stdout);
  alarm(kSecondsMax);
  while (true) {
    io->PrepareToSleep();
    io->Turn(core::kNever);
  }
}

}  // namespace
}  // namespace outbox::bench

int main(int argc, char** argv) {
  const long port = argc == 3 ? std::strtol(argv[1], nullptr, 10) : 0;
  const long sink_port = argc == 3 ? std::strtol(argv[2], nullptr, 10) : 0;
  if (port <= 0 || port > UINT16_MAX || sink_port <= 0 || sink_port > UINT16_MAX) {
    std::fprintf(stderr, "usage: bare_relay PORT SINK_PORT\n");
    return 2;
  }
  return outbox::bench::Run(static_cast<uint16_t>(port), static_cast<uint16_t>(sink_port));
}
