// What a message costs in the sessions alone: commands, replies and the scan of a 4 KiB body.
#include <benchmark/benchmark.h>

#include <string>

#include "bench/dialogue.h"
#include "core/check.h"

namespace outbox::bench {
namespace {

// One message of a pipelining client: the envelope in one piece, then the body.
void BM_ServerSessionMessage(benchmark::State& state) {
  ServerDialogue dialogue;
  const std::string envelope =
      "MAIL FROM:<sender@example.org> SIZE=4096\r\nRCPT TO:<recipient@example.com>\r\nDATA\r\n";
  const std::string wire = SampleWire(4096);
  for (auto _ : state) {
    dialogue.Hear(envelope);
    CHECK(dialogue.Hear(wire) == 1);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_ServerSessionMessage);

// One message to a pipelining server, the next envelope behind its body.
void BM_ClientSessionMessage(benchmark::State& state) {
  ClientDialogue dialogue;
  for (auto _ : state) dialogue.Message(/*next=*/true);
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_ClientSessionMessage);

}  // namespace
}  // namespace outbox::bench
