// Growth in smtp/: messages over one session, octets of one body.
#include <string>

#include "bench/dialogue.h"
#include "bench/growth.h"
#include "bench/sample_mail.h"
#include "core/check.h"
#include "smtp/body_scanner.h"

namespace outbox::bench {
namespace {

// A small message behind so many others of the same session.
void BM_MessageIn(benchmark::State& state) {
  ServerDialogue dialogue;
  const std::string wire = "Subject: x\r\n\r\nhello\r\n.\r\n";
  const auto item = [&] {
    dialogue.Hear("MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.com>\r\nDATA\r\n");
    CHECK(dialogue.Hear(wire) == 1);
  };
  for (int64_t i = 0; i < state.range(0); ++i) item();
  for (auto _ : state) item();
  CountInstructions(state, kFew, item);
}
BENCHMARK(BM_MessageIn)->Apply(Sizes);

void BM_MessageOut(benchmark::State& state) {
  ClientDialogue dialogue;
  const auto item = [&] { dialogue.Message(/*next=*/true); };
  for (int64_t i = 0; i < state.range(0); ++i) item();
  for (auto _ : state) item();
  CountInstructions(state, kFew, item);
}
BENCHMARK(BM_MessageOut)->Apply(Sizes);

// A further line of a body of so many octets.
void BM_BodyLine(benchmark::State& state) {
  smtp::BodyScanner scanner;
  const std::string line = std::string(76, 'x') + "\r\n";
  scanner.Consume("Subject: x\r\n\r\n");
  const auto item = [&] { scanner.Consume(line); };
  while (scanner.summary().wire_bytes < static_cast<uint64_t>(state.range(0))) item();
  for (auto _ : state) item();
  CountInstructions(state, kMany, item);
}
BENCHMARK(BM_BodyLine)->Apply(Sizes);

}  // namespace
}  // namespace outbox::bench
