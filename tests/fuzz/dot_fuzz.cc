// Fuzzes the body scanner: whole, octet by octet and in odd pieces against a naive reading.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/check.h"
#include "smtp/body_scanner.h"
#include "tests/smtp/naive_body.h"

namespace smtp = outbox::smtp;

namespace {

smtp::BodySummary Scan(std::string_view wire, size_t piece, size_t* used) {
  smtp::BodyScanner scanner;
  *used = 0;
  while (*used < wire.size() && !scanner.complete()) {
    *used += scanner.Consume(wire.substr(*used, piece));
  }
  return scanner.summary();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  // The first octet chooses the odd piece.
  const size_t piece = 1 + data[0];
  const std::string_view wire(reinterpret_cast<const char*>(data) + 1, size - 1);
  const size_t end = smtp::NaiveEnd(wire);
  size_t used = 0;
  const smtp::BodySummary whole = Scan(wire, wire.size(), &used);
  CHECK(whole.complete == (end != std::string_view::npos));
  CHECK(used == std::min(end, wire.size()));
  if (whole.complete) CHECK(whole == smtp::NaiveScan(wire));
  for (const size_t pieces : {size_t{1}, piece}) {
    CHECK(Scan(wire, pieces, &used) == whole);
    CHECK(used == std::min(end, wire.size()));
  }
  return 0;
}
