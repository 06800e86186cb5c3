// Fuzzes the canonical body: split anywhere, against a naive reading of the RFC.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/check.h"
#include "tests/dkim/canon_run.h"
#include "tests/dkim/naive_canon.h"

namespace dkim = outbox::dkim;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // Every split of a short body; of a longer one some.
  constexpr size_t kSplitsMax = 200;
  const std::string_view wire(reinterpret_cast<const char*>(data), size);
  const std::string text = dkim::NaiveUnstuff(wire);
  for (const bool relaxed : {false, true}) {
    const std::string expected = dkim::NaiveCanon(text, relaxed);
    CHECK(dkim::RunCanon(wire, relaxed, 1, 1) == expected);
    for (size_t first = 0; first <= size; first += 1 + size / kSplitsMax) {
      CHECK(dkim::RunCanon(wire, relaxed, first, size + 1) == expected);
    }
  }
  return 0;
}
