// How often a shard allocates for a message, once it is warm; fails above what is known.
//
//     allocations            prints allocations a message, and compares them with the bounds below
//     allocations --where    prints where they come from as well: the innermost frames, for
//                            addr2line -Cfipe FILE ADDRESS...
//
// Counted are calls of operator new by the shard's turns (bench/whole_shard.h), not those of peers.
// The mail's hot path should have none that is easy to avoid: an allocation costs little by itself,
// and what it returns is cold.
#include <dlfcn.h>
#include <execinfo.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <new>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/outside.h"
#include "bench/whole_shard.h"

namespace {

// Of a message's way. The figure is the bound: lower it with what lowers the count.
struct Case {
  const char* name;
  uint32_t clients;
  uint32_t domains;
  size_t octets;
  double allocations_max;  // a message
};
constexpr Case kCases[] = {
    {"one client, one domain", 1, 1, 4096, 0.01},
    {"20 clients, 100 domains", 20, 100, 4096, 0.01},
    {"4 clients, 200 KiB", 4, 10, 200 << 10, 4.1},
};
constexpr uint64_t kWarm = 4000;  // messages: every pool and buffer has its size
constexpr uint64_t kCounted = 4000;

constexpr int kFrames = 12;
constexpr size_t kPlacesShown = 40;
using Place = std::array<void*, kFrames>;

bool counting = false;
bool where = false;
uint64_t allocations = 0;
// Its own memory is not counted.
std::map<Place, uint64_t>* places = nullptr;

void Count() {
  if (!counting || outbox::bench::IsOutside()) return;
  ++allocations;
  if (!where) return;
  counting = false;
  std::array<void*, kFrames + 2> frames = {};
  backtrace(frames.data(), static_cast<int>(frames.size()));
  Place place;
  std::copy_n(frames.begin() + 2, kFrames, place.begin());
  ++(*places)[place];
  counting = true;
}

void* Allocate(size_t size, size_t alignment) {
  Count();
  void* const memory = alignment <= alignof(max_align_t)
                           ? std::malloc(size)
                           : std::aligned_alloc(alignment, (size + alignment - 1) / alignment *
                                                               alignment);
  if (memory == nullptr) std::abort();
  return memory;
}

}  // namespace

void* operator new(size_t size) { return Allocate(size, 1); }
void* operator new[](size_t size) { return Allocate(size, 1); }
void* operator new(size_t size, std::align_val_t alignment) {
  return Allocate(size, static_cast<size_t>(alignment));
}
void* operator new[](size_t size, std::align_val_t alignment) {
  return Allocate(size, static_cast<size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }

namespace {

void PrintPlaces() {
  std::vector<std::pair<uint64_t, Place>> sorted;
  for (const auto& [place, count] : *places) sorted.emplace_back(count, place);
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  if (sorted.size() > kPlacesShown) sorted.resize(kPlacesShown);
  for (const auto& [count, place] : sorted) {
    std::printf("  %.3f", static_cast<double>(count) / kCounted);
    for (void* const frame : place) {
      Dl_info info = {};
      if (frame == nullptr || dladdr(frame, &info) == 0) break;
      std::printf(" %#tx", static_cast<char*>(frame) - static_cast<char*>(info.dli_fbase) - 1);
    }
    std::printf("\n");
  }
}

// False: above the bound.
bool Measure(const Case& what) {
  outbox::bench::WholeShard shard(what.clients, what.domains, what.octets);
  shard.Relay(kWarm);
  allocations = 0;
  places->clear();
  counting = true;
  shard.Relay(kCounted);
  counting = false;
  const double each = static_cast<double>(allocations) / kCounted;
  const bool within = each <= what.allocations_max;
  std::printf("%-26s %7.3f allocations a message, at most %.3f%s\n", what.name, each,
              what.allocations_max, within ? "" : "  <-- too many");
  if (where) PrintPlaces();
  return within;
}

}  // namespace

int main(int argc, char** argv) {
  where = argc > 1 && std::string_view(argv[1]) == "--where";
  std::map<Place, uint64_t> found;
  places = &found;
  bool within = true;
  for (const Case& what : kCases) within = Measure(what) && within;
  return within ? 0 : 1;
}
