// StepCounter: how many instructions a piece of code executes, on the bare machine.
//
// The processor stops behind every instruction (the trap flag) and a signal handler counts: some
// microseconds each, so the piece should be short; what was built up before it runs at full speed.
// So costs at ten million items can be compared with those at a thousand. A string instruction
// counts once for every repetition. x86-64 only.
#ifndef OUTBOX_BENCH_STEP_COUNTER_H_
#define OUTBOX_BENCH_STEP_COUNTER_H_

#include <cstdint>

namespace outbox::bench {

// False: this processor is another kind, and nothing is counted.
bool CanCountSteps();

class StepCounter {
 public:
  // Counts from here on. One at a time in the process, and only on this thread.
  StepCounter();
  ~StepCounter();
  StepCounter(const StepCounter&) = delete;
  StepCounter& operator=(const StepCounter&) = delete;

  // Ends the count. A few instructions of its own are in it, always the same.
  uint64_t Stop();
};

}  // namespace outbox::bench

#endif  // OUTBOX_BENCH_STEP_COUNTER_H_
