// Any bytes as a meta and as a state: refused, or every accessor stays inside them.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "core/check.h"
#include "queue/message_meta.h"
#include "queue/message_state.h"

namespace {

using namespace outbox::queue;  // NOLINT: a program of its own

void CheckInside(std::string_view part, std::span<const char> bytes) {
  CHECK(part.data() >= bytes.data() && part.data() + part.size() <= bytes.data() + bytes.size());
}

void CheckMeta(const MetaView& meta, std::span<const char> bytes) {
  CheckInside(meta.reverse_path(), bytes);
  CheckInside(meta.client(), bytes);
  CheckInside(meta.prefix(), bytes);
  CHECK(meta.meta_bytes() + meta.body().size() == bytes.size());
  for (uint32_t i = 0; i < meta.extent_count(); ++i) meta.extent(i);
  uint32_t recipients = 0;
  uint32_t groups = 0;
  GroupView group;
  for (bool more = meta.FirstGroup(&group); more; more = meta.NextGroup(&group)) {
    ++groups;
    CheckInside(group.destination(), bytes);
    CheckInside(group.route(), bytes);
    for (uint32_t i = 0; i < group.retry_count(); ++i) group.retry_s(i);
    meta.ForEachRecipient(group, [&](uint32_t index, std::string_view address) {
      CHECK(index == recipients++);
      CheckInside(address, bytes);
    });
  }
  CHECK(groups == meta.group_count() && recipients == meta.recipient_count());
  CheckInside(meta.Recipient(meta.recipient_count() - 1), bytes);
  uint32_t next = 0;
  if (!meta.dsn().empty()) CheckInside(meta.dsn().envid(), bytes);
  meta.dsn().ForEach([&](uint32_t index, const outbox::smtp::RecipientDsn& dsn) {
    CHECK(index >= next && index < meta.recipient_count());
    CHECK(outbox::smtp::IsNotify(dsn.notify));
    CheckInside(dsn.orcpt, bytes);
    CHECK(meta.dsn().Of(index).orcpt.data() == dsn.orcpt.data());
    next = index + 1;
  });
  if (!meta.has_original()) return;
  CheckInside(meta.original(), bytes);
  CheckInside(meta.original_reverse_path(), bytes);
  uint32_t originals = 0;
  meta.ForEachOriginal([&](std::string_view address) {
    ++originals;
    CheckInside(address, bytes);
  });
  CHECK(originals == meta.original_count() && originals > 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const char> bytes(reinterpret_cast<const char*>(data), size);
  if (const auto meta = MetaView::Parse(bytes)) CheckMeta(*meta, bytes);
  if (const auto state = StateView::Parse(bytes)) {
    uint32_t parts = 0;
    StatePart part;
    for (uint32_t at = 0; state->Next(&at, &part); ++parts) {
      CheckInside(part.enhanced, bytes);
      CheckInside(part.text, bytes);
      CheckInside(part.mailhost, bytes);
      if ((part.flags & kPartRouted) == 0) continue;
      CheckInside(part.routing.destination, bytes);
      CheckInside(part.routing.route, bytes);
      CHECK(part.routing.retry_count() > 0);
      for (uint32_t i = 0; i < part.routing.retry_count(); ++i) part.routing.retry_s(i);
    }
    CHECK(parts == state->part_count());
  }
  return 0;
}
