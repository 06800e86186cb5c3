// UnstuffedBody: a body in wire form as the octets that BDAT carries (RFC 3030): without its
// stuffed dots, and without the final dot's line.
//
// Nothing is copied: what is to be sent are pieces of the windows that the body comes in. A body
// without stuffed dots, which its record knows, is not even looked at. How many octets there are
// has been told to the server before the first one; a body that turns out to be another one is
// found out before its last octet. Pure.
#ifndef OUTBOX_SMTP_UNSTUFFED_BODY_H_
#define OUTBOX_SMTP_UNSTUFFED_BODY_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "smtp/line_masks.h"

namespace outbox::smtp {

class UnstuffedBody {
 public:
  UnstuffedBody() = default;
  // `octets`: of the content, without dots. `dots`: some are stuffed.
  UnstuffedBody(uint64_t octets, bool dots) : left_(octets), dots_(dots) {}

  // Calls piece(std::string_view), in order, for what of the next window is content. False: this is
  // not the body that it should be, and its content must not be completed; some pieces may have
  // been told. REQUIRES: `last` for the window that ends with the final dot's line, and no window
  // behind that one.
  template <typename F>
  bool Cut(std::string_view window, bool last, F&& piece) {
    if (!dots_) {
      const std::string_view content = window.substr(0, MinLeft(window.size()));
      return Tell(content, piece) && TakeEnd(window.substr(content.size()), last);
    }
    size_t from = 0;  // of the piece that comes next
    size_t at = 0;
    while (left_ > 0 && at < window.size()) {
      LineMasks masks;
      const size_t size = FindDots(window.substr(at), &masks);
      for (size_t i = 0; i * kMaskBlock < size; ++i) {
        for (uint64_t rest = masks.dot[i]; rest != 0; rest &= rest - 1) {
          const size_t dot = at + i * kMaskBlock + static_cast<size_t>(std::countr_zero(rest));
          if (!Tell(window.substr(from, dot - from), piece)) return false;
          if (left_ == 0) return TakeEnd(window.substr(dot), last);
          from = dot + 1;
        }
      }
      at += size;
    }
    return Tell(window.substr(from, at - from), piece) && TakeEnd(window.substr(at), last);
  }

  // All content has been told. Windows that are left have but the end of the final dot's line.
  bool complete() const { return left_ == 0; }

 private:
  size_t MinLeft(size_t size) const { return size < left_ ? size : static_cast<size_t>(left_); }
  template <typename F>
  bool Tell(std::string_view content, F&& piece) {
    if (content.size() > left_) return false;
    if (!content.empty()) piece(content);
    left_ -= content.size();
    return true;
  }
  // Leaves in `masks->dot` the dots that begin lines, of what comes next. How many octets it has
  // looked at: at least one. REQUIRES: !bytes.empty().
  size_t FindDots(std::string_view bytes, LineMasks* masks);
  bool TakeEnd(std::string_view end, bool last);

  uint64_t left_ = 0;  // octets of the content
  bool dots_ = false;
  uint64_t line_start_ = 1;  // 1: what comes next begins a line; else 0
  uint64_t after_cr_ = 0;    // likewise
  uint8_t end_ = 0;  // octets of the final dot's line that have come
};

}  // namespace outbox::smtp

#endif  // OUTBOX_SMTP_UNSTUFFED_BODY_H_
