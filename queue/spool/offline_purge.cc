#include "queue/spool/offline_purge.h"

#include <algorithm>
#include <bit>
#include <vector>

#include "core/limits.h"

namespace outbox::queue {
namespace {

// A Maildir takes one recipient at a time; queue/home_tickets.cc has the same rule.
uint32_t PartRecipients(std::string_view destination) {
  return destination.starts_with("maildir:") ? 1 : core::kTicketRecipients;
}

// What a message is that no state entry speaks of: everybody is pending.
std::vector<StatePart> UntouchedParts(const MetaView& meta) {
  std::vector<StatePart> parts;
  GroupView group;
  uint16_t index = 0;
  for (bool more = meta.FirstGroup(&group); more; more = meta.NextGroup(&group), ++index) {
    const uint32_t most = PartRecipients(group.destination());
    for (uint32_t done = 0; done < group.count(); done += most) {
      const uint32_t count = std::min<uint32_t>(most, group.count() - done);
      StatePart part;
      part.first = static_cast<uint16_t>(group.first() + done);
      part.group = index;
      part.mask = count >= 64 ? ~uint64_t{0} : (uint64_t{1} << count) - 1;
      parts.push_back(part);
    }
  }
  return parts;
}

std::vector<StatePart> PartsOf(const MetaView& meta, const StateView& state) {
  if (state.untouched()) return UntouchedParts(meta);
  std::vector<StatePart> parts;
  StatePart part;
  for (uint32_t at = 0; state.Next(&at, &part);) parts.push_back(part);
  return parts;
}

}  // namespace

OfflinePurge PurgeRecipients(const MetaView& meta, const StateView& state,
                             const std::function<bool(std::string_view address)>& wanted,
                             StateBuilder* builder) {
  std::vector<bool> gone(meta.recipient_count());
  GroupView group;
  for (bool more = meta.FirstGroup(&group); more; more = meta.NextGroup(&group)) {
    meta.ForEachRecipient(group, [&](uint32_t index, std::string_view address) {
      if (index < gone.size()) gone[index] = wanted(address);
    });
  }
  OfflinePurge purge;
  builder->Start();
  for (StatePart& part : PartsOf(meta, state)) {
    purge.pending += static_cast<uint32_t>(std::popcount(part.mask));
    for (uint64_t left = part.mask; left != 0; left &= left - 1) {
      const uint32_t index = part.first + static_cast<uint32_t>(std::countr_zero(left));
      if (index >= gone.size() || !gone[index]) continue;
      part.mask &= ~(left & (~left + 1));
      ++purge.purged;
    }
    if (part.mask != 0) builder->Add(part);
  }
  if (purge.purged > 0 && purge.purged < purge.pending) purge.state = builder->Finish();
  return purge;
}

}  // namespace outbox::queue
