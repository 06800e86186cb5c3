// outbox_simulation: runs seeds of the simulation.
//
//   outbox_simulation                        seeds 1 to 1000
//   outbox_simulation --seed N --count M     seeds N to N+M-1
//   outbox_simulation --seed N --verbose     with every completion that was delivered
//   outbox_simulation --relay NAME ...       of another relay than the first one in kRelays
//
// Exit 0 only if every seed kept every promise and was the same twice.
#include <sys/wait.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "tests/simulation/mini_relay.h"
#include "tests/simulation/shard_relay.h"
#include "tests/simulation/simulation.h"

namespace outbox::simulation {
namespace {

struct NamedRelay {
  std::string_view name;
  std::unique_ptr<Relay> (*make)(io::SimWorld* world, const RelayOptions& options);
};

// "mini" is the small one that the simulation itself is tested with.
constexpr NamedRelay kRelays[] = {
    {"outbox",
     [](io::SimWorld* world, const RelayOptions& options) -> std::unique_ptr<Relay> {
       return std::make_unique<ShardRelay>(world, options);
     }},
    {"mini",
     [](io::SimWorld* world, const RelayOptions& options) -> std::unique_ptr<Relay> {
       return std::make_unique<MiniRelay>(world, options, MiniRelayFault::kNone);
     }},
};

const NamedRelay* FindRelay(std::string_view name) {
  for (const NamedRelay& relay : kRelays) {
    if (relay.name == name) return &relay;
  }
  return nullptr;
}

// A seed runs in a process of its own: one that trips a CHECK is a failing seed as well, and what
// the relay's deaths leave in memory ends with it.
bool CheckInChild(uint64_t seed, const char* program, const NamedRelay& relay, bool verbose) {
  fflush(nullptr);
  const pid_t child = fork();
  if (child < 0) {
    perror("fork");
    return false;
  }
  if (child == 0) {
    const std::string again = std::string(program) + " --relay " + std::string(relay.name);
    const bool good = CheckSeed(seed, again.c_str(), relay.make, verbose);
    fflush(nullptr);
    _exit(good ? 0 : 1);
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child) return false;
  if (WIFSIGNALED(status)) {
    printf("seed %" PRIu64 " fails: killed by signal %d\n  again: %s --relay %s --seed %" PRIu64
           " --verbose\n",
           seed, WTERMSIG(status), program, relay.name.data(), seed);
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int Main(int argc, char** argv) {
  uint64_t seed = 1;
  uint64_t count = 0;
  bool verbose = false;
  const NamedRelay* relay = &kRelays[0];
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    if (flag == "--verbose") {
      verbose = true;
    } else if (flag == "--seed" && i + 1 < argc) {
      seed = strtoull(argv[++i], nullptr, 10);
      if (count == 0) count = 1;
    } else if (flag == "--count" && i + 1 < argc) {
      count = strtoull(argv[++i], nullptr, 10);
    } else if (flag == "--relay" && i + 1 < argc && FindRelay(argv[i + 1]) != nullptr) {
      relay = FindRelay(argv[++i]);
    } else {
      fprintf(stderr, "usage: %s [--seed N] [--count M] [--verbose] [--relay NAME]\n", argv[0]);
      return 2;
    }
  }
  if (count == 0) count = 1000;
  uint64_t failed = 0;
  for (uint64_t i = 0; i < count; ++i) {
    if (!CheckInChild(seed + i, argv[0], *relay, verbose)) ++failed;
  }
  printf("%" PRIu64 " of %" PRIu64 " seeds failed\n", failed, count);
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace outbox::simulation

int main(int argc, char** argv) { return outbox::simulation::Main(argc, argv); }
