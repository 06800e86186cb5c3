// Runs every counted path for bench/instructions, which counts under callgrind what they execute.
//
// Each path is made, warmed, and run with N and then with 2 N items, in one process: the difference
// is what N items cost, without what a run costs by itself. Callgrind is told where a run begins
// and ends by the two functions below: it begins its count at the first and writes it down at the
// second. Without callgrind the program does the same and counts nothing.
//
// Prints a line a run, in the order of callgrind's dumps: the path's name and its items; first,
// what the figures depend on.
#include <gnu/libc-version.h>

#include <cstdint>
#include <cstdio>
#include <initializer_list>

#include "bench/counted_path.h"
#include "core/crc32c.h"

// Names for callgrind's options. The calls must stay calls.
extern "C" {
__attribute__((noinline, used)) void OutboxBeginCount() { asm volatile("" ::: "memory"); }
__attribute__((noinline, used)) void OutboxEndCount() { asm volatile("" ::: "memory"); }
}

namespace outbox::bench {
namespace {

void CountRun(const NamedPath& named, CountedPath* path, uint64_t items) {
  OutboxBeginCount();
  path->Run(items);
  OutboxEndCount();
  std::printf("%s %llu\n", named.name, static_cast<unsigned long long>(items));
}

void PrintMachine() {
#if defined(__clang__)
  const char* const compiler = "clang " __VERSION__;
#else
  const char* const compiler = "g++ " __VERSION__;
#endif
  std::printf("compiler: %s\n", compiler);
  std::printf("libc: %s\n", gnu_get_libc_version());
  std::printf("crc32c: %s\n", core::Crc32cHasHardware() ? "instruction" : "tables");
  // The widest that code of ours could choose; callgrind shows no wider one.
  std::printf("avx2: %s\n", __builtin_cpu_supports("avx2") ? "yes" : "no");
}

}  // namespace
}  // namespace outbox::bench

int main() {
  using namespace outbox::bench;  // NOLINT: a program of its own
  PrintMachine();
  for (const auto paths : {CorePaths(), SmtpPaths(), SpoolPaths(), QueuePaths(), RelayPaths()}) {
    for (const NamedPath& named : paths) {
      const auto path = named.make();
      path->Run(named.items);  // buffers get their size, pools their first members
      CountRun(named, path.get(), named.items);
      CountRun(named, path.get(), 2 * named.items);
    }
  }
  return 0;
}
