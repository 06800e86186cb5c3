// RawHost: somebody who listens at an address of a simulated world and follows no protocol.
//
// For hosts that no table of replies describes (ScriptedServer has those): the test says what is
// done with a connection and with what comes in over it.
#ifndef OUTBOX_TESTS_SIMULATION_RAW_HOST_H_
#define OUTBOX_TESTS_SIMULATION_RAW_HOST_H_

#include <functional>
#include <memory>
#include <vector>

#include "core/check.h"
#include "core/ip_address.h"
#include "io/sim_io.h"
#include "io/sim_world.h"
#include "tests/simulation/line_peer.h"

namespace outbox::simulation {

class RawHost {
 public:
  // Called when a connection is there and whenever something has come in.
  using Manners = std::function<void(LinePeer* peer, bool greeting)>;

  // Listens at once. The Io must be abandoned before this is destroyed.
  RawHost(io::SimIo* io, const core::SocketAddress& address, Manners manners)
      : io_(io), manners_(std::move(manners)), listener_(io->Listen(address, false).value()) {
    accept_.Bind<&RawHost::OnAccept>(this);
    io_->Accept(&accept_, listener_);
  }
  RawHost(const RawHost&) = delete;
  RawHost& operator=(const RawHost&) = delete;

  // Connections, ever, and those that are open.
  size_t sessions() const { return peers_.size(); }
  size_t open() const {
    size_t open = 0;
    for (const auto& peer : peers_) open += !peer->gone();
    return open;
  }

  // Says the text in pieces of so many octets, one each `every_ns`; for ever if `again`.
  void Drip(LinePeer* peer, std::string text, size_t piece, int64_t every_ns, bool again) {
    if (peer->closing()) return;
    peer->Write(text.substr(0, piece));
    std::string rest = text.substr(std::min(piece, text.size()));
    if (again) rest += text.substr(0, piece);
    if (rest.empty()) return;
    io_->world()->Schedule(every_ns, [=, this] { Drip(peer, rest, piece, every_ns, again); });
  }

 private:
  void OnAccept(const io::OpResult& result) {
    if (result.result >= 0) {
      const size_t index = peers_.size();
      peers_.push_back(nullptr);
      peers_[index] = std::make_unique<LinePeer>(
          io_, result.result, [this, index] { manners_(peers_[index].get(), false); },
          [this, index](int) { peers_[index]->Close(false); });
      manners_(peers_[index].get(), true);
    }
    if (!result.more) io_->Accept(&accept_, listener_);
  }

  io::SimIo* const io_;
  const Manners manners_;
  io::Socket listener_;
  io::Op accept_;
  std::vector<std::unique_ptr<LinePeer>> peers_;  // stay until the end: something may be scheduled
};

}  // namespace outbox::simulation

#endif  // OUTBOX_TESTS_SIMULATION_RAW_HOST_H_
