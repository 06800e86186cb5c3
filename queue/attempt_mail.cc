#include "queue/attempt_mail.h"

#include <bit>
#include <optional>

#include "core/check.h"
#include "queue/ticket.h"

namespace outbox::queue {

bool AttemptMail::Take(const Ticket& ticket, std::span<const char> part0) {
  CHECK(!known_);
  const std::optional<MetaView> meta = MetaView::Parse(part0);
  if (!meta.has_value() || ticket.group >= meta->group_count() ||
      ticket.first + static_cast<uint32_t>(std::bit_width(ticket.mask)) > meta->recipient_count()) {
    return false;
  }
  reverse_path_bytes_ = meta->reverse_path().size();
  prefix_bytes_ = meta->prefix().size();
  const GroupView group = meta->Group(ticket.group);
  const auto for_each = [&](auto&& f) {
    meta->ForEachRecipient(group, [&](uint32_t index, std::string_view to) {
      if (index < ticket.first || index - ticket.first >= 64) return;
      const uint32_t bit = index - ticket.first;
      if ((ticket.mask >> bit & 1) != 0) f(bit, to);
    });
  };
  uint64_t found = 0;
  size_t bytes = reverse_path_bytes_ + prefix_bytes_;
  for_each([&](uint32_t bit, std::string_view to) {
    found |= uint64_t{1} << bit;
    bytes += kHeadBytes + to.size();
  });
  if (found != ticket.mask) return false;
  if (bytes > kUsualBytes) {
    long_ = std::make_unique<char[]>(bytes);
    text_ = long_.get();
  }
  Append(meta->reverse_path());
  Append(meta->prefix());
  for_each([&](uint32_t bit, std::string_view to) {
    const char head[kHeadBytes] = {static_cast<char>(bit), static_cast<char>(to.size() & 0xff),
                                   static_cast<char>(to.size() >> 8)};
    Append({head, kHeadBytes});
    Append(to);
  });
  CHECK(text_bytes_ == bytes);
  smtp_size_ = meta->smtp_size();
  stuffed_dots_ = meta->stuffed_dots();
  accepted_wall_ns_ = meta->accepted_wall_ns();
  eight_bit_ = meta->eight_bit();
  utf8_header_ = meta->utf8_header();
  extents_.reserve(meta->extent_count());
  for (uint32_t i = 0; i < meta->extent_count(); ++i) extents_.push_back(meta->extent(i));
  if (!meta->dsn().empty()) dsn_ = std::make_unique<AttemptDsn>(*meta, ticket);
  known_ = true;
  return true;
}

}  // namespace outbox::queue
