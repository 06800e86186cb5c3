// What is written of a redirection: the meta of the message that takes the place of another one,
// and its first state, where there is more to say of it than that it is new.
#include <algorithm>
#include <bit>
#include <string>
#include <tuple>
#include <vector>

#include "queue/destination_key.h"
#include "queue/directory.h"
#include "queue/home.h"
#include "queue/redirection.h"

namespace outbox::queue {
namespace {

struct RoutedRecipient {
  std::string key;
  std::string route;
  std::string address;
  std::span<const uint32_t> retry_s;  // the router's
  Periods periods;
  smtp::RecipientDsn dsn;
  size_t number = 0;  // as they were given

  bool SharesGroup(const RoutedRecipient& other) const {
    return key == other.key && route == other.route;
  }
};

// Whom the new message is for: `order` says so, or its original envelope, or those it is for now.
std::vector<std::string> NewRecipients(const RouteOrder& order, const MetaView& meta,
                                       const std::vector<std::string_view>& replaced) {
  if (!order.to.empty()) return order.to;
  std::vector<std::string> recipients;
  if (order.original) {
    meta.ForEachOriginal([&](std::string_view address) { recipients.emplace_back(address); });
  } else {
    recipients.assign(replaced.begin(), replaced.end());
  }
  return recipients;
}

struct ReplacedRecipient {
  std::string_view address;
  smtp::RecipientDsn dsn;
};

// Who stays has what was asked for before. For who takes the place of others the sender wants to
// hear what was wanted of all of these, if that was the same; the address that these were sent to
// first is known of one alone.
smtp::RecipientDsn DsnOf(std::string_view address, const std::vector<ReplacedRecipient>& replaced) {
  for (const ReplacedRecipient& one : replaced) {
    if (one.address == address) return one.dsn;
  }
  smtp::RecipientDsn dsn = replaced.front().dsn;
  if (replaced.size() > 1) dsn.orcpt = {};
  for (const ReplacedRecipient& one : replaced) {
    if (one.dsn.notify != dsn.notify) dsn.notify = 0;
  }
  return dsn;
}

}  // namespace

// The body of the new message is that of the old one.
void Redirector::ShareBody(Redirection* redirection, const MetaView& meta) {
  CommitOp::NewMessage& fresh = redirection->fresh;
  fresh.body_of = nullptr;
  fresh.body = {};
  if (meta.extent_count() > 0) {
    std::vector<Extent> extents;
    for (uint32_t i = 0; i < meta.extent_count(); ++i) extents.push_back(meta.extent(i));
    redirection->meta.SetExtents(meta.body_bytes(), meta.stuffed_dots(), extents);
    fresh.body_of = redirection->message;
  } else {
    redirection->meta.SetBody(meta.body_bytes(), meta.stuffed_dots());
    redirection->body_part = {const_cast<char*>(meta.body().data()), meta.body().size()};
    fresh.body = {&redirection->body_part, 1};
  }
}

// `carries_original`: nothing but what is replaced is left of the message, so that its original
// envelope, if it has one, becomes that of the new one. Otherwise a part of it would be two
// messages'.
void Redirector::MakeMeta(Redirection* redirection, const MetaView& meta, std::string_view body,
                          bool carries_original) {
  const RouteOrder& order = *redirection->order;
  std::vector<std::string_view> replaced;
  std::vector<ReplacedRecipient> asked;
  bool released = true;
  for (HomeTicket* ticket = redirection->tickets.front(); ticket != nullptr;
       ticket = redirection->tickets.Next(ticket)) {
    released = released && ticket->released;
    for (uint64_t mask = ticket->mask; mask != 0; mask &= mask - 1) {
      const uint32_t index = ticket->first + static_cast<uint32_t>(std::countr_zero(mask));
      replaced.push_back(meta.Recipient(index));
      asked.push_back({replaced.back(), meta.dsn().Of(index)});
    }
  }
  const bool back = order.original && order.to.empty();
  std::string_view sender = order.from.has_value() ? std::string_view(*order.from)
                            : back                 ? meta.original_reverse_path()
                                                   : meta.reverse_path();
  if (meta.generated()) sender = {};  // a bounce of ours never bounces
  StoredFacts facts(meta, body, &header_, released);
  facts->sender = sender;
  facts->source = SourceOf(redirection->tickets.front()->destination->key);
  std::vector<RoutedRecipient> routed;
  for (const std::string& address : NewRecipients(order, meta, replaced)) {
    const RouteChoice choice = order.Choose(home_->router(), address, *facts);
    const bool there = std::any_of(routed.begin(), routed.end(), [&](const RoutedRecipient& one) {
      return one.address == choice.recipient;
    });
    if (choice.local && there) continue;  // one mailbox by several names
    routed.push_back({std::string(choice.destination), std::string(choice.route),
                      std::string(choice.recipient), choice.retry_s, choice.periods,
                      DsnOf(address, asked), routed.size()});
  }
  std::sort(routed.begin(), routed.end(), [](const auto& a, const auto& b) {
    return std::tie(a.key, a.route, a.number) < std::tie(b.key, b.route, b.number);
  });
  uint8_t flags = meta.flags() & (kFlagGenerated | kFlagEightBit | kFlagUtf8Header);
  if (sender.empty()) flags |= kFlagNullSender;
  MetaBuilder& builder = redirection->meta;
  builder.Start(redirection->new_id, meta.accepted_wall_ns(), flags, sender, meta.client());
  builder.SetDsn(meta.dsn().ret(), meta.dsn().envid());
  for (size_t i = 0; i < routed.size(); ++i) {
    const RoutedRecipient& one = routed[i];
    if (i == 0 || !one.SharesGroup(routed[i - 1])) {
      builder.AddGroup(one.key, one.route, one.retry_s, one.periods);
    }
    builder.AddRecipient(one.address, one.dsn);
  }
  builder.SetPrefix(meta.prefix());
  if (!back) {
    if (carries_original && meta.has_original()) {
      builder.SetOriginal(meta.original_id(), meta.original());
    } else {
      builder.SetOriginal(redirection->id, EncodeOriginal(meta.reverse_path(), replaced));
    }
  }
  ShareBody(redirection, meta);
  redirection->fresh.meta = builder.Finish();
  redirection->fresh.message = nullptr;
}

// Mail that an operator holds stays held; mail that a route held, and does not any more, has all
// its periods before it; the time for which it was purged does not count in the new message,
// either; who was told of the delay is not told again.
void Redirector::MakeState(Redirection* redirection) {
  bool notified = false;
  bool was_held = false;
  int64_t released_ns = INT64_MIN;
  int64_t paused_ns = 0;
  redirection->held = false;
  for (HomeTicket* ticket = redirection->tickets.front(); ticket != nullptr;
       ticket = redirection->tickets.Next(ticket)) {
    notified = notified || ticket->notified;
    const bool by_route = ticket->destination->action == core::RouteAction::kHold;
    was_held = was_held || by_route;
    redirection->held = redirection->held || (!by_route && ticket->hold != 0);
    if (ticket->released) released_ns = std::max(released_ns, ticket->released_ns);
    paused_ns = std::max(paused_ns, ticket->paused_ns);
  }
  const bool pinned = redirection->order->pinned();
  redirection->fresh.state = {};
  const bool released = was_held || released_ns != INT64_MIN;
  if (!notified && !redirection->held && !released && !pinned && paused_ns == 0) return;
  if (was_held) {
    released_ns = io_->now_ns();
    paused_ns = 0;
  }
  const std::optional<MetaView> meta = MetaView::Parse(redirection->fresh.meta);
  redirection->new_state.Start();
  GroupView group;
  uint16_t index = 0;
  for (bool more = meta->FirstGroup(&group); more; more = meta->NextGroup(&group), ++index) {
    StatePart part;
    part.group = index;
    part.next_attempt_wall_ns = io_->wall_ns();
    if (notified) part.flags |= kPartNotified;
    if (redirection->held) part.flags |= kPartHeld;
    if (released && ActionOf(group.destination()) != core::RouteAction::kHold) {
      part.flags |= kPartReleased;
      part.released_wall_ns = io_->wall_ns() - (io_->now_ns() - released_ns);
    }
    if (paused_ns != 0) {
      part.flags |= kPartPaused;
      part.paused_ns = paused_ns;
    }
    std::string retry;
    if (pinned) {
      part.flags |= kPartRouted | kPartPinned;
      for (uint32_t i = 0; i < group.retry_count(); ++i) {
        const uint32_t seconds = group.retry_s(i);
        retry.append(reinterpret_cast<const char*>(&seconds), sizeof(seconds));
      }
      part.routing = {group.destination(), group.route(), group.periods(), retry};
    }
    const uint32_t most = TicketRecipientsFor(group.destination());
    for (uint32_t done = 0; done < group.count(); done += most) {
      const uint32_t count = std::min(most, group.count() - done);
      part.first = static_cast<uint16_t>(group.first() + done);
      part.mask = count == 64 ? ~uint64_t{0} : (uint64_t{1} << count) - 1;
      redirection->new_state.Add(part);
    }
  }
  redirection->fresh.state = redirection->new_state.Finish();
}

}  // namespace outbox::queue
