// The whole way of a 4 KiB message through one shard, kernel, disk and network left out.
#include "bench/counted_path.h"
#include "bench/whole_shard.h"

namespace outbox::bench {
namespace {

template <uint32_t kClients, uint32_t kDomains>
class Relay : public CountedPath {
 public:
  void Run(uint64_t items) override { shard_.Relay(items); }

 private:
  WholeShard shard_{kClients, kDomains, 4096};
};

template <typename Path>
std::unique_ptr<CountedPath> Make() {
  return std::make_unique<Path>();
}

constexpr NamedPath kPaths[] = {
    {"relay_1", 150, &Make<Relay<1, 1>>},
    {"relay_20", 400, &Make<Relay<20, 100>>},
};

}  // namespace

std::span<const NamedPath> RelayPaths() { return kPaths; }

}  // namespace outbox::bench
