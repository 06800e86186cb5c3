// CountedPath: one pure path of the mail, run again and again so that its instructions can be
// counted. Programs: instructions.cc (under callgrind), bench/*_bench (growth.h).
#ifndef OUTBOX_BENCH_COUNTED_PATH_H_
#define OUTBOX_BENCH_COUNTED_PATH_H_

#include <cstdint>
#include <memory>
#include <span>

namespace outbox::bench {

class CountedPath {
 public:
  virtual ~CountedPath() = default;
  // Sends so many items down the path. Everything that an item needs and does not keep has been
  // made before, so that twice the items are twice the work.
  virtual void Run(uint64_t items) = 0;
};

struct NamedPath {
  const char* name;  // as it stands in bench/instructions.toml
  uint64_t items;    // of one run: a fraction of a second under callgrind
  std::unique_ptr<CountedPath> (*make)();
};

// By area.
std::span<const NamedPath> CorePaths();
std::span<const NamedPath> SmtpPaths();
std::span<const NamedPath> SpoolPaths();
std::span<const NamedPath> QueuePaths();
std::span<const NamedPath> RelayPaths();

}  // namespace outbox::bench

#endif  // OUTBOX_BENCH_COUNTED_PATH_H_
