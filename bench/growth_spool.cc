// Growth in queue/spool/: recipients of an envelope, messages in the log, messages that recovery
// finds. The disk is memory (memory_io.h).
#include <algorithm>
#include <string>

#include "bench/growth.h"
#include "bench/memory_log.h"
#include "bench/sample_mail.h"
#include "core/check.h"
#include "queue/message_meta.h"

namespace outbox::bench {
namespace {

// Recipients of a meta: what one more costs, and the bytes that all take.
void BM_EnvelopeRecipient(benchmark::State& state) {
  queue::MetaBuilder builder;
  const uint32_t retry = 900;
  const auto start = [&] {
    builder.Start(1, 1, 0, kSender, "192.0.2.1");
    builder.AddGroup("via:10.0.0.1:25", "default", {&retry, 1}, {});
    for (int64_t i = 0; i < state.range(0); ++i) builder.AddRecipient(kRecipient);
  };
  const auto item = [&] { builder.AddRecipient(kRecipient); };
  start();
  for (auto _ : state) item();
  // Again, in a buffer that has its size.
  start();
  CountInstructions(state, kMany, item);
  builder.SetBody(4096, 0);
  CountBytes(state, builder.Finish().size(), static_cast<uint64_t>(state.range(0)));
}
BENCHMARK(BM_EnvelopeRecipient)->Arg(1000)->Arg(10'000)->Arg(60'000)->Iterations(1000);

// One message appended to a log that has so many, by itself in its batch.
void BM_LogAppend(benchmark::State& state) {
  MemoryLog log(300, 64, /*finish=*/false);
  log.io().DropWrites();
  log.Append(static_cast<uint64_t>(state.range(0)));
  const auto item = [&] { log.Append(1); };
  const uint64_t before = log.store().stats().bytes_written;
  for (auto _ : state) item();
  CountInstructions(state, kFew, item);
  CountBytes(state, log.store().stats().bytes_written - before,
             static_cast<uint64_t>(state.max_iterations) + kFew);
}
BENCHMARK(BM_LogAppend)->Apply(SmallerSizes<200>);

// All that a log has, found again: what is read for a message.
void BM_Recovery(benchmark::State& state) {
  MemoryLog log(300, 64, /*finish=*/false);
  const uint64_t messages = static_cast<uint64_t>(state.range(0));
  log.Append(messages);
  for (auto _ : state) {
    const uint64_t bytes = log.io().bytes_read();
    const uint64_t reads = log.io().reads();
    log.OpenAgain();
    CHECK(log.recovered() == messages);
    CountBytes(state, log.io().bytes_read() - bytes, messages);
    CountOperations(state, log.io().reads() - reads, messages);
  }
}
BENCHMARK(BM_Recovery)
    ->Arg(10'000)
    ->Arg(100'000)
    ->Arg(1'000'000)
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace outbox::bench
