// MessageMeta: what the spool knows of a message besides its body, in its encoded form.
//
// A meta holds the envelope (reverse-path, recipients), what was decided when the message was
// accepted (destination groups, periods), the headers that we add (the prefix) and where the body
// is. It is the first part of a message's entry in the log and of the window that a ticket carries,
// so the sending shard reads it in place: decoding copies nothing, every field is a view into the
// bytes.
//
// MetaBuilder writes it, MetaView reads it. The bytes may come from a damaged disk: MetaView::Parse
// checks every bound and then the accessors cannot leave the bytes. docs/spool-format.md has the
// layout. Readers skip what a later version appends to the fixed part and to the head of a group
// (each carries its own length), so a newer meta stays readable.
//
// A message that took the place of another one, with a new envelope (queue/redirector.h), keeps the
// original one for who wants to go back to it. What the sender asked for of notifications has a
// part of its own (queue/dsn_block.h).
#ifndef OUTBOX_QUEUE_MESSAGE_META_H_
#define OUTBOX_QUEUE_MESSAGE_META_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "queue/dsn_block.h"

namespace outbox::queue {

// Message flags, in the meta and in Message::flags.
inline constexpr uint8_t kFlagGenerated = 1;   // made by us: a DSN
inline constexpr uint8_t kFlagEightBit = 2;    // the body has octets above 127 (RFC 6152)
inline constexpr uint8_t kFlagNullSender = 4;  // reverse-path <>
inline constexpr uint8_t kFlagExtents = 8;     // the body lies in extents; set by MetaBuilder
// Its client has said SMTPUTF8, and its header section has octets above 127 (RFC 6531, RFC 6532).
inline constexpr uint8_t kFlagUtf8Header = 16;
// Some recipient has NOTIFY=SUCCESS; set by MetaBuilder.
inline constexpr uint8_t kFlagWantsSuccess = 128;

// A piece of a body in an extent segment, at most kExtentBytesMax (core/limits.h) long.
struct Extent {
  uint64_t generation = 0;  // of the segment's use
  uint32_t offset = 0;      // in the segment; a multiple of the block size
  uint32_t length = 0;      // bytes of body
  uint32_t crc = 0;         // CRC-32C of these bytes

  bool operator==(const Extent&) const = default;
};

// The periods of a destination group, fixed when the message was accepted.
struct Periods {
  static constexpr uint32_t kNotifyNever = UINT32_MAX;
  uint32_t notify_after_s = kNotifyNever;
  uint32_t retry_until_s = 0;
};

// The recipients of a message that share a destination.
class GroupView {
 public:
  // The destination's key (queue/destination.h) and the route's name at the time of acceptance.
  std::string_view destination() const { return destination_; }
  std::string_view route() const { return route_; }
  const Periods& periods() const { return periods_; }
  // The retry schedule in seconds: delay after attempt i is retry_s(i), the last one repeats.
  // At least one entry. REQUIRES: i < retry_count().
  uint32_t retry_count() const { return retry_count_; }
  uint32_t retry_s(uint32_t i) const;
  // Recipients first() .. first() + count() - 1 of the message.
  uint32_t first() const { return first_; }
  uint32_t count() const { return count_; }

 private:
  friend class MetaView;
  std::string_view destination_;
  std::string_view route_;
  Periods periods_;
  const char* retry_ = nullptr;
  uint32_t retry_count_ = 0;
  uint32_t first_ = 0;
  uint32_t count_ = 0;
  uint32_t index_ = 0;
  uint32_t next_group_ = 0;  // offset of the group behind this one
  uint32_t recipients_ = 0;  // offset of the first recipient
};

class MetaView {
 public:
  // Reads the meta at the start of `bytes`; what is behind it is the body (see body()). Checks the
  // whole structure once, O(size). Nothing if it is damaged. The view lives as long as the bytes.
  static std::optional<MetaView> Parse(std::span<const char> bytes);

