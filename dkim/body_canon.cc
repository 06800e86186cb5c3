#include "dkim/body_canon.h"

#include <algorithm>

namespace outbox::dkim {
namespace {

constexpr std::string_view kLineEnd = "\r\n";

bool IsPlain(char c) { return c != ' ' && c != '\t' && c != '\r'; }

}  // namespace

void BodyCanon::Update(std::string_view text) {
  if (relaxed_) {
    Relaxed(text);
  } else {
    Simple(text);
  }
}

void BodyCanon::Simple(std::string_view text) {
  while (!text.empty()) {
    if (cr_) {
      if (text[0] == '\n') {
        cr_ = false;
        ++line_ends_;
        text.remove_prefix(1);
        continue;
      }
      BareCr();
    }
    const size_t run = std::min(text.find('\r'), text.size());
    if (run > 0) {
      PutWaiting();
      Put(text.substr(0, run));
    }
    cr_ = run < text.size();
    text.remove_prefix(std::min(run + 1, text.size()));
  }
}

void BodyCanon::Relaxed(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (cr_) {
      if (c == '\n') {
        cr_ = blank_ = false;
        ++line_ends_;
        ++at;
        continue;
      }
      BareCr();
    }
    if (c == '\r') {
      cr_ = true;
      ++at;
    } else if (c == ' ' || c == '\t') {
      blank_ = true;
      ++at;
    } else {
      const size_t begin = at;
      while (at < text.size() && IsPlain(text[at])) ++at;
      PutWaiting();
      Put(text.substr(begin, at - begin));
    }
  }
}

void BodyCanon::BareCr() {
  cr_ = false;
  PutWaiting();
  Put("\r");
}

void BodyCanon::PutWaiting() {
  for (; line_ends_ > 0; --line_ends_) Put(kLineEnd);
  if (blank_) Put(" ");
  blank_ = false;
}

void BodyCanon::Put(std::string_view bytes) {
  any_ = true;
  if (bytes.size() > buffer_.size() - filled_) {
    Flush();
    if (bytes.size() > buffer_.size()) {
      Write(bytes);
      return;
    }
  }
  bytes.copy(buffer_.data() + filled_, bytes.size());
  filled_ += bytes.size();
}

void BodyCanon::Flush() {
  if (filled_ > 0) Write({buffer_.data(), filled_});
  filled_ = 0;
}

void BodyCanon::Finish() {
  if (cr_) BareCr();
  // Of all line ends at the end one is left, and one is added where there is none; of a body of
  // nothing else the simple form has one, the relaxed form none.
  if (any_ || !relaxed_) Put(kLineEnd);
  Flush();
}

}  // namespace outbox::dkim
