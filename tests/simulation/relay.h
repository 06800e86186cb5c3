// Relay: what is under test in a simulation, as its outside sees it.
//
// A relay lives on node 0 of a world, on that node's disk, and is driven by the SimIo that it
// makes. It can die at any moment and is started again on what its disk holds.
#ifndef OUTBOX_TESTS_SIMULATION_RELAY_H_
#define OUTBOX_TESTS_SIMULATION_RELAY_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/ip_address.h"
#include "core/time.h"
#include "io/sim_world.h"

namespace outbox::simulation {

struct TakenMessage;

inline constexpr int kRelayNode = 0;

// A static route: mail for this domain goes to these hosts, in order.
struct RelayRoute {
  std::string domain;
  std::vector<core::SocketAddress> hosts;
};

struct RelayOptions {
  core::SocketAddress listen;
  std::string hostname = "relay.example";
  std::string spool = "/spool";
  int shards = 1;
  std::vector<RelayRoute> routes;
  int64_t retry_ns = core::kNsPerMinute;
  int64_t notify_ns = core::kNever;
  int64_t expire_ns = core::kNsPerHour;
  uint32_t connections_max = 20;          // per site
  uint32_t connections_out = UINT32_MAX;  // per shard, to all sites
};

// In recipients, since the start.
struct RelayCounters {
  uint64_t recovered = 0;  // found on the disk at the start
  uint64_t accepted = 0;
  uint64_t generated = 0;
  uint64_t delivered = 0;
  uint64_t bounced = 0;
  uint64_t expired = 0;
  uint64_t discarded = 0;
  uint64_t removed = 0;
  uint64_t queued = 0;

  bool AddUp() const {
    return recovered + accepted + generated ==
           delivered + bounced + expired + discarded + removed + queued;
  }
  std::string ToString() const {
    return "recovered " + std::to_string(recovered) + " + accepted " + std::to_string(accepted) +
           " + generated " + std::to_string(generated) + ", delivered " +
           std::to_string(delivered) + " + bounced " + std::to_string(bounced) + " + expired " +
           std::to_string(expired) + " + discarded " + std::to_string(discarded) + " + removed " +
           std::to_string(removed) + " + queued " + std::to_string(queued);
  }
};

class Relay {
 public:
  virtual ~Relay() = default;

  // Comes up on whatever the disk holds. REQUIRES: not running.
  virtual void Start() = 0;
  // It has recovered and listens.
  virtual bool ready() const = 0;
  // SimWorld::Crash or Kill has ended it: destroys everything, as the end of a process does.
  virtual void Vanish() = 0;
  // Begins an orderly stop; stopped() when it has come to its end.
  virtual void Stop() = 0;
  virtual bool stopped() const = 0;

  virtual RelayCounters Counters() const = 0;
  // The longest time from a peer's 250 to the commit of it: a death in it may cause a duplicate.
  virtual int64_t commit_ns() const = 0;
  // --- What an operator does to it. REQUIRES: ready(). Answers come later, or never if it dies.
  // --- False: nobody can, and nobody does.
  // Addresses that its mail leaves from, each with connections of its own.
  virtual size_t sources() const { return 1; }

  virtual bool has_operator() const { return false; }
  // Mail for the domain, or all for "", goes now.
  virtual void Retry(const std::string& /*domain*/) {}
  // Mail for the domain, or all for "", stays until Release.
  virtual void Hold(const std::string& /*domain*/) {}
  // All that is held goes.
  virtual void Release() {}
  // `removed`: whether the recipient left the queue by this; else it was not there, or had its end
  // before.
  virtual void Remove(const std::string& /*recipient*/, std::function<void(bool removed)>) {}
  // Mail for the domain, or all for "", is routed by the routes of today and goes now.
  virtual void Clear(const std::string& /*domain*/) {}
  // `to` takes the place of the recipient, or with "" the original envelope that of its message.
  // `done`: whether that happened.
  virtual void Reroute(const std::string& /*recipient*/, const std::string& /*to*/,
                       std::function<void(bool done)>) {}
  // The recipient is out of the queue, for as long as nobody takes that back (`undo_ns`), then for
  // good. `done`: likewise; what it says is on the disk.
  virtual void Purge(const std::string& /*recipient*/, int64_t /*undo_ns*/,
                     std::function<void(bool purged)>) {}
  // A purged recipient goes on as before.
  virtual void Undo(const std::string& /*recipient*/, std::function<void(bool undone)>) {}
  // The recipient is returned to its sender.
  virtual void Bounce(const std::string& /*recipient*/) {}
  // Another configuration: some routes have other names (so the old ones are gone), or their hosts
  // in another order; some are not there any more, or there again.
  virtual void Reload() {}
  // Looks at the queue and asks why, which must change nothing.
  virtual void Look(const std::string& /*domain*/) {}

  // What the relay has brought along to be wrong at times (a name server) is well from now on.
  virtual void Heal() {}

  // What lies in its archive, one text a message, with LF; nothing: it keeps none.
  virtual std::optional<std::vector<std::string>> Archive() const { return std::nullopt; }

  // What is wrong with mail that it has sent, which only it can know (signatures); empty: nothing.
  virtual std::string WrongWith(const TakenMessage& /*message*/) const { return {}; }

  // Recipients that are queued, by address. May let the world go on for a while.
  virtual std::set<std::string> Queued() = 0;
};

using RelayFactory =
    std::function<std::unique_ptr<Relay>(io::SimWorld* world, const RelayOptions& options)>;

}  // namespace outbox::simulation

#endif  // OUTBOX_TESTS_SIMULATION_RELAY_H_
