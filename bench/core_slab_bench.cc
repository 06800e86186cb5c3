// The slab against the allocator: objects of a ticket's size that come and go in a window of some
// thousands.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <vector>

#include "core/random.h"
#include "core/slab.h"

namespace outbox::core {
namespace {

struct Object {
  uint64_t words[16] = {};
};

template <typename Make, typename Drop>
void Churn(benchmark::State& state, Make make, Drop drop) {
  std::vector<Object*> live(static_cast<size_t>(state.range(0)));
  for (Object*& object : live) object = make();
  Random random(1);
  for (auto _ : state) {
    Object*& object = live[random.Below(live.size())];
    drop(object);
    object = make();
    benchmark::DoNotOptimize(object);
  }
  for (Object* object : live) drop(object);
  state.SetItemsProcessed(state.iterations());
}

void BM_Slab(benchmark::State& state) {
  Slab<Object> slab(1'000'000);
  Churn(state, [&] { return slab.New(); }, [&](Object* object) { slab.Delete(object); });
}
BENCHMARK(BM_Slab)->Arg(1000)->Arg(100'000);

void BM_NewAndDelete(benchmark::State& state) {
  Churn(state, [] { return new Object; }, [](Object* object) { delete object; });
}
BENCHMARK(BM_NewAndDelete)->Arg(1000)->Arg(100'000);

}  // namespace
}  // namespace outbox::core
