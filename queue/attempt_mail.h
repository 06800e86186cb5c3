// AttemptMail: what an attempt needs of its message's meta, in memory of its own.
//
// A session may wait for a peer for minutes. What it says in that time (the envelope, the header
// fields that we add) is therefore copied once, and home's window goes back: windows are few, and
// slow peers must not hold them. The body is not copied.
//
// Bounded: the addresses of one ticket's recipients (core/limits.h kTicketRecipients), one prefix,
// and the list of extents of one body.
#ifndef OUTBOX_QUEUE_ATTEMPT_MAIL_H_
#define OUTBOX_QUEUE_ATTEMPT_MAIL_H_

#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "queue/attempt_dsn.h"
#include "queue/message_meta.h"

namespace outbox::queue {

struct Ticket;

class AttemptMail {
 public:
  AttemptMail() = default;
  AttemptMail(const AttemptMail&) = delete;
  AttemptMail& operator=(const AttemptMail&) = delete;

  // Copies what the ticket is about out of its message's part 0. False: that is damaged, or does
  // not have what the ticket says. REQUIRES: !known().
  bool Take(const Ticket& ticket, std::span<const char> part0);
  bool known() const { return known_; }

  // REQUIRES of all these: known(). Views live as long as this.
  std::string_view reverse_path() const { return {text_, reverse_path_bytes_}; }
  std::string_view prefix() const { return {text_ + reverse_path_bytes_, prefix_bytes_}; }
  uint64_t smtp_size() const { return smtp_size_; }
  uint32_t stuffed_dots() const { return stuffed_dots_; }
  bool eight_bit() const { return eight_bit_; }
  bool utf8_header() const { return utf8_header_; }
  int64_t accepted_wall_ns() const { return accepted_wall_ns_; }
  uint32_t extent_count() const { return static_cast<uint32_t>(extents_.size()); }
  const Extent& extent(uint32_t i) const { return extents_[i]; }
  AttemptDsn* dsn() const { return dsn_.get(); }  // null: most mail has none
  // Calls f(bit in the ticket's mask, address) for the ticket's recipients, in order.
  template <typename F>
  void ForEachRecipient(F&& f) const {
    const char* at = text_ + reverse_path_bytes_ + prefix_bytes_;
    const char* const end = text_ + text_bytes_;
    while (at < end) {
      const uint8_t bit = static_cast<uint8_t>(at[0]);
      const size_t size = static_cast<size_t>(static_cast<uint8_t>(at[1])) |
                          static_cast<size_t>(static_cast<uint8_t>(at[2])) << 8;
      f(bit, std::string_view(at + kHeadBytes, size));
      at += kHeadBytes + size;
    }
  }

 private:
  // Before each address: its bit, and its size in two bytes.
  static constexpr size_t kHeadBytes = 3;
  // The envelope of most mail lies within the attempt, and costs no allocation.
  static constexpr size_t kUsualBytes = 600;

  void Append(std::string_view text) {
    if (!text.empty()) std::memcpy(text_ + text_bytes_, text.data(), text.size());
    text_bytes_ += text.size();
  }

  // Reverse-path, prefix, recipients.
  char* text_ = usual_;
  size_t text_bytes_ = 0;
  std::unique_ptr<char[]> long_;  // text_, when it does not fit usual_
  std::vector<Extent> extents_;
  std::unique_ptr<AttemptDsn> dsn_;
  uint64_t smtp_size_ = 0;
  int64_t accepted_wall_ns_ = 0;
  size_t reverse_path_bytes_ = 0;
  size_t prefix_bytes_ = 0;
  uint32_t stuffed_dots_ = 0;
  bool eight_bit_ = false;
  bool utf8_header_ = false;
  bool known_ = false;
  char usual_[kUsualBytes];
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_ATTEMPT_MAIL_H_
