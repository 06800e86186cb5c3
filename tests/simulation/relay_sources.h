// RelaySources: in a third of the seeds the relay's mail leaves from a pool of three sources.
//
// Their addresses are lost and come back; a reload gives one another address, another weight, takes
// it away or brings it back. Mail must not be lost by any of that, nor stay for ever.
#ifndef OUTBOX_TESTS_SIMULATION_RELAY_SOURCES_H_
#define OUTBOX_TESTS_SIMULATION_RELAY_SOURCES_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "core/config.h"
#include "io/sim_world.h"

namespace outbox::simulation {

class RelaySources {
 public:
  // `config` outlives it, and is changed.
  RelaySources(io::SimWorld* world, core::Config* config);
  ~RelaySources();
  RelaySources(const RelaySources&) = delete;
  RelaySources& operator=(const RelaySources&) = delete;

  // Before a reload.
  void Change();
  // Of clients that hosts see.
  size_t count() const { return all_.empty() ? 1 : all_.size(); }
  // From now on all addresses are there.
  void Heal();

 private:
  void LoseSomething();

  io::SimWorld* const world_;
  core::Config* const config_;
  std::vector<core::SourceConfig> all_;  // empty: the system chooses
  uint8_t addresses_ = 0;                // given so far
  bool healed_ = false;
  // What the world still has to do for an object that is gone is not done.
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace outbox::simulation

#endif  // OUTBOX_TESTS_SIMULATION_RELAY_SOURCES_H_