  // The inline body behind a meta that was read before, without reading it again. Nothing if the
  // bytes end before it.
  static std::optional<std::span<const char>> Body(std::span<const char> bytes);

  uint64_t id() const { return id_; }
  int64_t accepted_wall_ns() const { return accepted_wall_ns_; }
  uint8_t flags() const { return flags_; }
  bool generated() const { return (flags_ & kFlagGenerated) != 0; }
  bool eight_bit() const { return (flags_ & kFlagEightBit) != 0; }
  bool utf8_header() const { return (flags_ & kFlagUtf8Header) != 0; }
  // "" is the null reverse-path. Without angle brackets.
  std::string_view reverse_path() const { return reverse_path_; }
  // The client's address as text, "" for a message of our own.
  std::string_view client() const { return client_; }
  // Headers that we add in front of the body, in wire form.
  std::string_view prefix() const { return prefix_; }

  // Body in wire form (dot-stuffed, with the ending CRLF.CRLF).
  uint64_t body_bytes() const { return body_bytes_; }
  // Dots that stuffing added; the final dot line is not among them.
  uint32_t stuffed_dots() const { return stuffed_dots_; }
  // The size that MAIL FROM's SIZE= declares (RFC 1870): prefix and body without stuffing and
  // without the final ".CRLF".
  uint64_t smtp_size() const;
  // The inline body that follows the meta in the bytes given to Parse; empty when the body lies in
  // extents, or when the bytes end with the meta (as in an index).
  std::span<const char> body() const { return body_; }

  uint32_t extent_count() const { return extent_count_; }
  Extent extent(uint32_t i) const;  // REQUIRES: i < extent_count()

  // The envelope that it had before an operator gave it another one; else all of this is empty.
  bool has_original() const { return !original_.empty(); }
  uint64_t original_id() const { return original_id_; }  // of the message that it was
  std::string_view original_reverse_path() const;
  uint32_t original_count() const;
  // Calls `f(address)` for each of its recipients.
  template <typename F>
  void ForEachOriginal(F&& f) const {
    uint32_t at = OriginalRecipientsAt();
    for (uint32_t i = 0; i < original_count(); ++i) f(RecipientAt(&at));
  }
  // As MetaBuilder::SetOriginal takes it.
  std::string_view original() const { return original_; }

  // What its sender asked for.
  const DsnBlock& dsn() const { return dsn_; }

  uint32_t recipient_count() const { return recipient_count_; }
  uint32_t group_count() const { return group_count_; }
  // Iteration without allocation, in ascending order of destination key:
  //   GroupView group;
  //   for (bool more = meta.FirstGroup(&group); more; more = meta.NextGroup(&group)) ...
  bool FirstGroup(GroupView* group) const;
  bool NextGroup(GroupView* group) const;
  // The group with this index, O(groups). REQUIRES: index < group_count().
  GroupView Group(uint32_t index) const;
  // Calls `f(index in the message, address)` for the recipients of a group, in order.
  template <typename F>
  void ForEachRecipient(const GroupView& group, F&& f) const {
    uint32_t at = group.recipients_;
    for (uint32_t i = 0; i < group.count(); ++i) f(group.first() + i, RecipientAt(&at));
  }
  // The address of one recipient, O(recipients of its group). REQUIRES: index < recipient_count().
  std::string_view Recipient(uint32_t index) const;

  // Encoded size: where the body begins.
  uint32_t meta_bytes() const { return static_cast<uint32_t>(bytes_.size()); }
  std::span<const char> bytes() const { return bytes_; }

 private:
  // The groups end at `end` and have all recipients.
  bool GroupsFit(uint64_t end) const;
  bool ReadGroup(uint32_t offset, uint32_t first, GroupView* group) const;
  std::string_view RecipientAt(uint32_t* offset) const;
  uint32_t OriginalRecipientsAt() const;
  static bool IsOriginal(std::string_view bytes);

