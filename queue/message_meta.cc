#include "queue/message_meta.h"

#include <limits>

#include "core/check.h"
#include "queue/spool/coding.h"

namespace outbox::queue {
namespace {

constexpr uint16_t kMetaVersion = 1;
constexpr uint32_t kFixedBytes = 64;
// With an original envelope: its bytes (4), 0 (4), the id of the message that had it (8).
constexpr uint16_t kOriginalMetaVersion = 2;
constexpr uint32_t kOriginalFixedBytes = 80;
// With what the sender asked for of notifications: all of that, the bytes of it (4), 0 (4).
constexpr uint16_t kDsnMetaVersion = 3;
constexpr uint32_t kDsnFixedBytes = 88;
constexpr uint32_t kExtentBytes = 24;
constexpr uint32_t kGroupHeadBytes = 24;

void PutExtents(char* at, std::span<const Extent> extents) {
  for (const Extent& extent : extents) {
    Put<uint64_t>(at, extent.generation);
    Put<uint32_t>(at + 8, extent.offset);
    Put<uint32_t>(at + 12, extent.length);
    Put<uint32_t>(at + 16, extent.crc);
    Put<uint32_t>(at + 20, 0);
    at += kExtentBytes;
  }
}

}  // namespace

uint32_t GroupView::retry_s(uint32_t i) const {
  CHECK(i < retry_count_);
  return Get<uint32_t>(retry_ + size_t{4} * i);
}

std::optional<MetaView> MetaView::Parse(std::span<const char> bytes) {
  if (bytes.size() < kFixedBytes) return std::nullopt;
  const char* p = bytes.data();
  const uint32_t total = Get<uint32_t>(p);
  const uint16_t fixed = Get<uint16_t>(p + 6);
  if (total > bytes.size() || fixed < kFixedBytes || fixed > total || Get<uint16_t>(p + 4) == 0) {
    return std::nullopt;
  }
  MetaView view;
  view.bytes_ = bytes.first(total);
  view.body_ = bytes.subspan(total);
  view.id_ = Get<uint64_t>(p + 8);
  view.accepted_wall_ns_ = Get<int64_t>(p + 16);
  view.flags_ = Get<uint8_t>(p + 24);
  view.stuffed_dots_ = Get<uint32_t>(p + 28);
  view.body_bytes_ = Get<uint64_t>(p + 32);
  view.group_count_ = Get<uint32_t>(p + 40);
  view.recipient_count_ = Get<uint32_t>(p + 44);
  view.extent_count_ = Get<uint32_t>(p + 48);
  const uint64_t prefix = Get<uint32_t>(p + 52);
  const uint64_t path = Get<uint16_t>(p + 56);
  const uint64_t client = Get<uint16_t>(p + 58);
  const uint64_t groups = Get<uint32_t>(p + 60);
  const uint64_t extents = uint64_t{view.extent_count_} * kExtentBytes;
  const bool rerouted =
      Get<uint16_t>(p + 4) >= kOriginalMetaVersion && fixed >= kOriginalFixedBytes;
  const uint64_t original = rerouted ? Get<uint32_t>(p + 64) : 0;
  const bool asks = Get<uint16_t>(p + 4) >= kDsnMetaVersion && fixed >= kDsnFixedBytes;
  const uint64_t dsn = asks ? Get<uint32_t>(p + 80) : 0;
  if (fixed + extents + path + client + groups + prefix + original + dsn != total) {
    return std::nullopt;
  }
  view.extents_at_ = fixed;
  uint64_t at = fixed + extents;
  view.reverse_path_ = {p + at, path};
  view.client_ = {p + at + path, client};
  view.groups_at_ = static_cast<uint32_t>(at + path + client);
  view.prefix_ = {p + view.groups_at_ + groups, prefix};
  if (original > 0) {
    view.original_ = {p + total - dsn - original, original};
    view.original_id_ = Get<uint64_t>(p + 72);
    if (!IsOriginal(view.original_)) return std::nullopt;
  }
  if (view.recipient_count_ == 0 || view.recipient_count_ > UINT16_MAX + 1u) return std::nullopt;

  if (!view.GroupsFit(view.groups_at_ + groups)) return std::nullopt;
  if (dsn > 0) {
    const std::string_view block(p + total - dsn, dsn);
    if (!DsnBlock::IsOne(block, view.recipient_count_)) return std::nullopt;
    view.dsn_ = DsnBlock(block);
  }
  return view;
}

bool MetaView::GroupsFit(uint64_t end) const {
  uint64_t recipients = 0;
  uint32_t offset = groups_at_;
  for (uint32_t i = 0; i < group_count_; ++i) {
    GroupView group;
    if (offset + uint64_t{kGroupHeadBytes} > end ||
        !ReadGroup(offset, static_cast<uint32_t>(recipients), &group) || group.next_group_ > end ||
        group.retry_count_ == 0) {
      return false;
    }
    uint32_t r = group.recipients_;
    for (uint32_t n = 0; n < group.count_; ++n) {
      if (r + 2u > group.next_group_) return false;
      r += 2u + Get<uint16_t>(bytes_.data() + r);
    }
    if (r != group.next_group_) return false;
    recipients += group.count_;
    offset = group.next_group_;
  }
  return offset == end && recipients == recipient_count_;
}

std::optional<std::span<const char>> MetaView::Body(std::span<const char> bytes) {
  if (bytes.size() < kFixedBytes) return std::nullopt;
  const uint32_t total = Get<uint32_t>(bytes.data());
  if (total > bytes.size()) return std::nullopt;
  return bytes.subspan(total);
}

// Bounds: the head lies inside the meta (checked by the caller); everything else is checked here.
bool MetaView::ReadGroup(uint32_t offset, uint32_t first, GroupView* group) const {
  const char* p = bytes_.data() + offset;
  const uint32_t size = Get<uint32_t>(p);
  const uint32_t head = Get<uint16_t>(p + 4);
  const uint32_t destination = Get<uint16_t>(p + 6);
  const uint32_t route = Get<uint16_t>(p + 8);
  group->retry_count_ = Get<uint16_t>(p + 10);
  group->periods_.notify_after_s = Get<uint32_t>(p + 12);
  group->periods_.retry_until_s = Get<uint32_t>(p + 16);
  group->count_ = Get<uint32_t>(p + 20);
  group->first_ = first;
  const uint64_t strings = uint64_t{head} + 4 * uint64_t{group->retry_count_};
  if (head < kGroupHeadBytes || size > bytes_.size() - offset ||
      strings + destination + route > size || group->count_ > size) {
    return false;
  }
  group->retry_ = p + head;
  group->destination_ = {p + strings, destination};
  group->route_ = {p + strings + destination, route};
  group->recipients_ = offset + static_cast<uint32_t>(strings) + destination + route;
  group->next_group_ = offset + size;
  return true;
}

std::string_view MetaView::RecipientAt(uint32_t* offset) const {
  const char* p = bytes_.data() + *offset;
  const uint16_t length = Get<uint16_t>(p);
  *offset += 2u + length;
  return {p + 2, length};
}

// Count of recipients (4), bytes of reverse-path (2), the path, and the recipients as in a group.
bool MetaView::IsOriginal(std::string_view bytes) {
  constexpr size_t kHead = 6;
  if (bytes.size() < kHead) return false;
  const uint32_t count = Get<uint32_t>(bytes.data());
  uint64_t at = kHead + Get<uint16_t>(bytes.data() + 4);
  if (count == 0) return false;
  for (uint32_t i = 0; i < count; ++i) {
    if (at + 2 > bytes.size()) return false;
    at += 2u + Get<uint16_t>(bytes.data() + at);
  }
  return at == bytes.size();
}

uint32_t MetaView::original_count() const {
  return original_.empty() ? 0 : Get<uint32_t>(original_.data());
}

std::string_view MetaView::original_reverse_path() const {
  return original_.empty() ? std::string_view()
                           : original_.substr(6, Get<uint16_t>(original_.data() + 4));
}

uint32_t MetaView::OriginalRecipientsAt() const {
  if (original_.empty()) return 0;
  return static_cast<uint32_t>(original_.data() - bytes_.data()) + 6 +
         Get<uint16_t>(original_.data() + 4);
}

uint64_t MetaView::smtp_size() const {
  constexpr uint64_t kFinalDot = 3;  // ".CRLF"
  const uint64_t added = uint64_t{stuffed_dots_} + kFinalDot;
  return prefix_.size() + (body_bytes_ > added ? body_bytes_ - added : 0);
}

Extent MetaView::extent(uint32_t i) const {
  CHECK(i < extent_count_);
  const char* p = bytes_.data() + extents_at_ + size_t{i} * kExtentBytes;
  Extent extent;
  extent.generation = Get<uint64_t>(p);
  extent.offset = Get<uint32_t>(p + 8);
  extent.length = Get<uint32_t>(p + 12);
  extent.crc = Get<uint32_t>(p + 16);
  return extent;
}

bool MetaView::FirstGroup(GroupView* group) const {
  if (group_count_ == 0) return false;
  group->index_ = 0;
  return ReadGroup(groups_at_, 0, group);
}

bool MetaView::NextGroup(GroupView* group) const {
  const uint32_t index = group->index_ + 1;
  if (index >= group_count_) return false;
  const uint32_t first = group->first_ + group->count_;
  group->index_ = index;
  return ReadGroup(group->next_group_, first, group);
}

GroupView MetaView::Group(uint32_t index) const {
  CHECK(index < group_count_);
  GroupView group;
  FirstGroup(&group);
  while (group.index_ < index) NextGroup(&group);
  return group;
}

std::string_view MetaView::Recipient(uint32_t index) const {
  CHECK(index < recipient_count_);
  GroupView group;
  FirstGroup(&group);
  while (group.first_ + group.count_ <= index) NextGroup(&group);
  uint32_t at = group.recipients_;
  for (uint32_t i = group.first_; i < index; ++i) RecipientAt(&at);
  return RecipientAt(&at);
}

void MetaBuilder::Start(uint64_t id, int64_t accepted_wall_ns, uint8_t flags,
                        std::string_view reverse_path, std::string_view client) {
  CHECK(reverse_path.size() <= UINT16_MAX && client.size() <= UINT16_MAX);
  groups_.clear();
  prefix_.clear();
  extents_.clear();
  last_key_.clear();
  original_.clear();
  original_id_ = 0;
  dsn_.Start(smtp::DsnReturn::kUnspecified, {});
  reverse_path_.assign(reverse_path);
  client_.assign(client);
  id_ = id;
  accepted_wall_ns_ = accepted_wall_ns;
  flags_ = static_cast<uint8_t>(flags & ~(kFlagExtents | kFlagWantsSuccess));
  body_bytes_ = 0;
  stuffed_dots_ = 0;
  group_count_ = 0;
  recipient_count_ = 0;
  group_at_ = 0;
}

void MetaBuilder::AddGroup(std::string_view destination, std::string_view route,
                           std::span<const uint32_t> retry_s, const Periods& periods) {
  CHECK(destination.size() <= UINT16_MAX && route.size() <= UINT16_MAX);
  CHECK(!retry_s.empty() && retry_s.size() <= UINT8_MAX);
  CHECK(group_count_ == 0 || last_key_ <= destination);
  last_key_.assign(destination);
  group_at_ = groups_.size();
  ++group_count_;
  Add<uint32_t>(&groups_, 0);  // size, kept up to date by AddRecipient
  Add<uint16_t>(&groups_, kGroupHeadBytes);
  Add<uint16_t>(&groups_, static_cast<uint16_t>(destination.size()));
  Add<uint16_t>(&groups_, static_cast<uint16_t>(route.size()));
  Add<uint16_t>(&groups_, static_cast<uint16_t>(retry_s.size()));
  Add<uint32_t>(&groups_, periods.notify_after_s);
  Add<uint32_t>(&groups_, periods.retry_until_s);
  Add<uint32_t>(&groups_, 0);  // recipients
  for (const uint32_t seconds : retry_s) Add<uint32_t>(&groups_, seconds);
  groups_.append(destination).append(route);
  Put<uint32_t>(&groups_[group_at_], static_cast<uint32_t>(groups_.size() - group_at_));
}

void MetaBuilder::AddRecipient(std::string_view address, const smtp::RecipientDsn& dsn) {
  CHECK(group_count_ > 0 && address.size() <= UINT16_MAX && recipient_count_ < UINT16_MAX);
  dsn_.Add(static_cast<uint16_t>(recipient_count_), dsn);
  ++recipient_count_;
  Add<uint16_t>(&groups_, static_cast<uint16_t>(address.size()));
  groups_.append(address);
  char* head = &groups_[group_at_];
  Put<uint32_t>(head, static_cast<uint32_t>(groups_.size() - group_at_));
  Put<uint32_t>(head + 20, Get<uint32_t>(head + 20) + 1);
}

void MetaBuilder::SetBody(uint64_t wire_bytes, uint32_t stuffed_dots) {
  body_bytes_ = wire_bytes;
  stuffed_dots_ = stuffed_dots;
}

void MetaBuilder::SetExtents(uint64_t wire_bytes, uint32_t stuffed_dots,
                             std::span<const Extent> extents) {
  SetBody(wire_bytes, stuffed_dots);
  extents_.assign(extents.begin(), extents.end());
  flags_ |= kFlagExtents;
}

std::span<const char> MetaBuilder::Finish() {
  CHECK(recipient_count_ > 0);
  const std::string& dsn = dsn_.Finish();
  if (dsn_.wants_success()) flags_ |= kFlagWantsSuccess;
  uint16_t version = kMetaVersion;
  uint32_t fixed = kFixedBytes;
  if (!dsn.empty()) {
    version = kDsnMetaVersion;
    fixed = kDsnFixedBytes;
  } else if (!original_.empty()) {
    version = kOriginalMetaVersion;
    fixed = kOriginalFixedBytes;
  }
  const size_t total = fixed + extents_.size() * kExtentBytes + reverse_path_.size() +
                       client_.size() + groups_.size() + prefix_.size() + original_.size() +
                       dsn.size();
  CHECK(total <= std::numeric_limits<int32_t>::max());
  out_.clear();
  Add<uint32_t>(&out_, static_cast<uint32_t>(total));
  Add<uint16_t>(&out_, version);
  Add<uint16_t>(&out_, static_cast<uint16_t>(fixed));
  Add<uint64_t>(&out_, id_);
  Add<int64_t>(&out_, accepted_wall_ns_);
  Add<uint32_t>(&out_, flags_);
  Add<uint32_t>(&out_, stuffed_dots_);
  Add<uint64_t>(&out_, body_bytes_);
  Add<uint32_t>(&out_, group_count_);
  Add<uint32_t>(&out_, recipient_count_);
  Add<uint32_t>(&out_, static_cast<uint32_t>(extents_.size()));
  Add<uint32_t>(&out_, static_cast<uint32_t>(prefix_.size()));
  Add<uint16_t>(&out_, static_cast<uint16_t>(reverse_path_.size()));
  Add<uint16_t>(&out_, static_cast<uint16_t>(client_.size()));
  Add<uint32_t>(&out_, static_cast<uint32_t>(groups_.size()));
  if (version >= kOriginalMetaVersion) {
    Add<uint64_t>(&out_, original_.size());
    Add<uint64_t>(&out_, original_id_);
  }
  if (version >= kDsnMetaVersion) Add<uint64_t>(&out_, dsn.size());
  out_.resize(out_.size() + extents_.size() * kExtentBytes);
  PutExtents(out_.data() + fixed, extents_);
  out_.append(reverse_path_).append(client_).append(groups_).append(prefix_).append(original_);
  out_.append(dsn);
  return out_;
}

std::string EncodeOriginal(std::string_view reverse_path,
                           std::span<const std::string_view> recipients) {
  CHECK(reverse_path.size() <= UINT16_MAX && !recipients.empty());
  std::string out;
  Add<uint32_t>(&out, static_cast<uint32_t>(recipients.size()));
  Add<uint16_t>(&out, static_cast<uint16_t>(reverse_path.size()));
  out.append(reverse_path);
  for (const std::string_view recipient : recipients) {
    CHECK(recipient.size() <= UINT16_MAX);
    Add<uint16_t>(&out, static_cast<uint16_t>(recipient.size()));
    out.append(recipient);
  }
  return out;
}

void ReplaceExtents(std::span<char> meta, std::span<const Extent> extents) {
  const auto view = MetaView::Parse(meta);
  CHECK(view.has_value() && view->extent_count() == extents.size());
  PutExtents(meta.data() + Get<uint16_t>(meta.data() + 6), extents);
}

}  // namespace outbox::queue
