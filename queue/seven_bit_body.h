// SevenBitBody: what an attempt sends to a host without 8BITMIME instead of its message's body.
//
// A window of the body that home lends is read at once, so that it can go back, and what it becomes
// (smtp/seven_bit.h) is lent instead: up to some four times one window in memory, for as long as
// the session sends it. Only hosts without the extension cost that. One for each transaction;
// shard-local.
#ifndef OUTBOX_QUEUE_SEVEN_BIT_BODY_H_
#define OUTBOX_QUEUE_SEVEN_BIT_BODY_H_

#include <span>
#include <string>

#include "core/check.h"
#include "smtp/delivery_source.h"
#include "smtp/seven_bit.h"

namespace outbox::queue {

class SevenBitBody {
 public:
  // Reads the next window. False: the message cannot be converted, see why(). REQUIRES: !lent().
  bool Take(std::span<const char> window) {
    CHECK(!lent_);
    out_.clear();
    failed_ = !converter_.Convert({window.data(), window.size()}, &out_);
    return !failed_;
  }
  // There may be nothing to lend behind a short window.
  bool empty() const { return out_.empty(); }
  void Lend(smtp::BodyWindow* window) {
    CHECK(!lent_);
    lent_ = true;
    window->bytes = out_;
    window->last = converter_.complete();
  }
  void Return() {
    CHECK(lent_);
    lent_ = false;
    out_ = std::string();
  }

  bool lent() const { return lent_; }
  bool complete() const { return converter_.complete(); }
  bool failed() const { return failed_; }
  const char* why() const { return converter_.why(); }

 private:
  smtp::SevenBit converter_;
  std::string out_;
  bool lent_ = false;
  bool failed_ = false;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_SEVEN_BIT_BODY_H_
