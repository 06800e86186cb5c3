// Growth in queue/: destinations, tickets that wait, sites with their limits.
#include <malloc.h>

#include <bit>
#include <cstdint>
#include <vector>

#include "bench/growth.h"
#include "bench/sending_shard.h"
#include "bench/whole_shard.h"
#include "core/check.h"
#include "core/random.h"
#include "core/rate.h"
#include "core/time.h"
#include "queue/ready_list.h"
#include "queue/site.h"

namespace outbox::bench {
namespace {

// A ticket sent over an open connection, among so many destinations with one each.
void BM_TicketSent(benchmark::State& state) {
  SendingShard shard(static_cast<uint32_t>(state.range(0)), /*one_site=*/false);
  shard.Send(static_cast<uint64_t>(state.range(0)), 64);
  const auto item = [&] { shard.Send(1, 1); };
  for (auto _ : state) item();
  CountInstructions(state, kFew, item);
}
BENCHMARK(BM_TicketSent)->Arg(1000)->Arg(10'000)->Arg(60'000)->Iterations(500);

// A ticket put behind so many others of a hundred senders, and the next one taken.
void BM_ReadyTicket(benchmark::State& state) {
  queue::SenderQueuePool pool;
  queue::ReadyList list(&pool);
  std::vector<queue::Ticket> tickets(static_cast<size_t>(state.range(0)));
  for (size_t i = 0; i < tickets.size(); ++i) {
    tickets[i].sender_hash = i % 100;
    list.Push(&tickets[i]);
  }
  const auto item = [&] { list.Push(list.Pop()); };
  for (auto _ : state) item();
  CountInstructions(state, kMany, item);
  while (list.Pop() != nullptr) {
  }
}
BENCHMARK(BM_ReadyTicket)->Apply(SmallerSizes);

// The limiter: a site found among so many, a slot and a message of its rate taken, the slot given
// back.
void BM_SiteLimits(benchmark::State& state) {
  // A quarter full: when it is fuller, some find no room within the probes.
  queue::SiteTable table(std::bit_ceil(4 * static_cast<size_t>(state.range(0))));
  core::Random random(1);
  std::vector<uint64_t> hashes;
  for (int64_t i = 0; i < state.range(0); ++i) {
    hashes.push_back(random.Next());
    const uint32_t site = table.Acquire(hashes.back(), 20, core::kNsPerSecond);
    CHECK(site != queue::SiteTable::kNoSite);
    table[site].rate.SetRate({1'000'000, core::kNsPerSecond}, core::kNsPerSecond);
  }
  int64_t now_ns = core::kNsPerSecond;
  size_t next = 0;
  const auto item = [&] {
    now_ns += core::kNsPerMs;
    next = (next + 7919) % hashes.size();
    const uint32_t index = table.Acquire(hashes[next], 20, now_ns);
    queue::Site& site = table[index];
    CHECK(site.slots.TryTake(now_ns) && site.rate.Take(now_ns) == 0);
    CHECK(site.slots.Release() == queue::SiteSlots<queue::StdAtomic>::kNobody);
    table.Release(index, now_ns);
  };
  for (auto _ : state) item();
  CountInstructions(state, kMany, item);
}
BENCHMARK(BM_SiteLimits)->Apply(SmallerSizes);

size_t BytesAllocated() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

// A message that waits for one of a hundred hosts which refuse: the memory that it takes, while
// what a host takes is there already.
void BM_QueuedMessage(benchmark::State& state) {
  constexpr uint64_t kBytesMax = 76;
  const auto messages = static_cast<uint64_t>(state.range(0));
  WholeShard shard(20, 100, 300);
  shard.Queue(30'000);  // the index of the segment that is being written is long, too
  const size_t before = BytesAllocated();
  for (auto _ : state) shard.Queue(messages);
  const size_t bytes = BytesAllocated() - before;
  CHECK(bytes <= messages * kBytesMax);
  CountBytes(state, bytes, messages);
}
BENCHMARK(BM_QueuedMessage)->Arg(100'000)->Arg(1'000'000)->Iterations(1);

// A destination whose host refuses, with four messages that wait for it: the memory that all of
// this takes, with the shard's own buffers and what the simulated network keeps. Together with the
// one above this bounds what bench/backlog measures: a hundred messages share a destination there.
void BM_DeadDestination(benchmark::State& state) {
  constexpr uint64_t kBytesMax = 4400;
  constexpr uint64_t kMessagesEach = 4;
  const auto domains = static_cast<uint32_t>(state.range(0));
  WholeShard shard(20, domains, 300);
  const size_t before = BytesAllocated();
  for (auto _ : state) shard.Queue(domains * kMessagesEach);
  const size_t bytes = BytesAllocated() - before;
  CHECK(bytes <= domains * kBytesMax);
  CountBytes(state, bytes, domains);
}
BENCHMARK(BM_DeadDestination)->Arg(30'000)->Iterations(1);

}  // namespace
}  // namespace outbox::bench
