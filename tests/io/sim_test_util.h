// What the tests of the simulated world share.
#ifndef OUTBOX_TESTS_IO_SIM_TEST_UTIL_H_
#define OUTBOX_TESTS_IO_SIM_TEST_UTIL_H_

#include <cstdint>
#include <string>
#include <vector>

#include "io/io.h"
#include "io/sim_world.h"

namespace outbox::io {

// An operation whose result a test waits for. Keeps every completion.
struct Waiter {
  Waiter() { op.Bind<&Waiter::OnDone>(this); }
  void OnDone(const OpResult& result) {
    results.push_back(result.result);
    data.assign(result.data.data(), result.data.size());
    buffer = result.buffer;
    value = result.result;
    done = !result.more;
  }

  Op op;
  bool done = false;
  int32_t value = 0;
  std::vector<int32_t> results;
  std::string data;
  uint32_t buffer = 0;
};

// A world as it is without wishes, but for its seed.
inline SimOptions Seeded(uint64_t seed) {
  SimOptions options;
  options.seed = seed;
  return options;
}

}  // namespace outbox::io

#endif  // OUTBOX_TESTS_IO_SIM_TEST_UTIL_H_
