// Any bytes as a segment, an index and a header: reading ends, stays inside, and what is found lies
// where it says.
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/check.h"
#include "queue/spool/coding.h"
#include "queue/spool/format.h"
#include "queue/spool/segment_scan.h"

namespace {

using namespace outbox::queue;  // NOLINT: a program of its own

void CheckEntries(const SegmentContents& contents, std::span<const char> bytes) {
  for (const EntryRef& entry : contents.entries) {
    CHECK(entry.data.empty() ||
          (entry.data.data() >= bytes.data() &&
           entry.data.data() + entry.data.size() <= bytes.data() + bytes.size()));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const char> bytes(reinterpret_cast<const char*>(data), size);
  DecodeSegmentHeader(bytes);
  DecodeRetireMark(bytes);
  SegmentUse use = {5, 7};
  // With a batch of its own in it, the segment is of that use.
  if (const auto found = FindUse(bytes, 1, 0)) use = *found;
  const SegmentContents contents = ScanSegment(bytes, use, static_cast<uint32_t>(size / 2));
  CheckEntries(contents, bytes);
  for (const EntryRef& entry : contents.entries) {
    CHECK(entry.offset + uint64_t{entry.length} <= size);
    CHECK(EntryIntact(use, entry.offset, bytes.subspan(entry.offset, entry.length)));
  }
  Footer footer;
  if (const auto found = DecodeFooter(bytes)) footer = *found;
  footer.index_bytes = static_cast<uint32_t>(size);
  if (const auto index = ReadIndex(bytes, footer)) CheckEntries(*index, bytes);
  return 0;
}
