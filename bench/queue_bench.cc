// The destination's side in numbers: ready list, router, site slots, mail.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <vector>

#include "core/config.h"
#include "core/random.h"
#include "queue/ready_list.h"
#include "queue/router.h"
#include "queue/shard_mail.h"
#include "queue/site.h"

namespace outbox::queue {
namespace {

// Push and pop with a backlog of range(0) tickets of 100 senders.
void BM_ReadyList(benchmark::State& state) {
  SenderQueuePool pool;
  ReadyList list(&pool);
  std::vector<Ticket> tickets(static_cast<size_t>(state.range(0)));
  for (size_t i = 0; i < tickets.size(); ++i) {
    tickets[i].sender_hash = i % 100;
    list.Push(&tickets[i]);
  }
  for (auto _ : state) list.Push(list.Pop());
  while (list.Pop() != nullptr) {
  }
}
BENCHMARK(BM_ReadyList)->Arg(1)->Arg(100)->Arg(100'000);

// One recipient, with range(0) static routes. Half of the domains match.
void BM_Router(benchmark::State& state) {
  core::Config config;
  config.hostname = "relay.example.com";
  for (int64_t i = 0; i < state.range(0); ++i) {
    core::RouteConfig route;
    route.name = std::to_string(i);
    route.match = {(i % 2 == 0 ? "*.d" : "d") + std::to_string(i) + ".example.net"};
    core::ViaHost host;
    host.is_address = true;
    host.address = *core::SocketAddress::Parse("10.0.0.1:25");
    host.host = "10.0.0.1";
    route.via = {host};
    config.routes.push_back(route);
  }
  const Router router(config);
  core::Random random(1);
  std::vector<std::string> recipients;
  for (int i = 0; i < 1024; ++i) {
    recipients.push_back("user@d" +
                         std::to_string(random.Below(2 * static_cast<uint64_t>(state.range(0)))) +
                         ".example.net");
  }
  size_t next = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(router.Route(recipients[next++ % recipients.size()]).index);
  }
}
BENCHMARK(BM_Router)->Arg(10)->Arg(10'000);

// A slot taken and given back, nobody waiting; by threads on the same site.
void BM_SiteSlots(benchmark::State& state) {
  static SiteTable table(64);
  const uint32_t index = table.Acquire(42, 1000, 0);
  auto& slots = table[index].slots;
  for (auto _ : state) {
    if (slots.TryTake(1)) benchmark::DoNotOptimize(slots.Release());
  }
  table.Release(index, 0);
}
BENCHMARK(BM_SiteSlots)->Threads(1)->Threads(2);

struct Counting : public ControlMail {
  uint64_t commands = 0;
  void OnCommand(uint8_t, void*) override { ++commands; }
  void OnReply(uint8_t, void*) override {}
};

// Mails from one shard to another, range(0) a batch, both on this thread.
void BM_Mail(benchmark::State& state) {
  Exchange exchange(2);
  PostOffice from(&exchange, 0);
  PostOffice to(&exchange, 1);
  Counting counting;
  to.SetHandlers(nullptr, nullptr, &counting);
  for (auto _ : state) {
    for (int64_t i = 0; i < state.range(0); ++i) from.Command(1, nullptr);
    from.Flush();
    to.Drain();
  }
  state.SetItemsProcessed(static_cast<int64_t>(counting.commands));
}
BENCHMARK(BM_Mail)->Arg(1)->Arg(64);

}  // namespace
}  // namespace outbox::queue
