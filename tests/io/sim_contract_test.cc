// The contract of io/io.h in the simulated world, with several seeds and with few buffers.
#include "tests/io/io_contract.h"
#include "tests/io/sim_environment.h"

namespace outbox::io {
namespace {

IoEnvironmentKind OneBuffer() {
  SimOptions options;
  options.seed = 7;
  options.receive_buffers = 1;
  options.receive_buffer_bytes = 512;
  return {"OneBuffer", [options] { return std::make_unique<SimEnvironment>(options); }};
}

INSTANTIATE_TEST_SUITE_P(Sim, IoTest,
                         testing::Values(SimEnvironment::Kind("Seed1", 1),
                                         SimEnvironment::Kind("Seed2", 2),
                                         SimEnvironment::Kind("Seed3", 3), OneBuffer()),
                         IoEnvironmentName);

INSTANTIATE_TEST_SUITE_P(SimDatagrams, DatagramTest,
                         testing::Values(SimEnvironment::Kind("Seed1", 1),
                                         SimEnvironment::Kind("Seed2", 2),
                                         SimEnvironment::Kind("Seed3", 3), OneBuffer()),
                         IoEnvironmentName);

}  // namespace
}  // namespace outbox::io
