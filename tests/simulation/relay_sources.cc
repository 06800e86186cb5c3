#include "tests/simulation/relay_sources.h"

#include <string>

#include "core/random.h"
#include "core/time.h"
#include "io/sim_network.h"

namespace outbox::simulation {
namespace {

constexpr int kSources = 3;

core::IpAddress AddressOf(uint8_t number) { return core::IpAddress::V4(10, 77, 0, number); }

}  // namespace

RelaySources::RelaySources(io::SimWorld* world, core::Config* config)
    : world_(world), config_(config) {
  core::Random& random = world_->random();
  if (!random.Chance(1, 3)) return;
  for (int i = 0; i < kSources; ++i) {
    core::SourceConfig source;
    source.name = "s" + std::to_string(i);
    source.addresses = {AddressOf(++addresses_)};
    source.helo = source.name + ".sources.example";
    source.pools = {"all"};
    source.weight = static_cast<uint32_t>(random.Between(1, 5));
    all_.push_back(source);
  }
  config_->sources = all_;
  config_->delivery.send_from = "all";
  LoseSomething();
}

RelaySources::~RelaySources() { Heal(); }

void RelaySources::LoseSomething() {
  core::Random& random = world_->random();
  for (uint8_t i = 1; i <= addresses_; ++i) world_->network().ReturnAddress(AddressOf(i));
  if (healed_) return;
  for (const core::SourceConfig& source : all_) {
    if (random.Chance(1, 3)) world_->network().LoseAddress(source.addresses[0]);
  }
  const int64_t until_ns = random.Between(1, 120) * core::kNsPerSecond;
  world_->Schedule(until_ns, [this, alive = std::weak_ptr<int>(alive_)] {
    if (!alive.expired()) LoseSomething();
  });
}

void RelaySources::Change() {
  if (all_.empty()) return;
  core::Random& random = world_->random();
  core::SourceConfig& one = all_[random.Below(kSources)];
  switch (random.Below(3)) {
    case 0:
      if (addresses_ < 200) one.addresses = {AddressOf(++addresses_)};
      break;
    case 1:
      one.weight = static_cast<uint32_t>(random.Between(1, 5));
      break;
    case 2:
      break;
  }
  config_->sources.clear();
  for (const core::SourceConfig& source : all_) {
    if (random.Chance(2, 3)) config_->sources.push_back(source);
  }
  if (config_->sources.empty()) config_->sources.push_back(all_[0]);
}

void RelaySources::Heal() {
  healed_ = true;
  for (uint8_t i = 1; i <= addresses_; ++i) world_->network().ReturnAddress(AddressOf(i));
}

}  // namespace outbox::simulation
