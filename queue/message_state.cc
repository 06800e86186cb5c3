#include "queue/message_state.h"

#include <algorithm>

#include "core/check.h"
#include "queue/spool/coding.h"

namespace outbox::queue {
namespace {

constexpr uint16_t kStateVersion = 1;
constexpr uint32_t kStateFixedBytes = 8;
constexpr uint32_t kPartHeadBytes = 40;

// What stands behind the fixed part of a head, in this order.
struct HeadExtra {
  uint8_t flag;
  uint32_t bytes;
};
constexpr HeadExtra kHeadExtras[] = {{kPartReleased, 8}, {kPartPurged, 16}, {kPartPaused, 8}};

// Where that of `flag` stands; 0 for all: how long the head is.
uint32_t HeadAt(uint8_t flags, uint8_t flag) {
  uint32_t at = kPartHeadBytes;
  for (const HeadExtra& extra : kHeadExtras) {
    if (extra.flag == flag) return at;
    if ((flags & extra.flag) != 0) at += extra.bytes;
  }
  return at;
}
uint32_t HeadBytes(uint8_t flags) { return HeadAt(flags, 0); }

// Before the texts of a routing.
constexpr uint32_t kRoutingHeadBytes = 16;

// The bytes of a part from its routing on; nothing if they are not one.
std::optional<PartRouting> ParseRouting(std::string_view bytes) {
  if (bytes.size() < kRoutingHeadBytes) return std::nullopt;
  const char* p = bytes.data();
  const size_t destination = Get<uint16_t>(p + 8);
  const size_t route = Get<uint16_t>(p + 10);
  const size_t retry = size_t{4} * Get<uint16_t>(p + 12);
  if (retry == 0 || kRoutingHeadBytes + retry + destination + route > bytes.size()) {
    return std::nullopt;
  }
  PartRouting routing;
  routing.periods.notify_after_s = Get<uint32_t>(p);
  routing.periods.retry_until_s = Get<uint32_t>(p + 4);
  routing.retry = bytes.substr(kRoutingHeadBytes, retry);
  routing.destination = bytes.substr(kRoutingHeadBytes + retry, destination);
  routing.route = bytes.substr(kRoutingHeadBytes + retry + destination, route);
  return routing;
}

std::string_view Cut(std::string_view text) { return text.substr(0, UINT16_MAX); }

}  // namespace

uint32_t PartRouting::retry_s(uint32_t i) const {
  CHECK(i < retry_count());
  return Get<uint32_t>(retry.data() + size_t{4} * i);
}

std::optional<StateView> StateView::Parse(std::span<const char> bytes) {
  if (bytes.size() < kStateFixedBytes || Get<uint16_t>(bytes.data()) == 0) return std::nullopt;
  StateView view;
  view.bytes_ = bytes;
  view.part_count_ = Get<uint32_t>(bytes.data() + 4);
  uint64_t at = Get<uint16_t>(bytes.data() + 2);
  if (at < kStateFixedBytes || at > bytes.size()) return std::nullopt;
  for (uint32_t i = 0; i < view.part_count_; ++i) {
    if (at + kPartHeadBytes > bytes.size()) return std::nullopt;
    const char* p = bytes.data() + at;
    const uint64_t size = Get<uint32_t>(p);
    const uint64_t strings = uint64_t{Get<uint16_t>(p + 4)} + Get<uint16_t>(p + 32) +
                             Get<uint16_t>(p + 34) + Get<uint16_t>(p + 36);
    if (Get<uint16_t>(p + 4) < HeadBytes(Get<uint8_t>(p + 6)) || size < strings ||
        size > bytes.size() - at) {
      return std::nullopt;
    }
    if ((Get<uint8_t>(p + 6) & kPartRouted) != 0 &&
        !ParseRouting({p + strings, size - strings}).has_value()) {
      return std::nullopt;
    }
    at += size;
  }
  if (at != bytes.size()) return std::nullopt;
  return view;
}

bool StateView::Next(uint32_t* at, StatePart* part) const {
  if (bytes_.empty()) return false;
  if (*at == 0) *at = Get<uint16_t>(bytes_.data() + 2);
  if (*at >= bytes_.size()) return false;
  const char* p = bytes_.data() + *at;
  part->flags = Get<uint8_t>(p + 6);
  part->mask = Get<uint64_t>(p + 8);
  part->next_attempt_wall_ns = Get<int64_t>(p + 16);
  part->first = Get<uint16_t>(p + 24);
  part->group = Get<uint16_t>(p + 26);
  part->attempts = Get<uint16_t>(p + 28);
  part->code = Get<uint16_t>(p + 30);
  const auto extra = [&](uint8_t flag, uint32_t offset) {
    return (part->flags & flag) == 0 ? 0 : Get<int64_t>(p + HeadAt(part->flags, flag) + offset);
  };
  part->released_wall_ns = extra(kPartReleased, 0);
  part->purged_wall_ns = extra(kPartPurged, 0);
  part->final_wall_ns = extra(kPartPurged, 8);
  part->paused_ns = extra(kPartPaused, 0);
  const char* text = p + Get<uint16_t>(p + 4);
  part->enhanced = {text, Get<uint16_t>(p + 32)};
  part->text = {text + part->enhanced.size(), Get<uint16_t>(p + 34)};
  part->mailhost = {text + part->enhanced.size() + part->text.size(), Get<uint16_t>(p + 36)};
  part->routing = PartRouting();
  if ((part->flags & kPartRouted) != 0) {
    const char* routing = part->mailhost.data() + part->mailhost.size();
    const std::optional<PartRouting> parsed =
        ParseRouting({routing, static_cast<size_t>(p + Get<uint32_t>(p) - routing)});
    CHECK(parsed.has_value());  // Parse has seen to it
    part->routing = *parsed;
  }
  *at += Get<uint32_t>(p);
  return true;
}

void StateBuilder::Start() {
  out_.clear();
  part_count_ = 0;
  queue::Add<uint16_t>(&out_, kStateVersion);
  queue::Add<uint16_t>(&out_, kStateFixedBytes);
  queue::Add<uint32_t>(&out_, 0);
}

void StateBuilder::Add(const StatePart& part) {
  const std::string_view enhanced = Cut(part.enhanced);
  const std::string_view text = Cut(part.text);
  const std::string_view mailhost = Cut(part.mailhost);
  const uint32_t head = HeadBytes(part.flags);
  const bool routed = (part.flags & kPartRouted) != 0;
  const PartRouting& routing = part.routing;
  CHECK(!routed ||
        (routing.retry_count() > 0 && routing.retry_count() <= UINT16_MAX &&
         routing.destination.size() <= UINT16_MAX && routing.route.size() <= UINT16_MAX));
  const size_t size = head + enhanced.size() + text.size() + mailhost.size() +
                      (routed ? kRoutingHeadBytes + routing.retry.size() +
                                    routing.destination.size() + routing.route.size()
                              : 0);
  queue::Add<uint32_t>(&out_, static_cast<uint32_t>(size));
  queue::Add<uint16_t>(&out_, static_cast<uint16_t>(head));
  queue::Add<uint16_t>(&out_, part.flags);
  queue::Add<uint64_t>(&out_, part.mask);
  queue::Add<int64_t>(&out_, part.next_attempt_wall_ns);
  queue::Add<uint16_t>(&out_, part.first);
  queue::Add<uint16_t>(&out_, part.group);
  queue::Add<uint16_t>(&out_, part.attempts);
  queue::Add<uint16_t>(&out_, part.code);
  queue::Add<uint16_t>(&out_, static_cast<uint16_t>(enhanced.size()));
  queue::Add<uint16_t>(&out_, static_cast<uint16_t>(text.size()));
  queue::Add<uint16_t>(&out_, static_cast<uint16_t>(mailhost.size()));
  queue::Add<uint16_t>(&out_, 0);
  if ((part.flags & kPartReleased) != 0) queue::Add<int64_t>(&out_, part.released_wall_ns);
  if ((part.flags & kPartPurged) != 0) {
    queue::Add<int64_t>(&out_, part.purged_wall_ns);
    queue::Add<int64_t>(&out_, part.final_wall_ns);
  }
  if ((part.flags & kPartPaused) != 0) queue::Add<int64_t>(&out_, part.paused_ns);
  out_.append(enhanced).append(text).append(mailhost);
  if (routed) {
    queue::Add<uint32_t>(&out_, routing.periods.notify_after_s);
    queue::Add<uint32_t>(&out_, routing.periods.retry_until_s);
    queue::Add<uint16_t>(&out_, static_cast<uint16_t>(routing.destination.size()));
    queue::Add<uint16_t>(&out_, static_cast<uint16_t>(routing.route.size()));
    queue::Add<uint16_t>(&out_, static_cast<uint16_t>(routing.retry_count()));
    queue::Add<uint16_t>(&out_, 0);
    out_.append(routing.retry).append(routing.destination).append(routing.route);
  }
  ++part_count_;
}

std::span<const char> StateBuilder::Finish() {
  CHECK(out_.size() >= kStateFixedBytes);
  Put<uint32_t>(&out_[4], part_count_);
  return out_;
}

}  // namespace outbox::queue
