// Fuzzes the conversion to 7 bits: whatever comes out is of 7 bits, ends as a message does, and
// depends on no split of the input.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/check.h"
#include "smtp/body_scanner.h"
#include "smtp/seven_bit.h"

namespace smtp = outbox::smtp;

namespace {

bool Convert(std::string_view wire, size_t piece, std::string* out, bool* complete) {
  smtp::SevenBit converter;
  bool ok = true;
  for (size_t at = 0; ok && at < wire.size(); at += piece) {
    ok = converter.Convert(wire.substr(at, piece), out);
  }
  CHECK(ok || converter.why()[0] != '\0');
  *complete = converter.complete();
  return ok;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  // The first octet chooses the odd piece.
  const size_t piece = 1 + data[0];
  const std::string_view wire(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::string whole;
  bool complete = false;
  const bool ok = Convert(wire, std::max<size_t>(1, wire.size()), &whole, &complete);
  for (const size_t pieces : {size_t{1}, piece}) {
    std::string again;
    bool again_complete = false;
    CHECK(Convert(wire, pieces, &again, &again_complete) == ok);
    if (!ok) continue;
    CHECK(again == whole && again_complete == complete);
  }
  if (!ok || !complete) return 0;
  CHECK(!smtp::HasEightBit(whole));
  smtp::BodyScanner scanner;
  CHECK(scanner.Consume(whole) == whole.size() && scanner.complete());
  return 0;
}
