// WireText: a message in wire form as the text that it stands for.
//
// What lies in a mailbox has no dots stuffed, ends its lines with LF alone, and knows no final dot
// (RFC 5321 4.5.2). Pure; the pieces of a message come one after another, cut anywhere.
#ifndef OUTBOX_SMTP_WIRE_TEXT_H_
#define OUTBOX_SMTP_WIRE_TEXT_H_

#include <string>
#include <string_view>

namespace outbox::smtp {

class WireText {
 public:
  void Reset() { *this = WireText(); }

  // Appends what `wire` stands for to `out`: never more than its size, and one octet. What comes
  // behind the final dot's line is not looked at.
  void Append(std::string_view wire, std::string* out);
  // The final dot has come.
  bool complete() const { return state_ == State::kEnd; }

 private:
  enum class State : unsigned char { kLineStart, kText, kCr, kDot, kDotCr, kEnd };

  void Octet(char c, std::string* out);

  State state_ = State::kLineStart;
};

}  // namespace outbox::smtp

#endif  // OUTBOX_SMTP_WIRE_TEXT_H_
