#include "smtp/wire_text.h"

#include <algorithm>

namespace outbox::smtp {

void WireText::Append(std::string_view wire, std::string* out) {
  while (!wire.empty() && state_ != State::kEnd) {
    if (state_ == State::kText) {
      const std::string_view text = wire.substr(0, wire.find('\r'));
      out->append(text);
      wire.remove_prefix(text.size());
      if (wire.empty()) return;
    }
    Octet(wire.front(), out);
    wire.remove_prefix(1);
  }
}

// A CR that ends no line is kept: what was taken is delivered.
void WireText::Octet(char c, std::string* out) {
  switch (state_) {
    case State::kLineStart:
      if (c == '.') {
        state_ = State::kDot;
        return;
      }
      break;
    case State::kDot:
      if (c == '\r') {
        state_ = State::kDotCr;
        return;
      }
      break;
    case State::kDotCr:
      if (c == '\n') {
        state_ = State::kEnd;
        return;
      }
      out->push_back('\r');
      break;
    case State::kCr:
      if (c == '\n') {
        out->push_back('\n');
        state_ = State::kLineStart;
        return;
      }
      out->push_back('\r');
      break;
    case State::kText:
    case State::kEnd:
      break;
  }
  state_ = c == '\r' ? State::kCr : State::kText;
  if (c != '\r') out->push_back(c);
}

}  // namespace outbox::smtp
