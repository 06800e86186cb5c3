// The router: one recipient among few and among thousands of routes. The index by hash was chosen
// over a walk through the list so that both cost the same.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "core/config.h"
#include "queue/router.h"

namespace outbox::queue {
namespace {

// Half of the routes name a domain, half a suffix; none is the star.
core::Config ConfigWith(int64_t routes) {
  core::Config config;
  config.hostname = "relay.example";
  for (int64_t i = 0; i < routes; ++i) {
    core::RouteConfig route;
    const std::string domain = "customer" + std::to_string(i) + ".example.net";
    route.name = domain;
    route.match = {i % 2 == 0 ? domain : "*." + domain};
    core::ViaHost host;
    host.address = {core::IpAddress::V4(10, static_cast<uint8_t>(i >> 16),
                                        static_cast<uint8_t>(i >> 8), static_cast<uint8_t>(i)),
                    25};
    host.is_address = true;
    route.via = {host};
    config.routes.push_back(route);
  }
  return config;
}

void Ask(benchmark::State& state, const std::vector<std::string>& recipients) {
  const Router router(ConfigWith(state.range(0)));
  size_t next = 0;
  for (auto _ : state) {
    const RouteChoice choice = router.Route(recipients[next]);
    benchmark::DoNotOptimize(choice.destination.data());
    if (++next == recipients.size()) next = 0;
  }
  state.SetItemsProcessed(state.iterations());
}

std::vector<std::string> Spread(int64_t routes, const char* prefix, int64_t odd) {
  std::vector<std::string> recipients;
  for (int64_t i = 0; i < 1000; ++i) {
    const int64_t route = i * 7919 % routes / 2 * 2 + odd;
    recipients.push_back("someone@" + std::string(prefix) + "customer" + std::to_string(route) +
                         ".example.net");
  }
  return recipients;
}

void BM_Exact(benchmark::State& state) { Ask(state, Spread(state.range(0), "", 0)); }
BENCHMARK(BM_Exact)->Arg(10)->Arg(10'000);

void BM_Suffix(benchmark::State& state) { Ask(state, Spread(state.range(0), "mail.", 1)); }
BENCHMARK(BM_Suffix)->Arg(10)->Arg(10'000);

void BM_NoRoute(benchmark::State& state) {
  Ask(state, {"someone@mail.department.elsewhere.example.org"});
}
BENCHMARK(BM_NoRoute)->Arg(10)->Arg(10'000);

}  // namespace
}  // namespace outbox::queue