  std::span<const char> bytes_;  // the meta alone
  std::span<const char> body_;
  uint64_t id_ = 0;
  int64_t accepted_wall_ns_ = 0;
  std::string_view reverse_path_;
  std::string_view client_;
  std::string_view prefix_;
  std::string_view original_;
  DsnBlock dsn_;
  uint64_t original_id_ = 0;
  uint64_t body_bytes_ = 0;
  uint32_t stuffed_dots_ = 0;
  uint32_t recipient_count_ = 0;
  uint32_t group_count_ = 0;
  uint32_t extent_count_ = 0;
  uint32_t groups_at_ = 0;
  uint32_t extents_at_ = 0;
  uint8_t flags_ = 0;
};

// Builds one meta after another in a buffer of its own, which is kept: no allocation after warm-up.
//
//   builder.Start(store->NewId(), wall_ns, flags, "a@b", "192.0.2.1");
//   for each destination, ascending by key: builder.AddGroup(...), then builder.AddRecipient(...)
//   each builder.SetPrefix(...); builder.SetBody(...) or builder.SetExtents(...) op.meta =
//   builder.Finish();   // stays valid until the next Start
// Overwrites the places of the body in an encoded meta. REQUIRES: Parse takes `meta`; as many
// extents as it has.
void ReplaceExtents(std::span<char> meta, std::span<const Extent> extents);

// An envelope as SetOriginal takes it. REQUIRES: each text below 64 KiB; at least one recipient.
std::string EncodeOriginal(std::string_view reverse_path,
                           std::span<const std::string_view> recipients);

class MetaBuilder {
 public:
  void Start(uint64_t id, int64_t accepted_wall_ns, uint8_t flags, std::string_view reverse_path,
             std::string_view client);
  // Opens a group. REQUIRES: key not below the one before; retry_s not empty, at most 255 entries;
  // destination and route below 64 KiB.
  void AddGroup(std::string_view destination, std::string_view route,
                std::span<const uint32_t> retry_s, const Periods& periods);
  // REQUIRES: a group is open; address below 64 KiB; at most 65,535 recipients in all.
  void AddRecipient(std::string_view address, const smtp::RecipientDsn& dsn = {});
  // Of the message, before its recipients.
  void SetDsn(smtp::DsnReturn ret, std::string_view envid) { dsn_.Start(ret, envid); }
  void SetPrefix(std::string_view prefix) { prefix_.assign(prefix); }
  // The body goes inline, behind the meta (AppendOp::body).
  void SetBody(uint64_t wire_bytes, uint32_t stuffed_dots);
  // The body lies in a finished BodyStream's extents.
  void SetExtents(uint64_t wire_bytes, uint32_t stuffed_dots, std::span<const Extent> extents);
  // The envelope before this one (EncodeOriginal), of the message that had it.
  void SetOriginal(uint64_t id, std::string_view original) {
    original_id_ = id;
    original_.assign(original);
  }
  // Bytes so far of what AddGroup and AddRecipient wrote: for a bound on the envelope.
  size_t envelope_bytes() const { return groups_.size(); }
  // REQUIRES: at least one recipient.
  std::span<const char> Finish();

 private:
  std::string groups_;
  std::string prefix_;
  std::string reverse_path_;
  std::string client_;
  std::string original_;
  DsnBlockBuilder dsn_;
  std::string out_;
  std::string last_key_;
  std::vector<Extent> extents_;
  uint64_t id_ = 0;
  uint64_t original_id_ = 0;
  int64_t accepted_wall_ns_ = 0;
  uint64_t body_bytes_ = 0;
  uint32_t stuffed_dots_ = 0;
  uint32_t group_count_ = 0;
  uint32_t recipient_count_ = 0;
  size_t group_at_ = 0;  // where the open group starts in groups_
  uint8_t flags_ = 0;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_MESSAGE_META_H_
