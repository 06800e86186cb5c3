#include "bench/step_counter.h"

#include <csignal>

#include "core/check.h"

namespace outbox::bench {
namespace {

volatile uint64_t steps = 0;

void OnStep(int) { steps = steps + 1; }

#if defined(__x86_64__)
// Below the red zone of whoever they are inlined into.
inline void SetTrapFlag() {
  asm volatile(
      "lea -128(%%rsp), %%rsp\n pushfq\n orq $0x100, (%%rsp)\n popfq\n lea 128(%%rsp), %%rsp" ::
          : "memory", "cc");
}
inline void ClearTrapFlag() {
  asm volatile(
      "lea -128(%%rsp), %%rsp\n pushfq\n andq $~0x100, (%%rsp)\n popfq\n lea 128(%%rsp), %%rsp" ::
          : "memory", "cc");
}
#else
inline void SetTrapFlag() {}
inline void ClearTrapFlag() {}
#endif

}  // namespace

#if defined(__x86_64__)
bool CanCountSteps() { return true; }
#else
bool CanCountSteps() { return false; }
#endif

StepCounter::StepCounter() {
  struct sigaction action = {};
  action.sa_handler = OnStep;
  CHECK(sigaction(SIGTRAP, &action, nullptr) == 0);
  steps = 0;
  SetTrapFlag();
}

uint64_t StepCounter::Stop() {
  ClearTrapFlag();
  return steps;
}

StepCounter::~StepCounter() {
  ClearTrapFlag();
  struct sigaction action = {};
  action.sa_handler = SIG_DFL;
  CHECK(sigaction(SIGTRAP, &action, nullptr) == 0);
}

}  // namespace outbox::bench
