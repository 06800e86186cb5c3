// DsnBlock: the part of a meta that holds what the sender asked for of notifications (RFC 3461;
// smtp/dsn_parameters.h): RET and ENVID of the message, NOTIFY and ORCPT of its recipients.
//
// Mail without any of them, which is most mail, has no such part. It is read in place: views into
// the bytes of the meta. docs/spool-format.md has the layout.
#ifndef OUTBOX_QUEUE_DSN_BLOCK_H_
#define OUTBOX_QUEUE_DSN_BLOCK_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "queue/spool/coding.h"
#include "smtp/dsn_parameters.h"

namespace outbox::queue {

class DsnBlock {
 public:
  // Nothing was asked for.
  DsnBlock() = default;
  // REQUIRES: IsOne.
  explicit DsnBlock(std::string_view bytes) : bytes_(bytes) {}
  // The bytes are one, for a message with so many recipients: checks every bound, and that the
  // values can be written into a command. O(size).
  static bool IsOne(std::string_view bytes, uint32_t recipients);

  bool empty() const { return bytes_.empty(); }
  smtp::DsnReturn ret() const {
    return empty() ? smtp::DsnReturn::kUnspecified
                   : static_cast<smtp::DsnReturn>(Get<uint8_t>(bytes_.data()));
  }
  std::string_view envid() const {  // xtext
    return empty() ? std::string_view() : bytes_.substr(kHead, Get<uint16_t>(bytes_.data() + 2));
  }
  // Calls f(index of the recipient in the message, RecipientDsn) for those that have any,
  // ascending.
  template <typename F>
  void ForEach(F&& f) const {
    size_t at = kHead + envid().size();
    while (at < bytes_.size()) {
      const char* p = bytes_.data() + at;
      const smtp::RecipientDsn dsn{Get<uint8_t>(p + 2), {p + kEntryHead, Get<uint16_t>(p + 4)}};
      f(uint32_t{Get<uint16_t>(p)}, dsn);
      at += kEntryHead + dsn.orcpt.size();
    }
  }
  // Of one recipient, O(recipients).
  smtp::RecipientDsn Of(uint32_t index) const;

 private:
  friend class DsnBlockBuilder;
  static constexpr size_t kHead = 8;
  static constexpr size_t kEntryHead = 6;

  std::string_view bytes_;
};

// Reusable.
class DsnBlockBuilder {
 public:
  void Start(smtp::DsnReturn ret, std::string_view envid);
  // REQUIRES: `index` above those before; values as they were parsed (smtp/dsn_parameters.h).
  void Add(uint16_t index, const smtp::RecipientDsn& dsn);
  // Some recipient's sender wants to hear of success.
  bool wants_success() const { return wants_success_; }
  // "" if nothing was asked for. Valid until the next Start.
  const std::string& Finish();

 private:
  std::string out_;
  bool any_ = false;
  bool wants_success_ = false;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_DSN_BLOCK_H_
