// Utf8Header: whether the header section of a message has octets above 127 (RFC 6532).
//
// Asked only of mail whose client has said SMTPUTF8: of all other mail such octets are what they
// have always been, and keep no host from getting it. Belongs to a draft.
#ifndef OUTBOX_QUEUE_UTF8_HEADER_H_
#define OUTBOX_QUEUE_UTF8_HEADER_H_

#include <string_view>

#include "core/utf8.h"

namespace outbox::queue {

class Utf8Header {
 public:
  // Until `declared`, nothing is looked at.
  void Start(bool declared) { *this = Utf8Header(declared); }
  bool declared() const { return declared_; }
  // The next octets of the message in wire form; what follows the header section is passed by.
  void Append(std::string_view bytes) {
    while (looking_ && !bytes.empty()) {
      const size_t end = bytes.find('\n');
      const std::string_view line = bytes.substr(0, end);
      found_ = found_ || !core::IsAscii(line);
      // An empty line, or one with nothing but the final dot, ends the section.
      empty_ = empty_ && line.find_first_not_of("\r.") == std::string_view::npos;
      if (end == std::string_view::npos) return;
      looking_ = !found_ && !empty_;
      empty_ = true;
      bytes.remove_prefix(end + 1);
    }
  }
  // Whole fields that are put in front.
  void AppendFields(std::string_view fields) {
    found_ = found_ || (declared_ && !core::IsAscii(fields));
  }
  bool found() const { return found_; }

  Utf8Header() = default;

 private:
  explicit Utf8Header(bool declared) : declared_(declared), looking_(declared) {}

  bool declared_ = false;
  bool looking_ = false;
  bool found_ = false;
  bool empty_ = true;  // nothing has come of the current line
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_UTF8_HEADER_H_
