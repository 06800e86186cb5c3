// IoEnvironment in a simulated world: one SimIo that is turned by its test.
#ifndef OUTBOX_TESTS_IO_SIM_ENVIRONMENT_H_
#define OUTBOX_TESTS_IO_SIM_ENVIRONMENT_H_

#include <cstdint>
#include <memory>
#include <string>

#include "io/sim_io.h"
#include "io/sim_world.h"
#include "tests/io/io_environment.h"

namespace outbox::io {

class SimEnvironment final : public IoEnvironment {
 public:
  explicit SimEnvironment(const SimOptions& options) : world_(options), io_(&world_) {
    Waiter made(&io_);
    io_.MakeDirectory(&made.op, Directory());
    while (!made.over) io_.Turn(core::kNever);
    EXPECT_EQ(made.result(), 0);
  }
  static IoEnvironmentKind Kind(const std::string& name, uint64_t seed) {
    SimOptions options;
    options.seed = seed;
    return {name, [options] { return std::make_unique<SimEnvironment>(options); }};
  }

  Io* io() override { return &io_; }
  std::string Directory() override { return "/test"; }
  uint32_t UnixUser() override { return SimNetwork::kUnixUser; }
  std::string UnixPath() override {
    const core::SocketAddress behind = {core::IpAddress::V4(127, 0, 0, 1), 2424};
    EXPECT_TRUE(io_.Listen(behind, false).ok());
    world_.network().AddUnixPath("/test/socket", behind);
    return "/test/socket";
  }

 private:
  SimWorld world_;
  SimIo io_;
};

}  // namespace outbox::io

#endif  // OUTBOX_TESTS_IO_SIM_ENVIRONMENT_H_
