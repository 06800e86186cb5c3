#include "bench/outside.h"

namespace {

bool outside = false;

}  // namespace

extern "C" __attribute__((noinline)) void OutboxOutside(void (*work)(void*), void* argument) {
  outside = true;
  work(argument);
  outside = false;
}

namespace outbox::bench {

bool IsOutside() { return outside; }

}  // namespace outbox::bench
