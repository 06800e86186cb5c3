#include "tools/sendmail/address_list.h"

#include "smtp/address.h"

namespace outbox::tools {
namespace {

// Reads one list from left to right.
class ListReader {
 public:
  ListReader(std::string_view text, std::string_view origin, std::vector<std::string>* out)
      : text_(text), origin_(origin), out_(out) {}

  core::Status Read() {
    while (at_ < text_.size()) {
      const core::Status status = Take(text_[at_]);
      if (!status.ok()) return status;
    }
    if (in_angle_) return Wrong("has no closing \">\"");
    return EndOfAddress();
  }

 private:
  core::Status Take(char c) {
    switch (c) {
      case '(':
        return SkipComment();
      case '"':
        return TakeQuoted();
      case '<':
        if (in_angle_) return Wrong("has a \"<\" within \"<...>\"");
        in_angle_ = true;
        angle_.clear();
        ++at_;
        return core::OkStatus();
      case '>':
        if (!in_angle_) return Wrong("has a \">\" without \"<\"");
        in_angle_ = false;
        has_angle_ = true;
        ++at_;
        return core::OkStatus();
      case ',':
      case ';':
        if (in_angle_) break;  // of a source route
        ++at_;
        return EndOfAddress();
      case ':':
        if (in_angle_ || InLiteral()) break;
        plain_.clear();  // the name of a group
        words_ = 0;
        gap_ = true;
        ++at_;
        return core::OkStatus();
      case ' ':
      case '\t':
      case '\r':
      case '\n':
        gap_ = true;
        ++at_;
        return core::OkStatus();
      default:
        break;
    }
    Add(c);
    ++at_;
    return core::OkStatus();
  }

  // Within "[IPv6:...]".
  bool InLiteral() const {
    const size_t open = plain_.rfind('[');
    return open != std::string::npos && plain_.find(']', open) == std::string::npos;
  }

  void Add(char c) {
    if (in_angle_) {
      angle_.push_back(c);
      return;
    }
    // Blanks around a dot or an "@" part no words (RFC 5322 4.4).
    const bool joins = c == '@' || c == '.' ||
                       (!plain_.empty() && (plain_.back() == '@' || plain_.back() == '.'));
    if (plain_.empty() || (gap_ && !joins)) ++words_;
    gap_ = false;
    plain_.push_back(c);
  }

  core::Status SkipComment() {
    int depth = 0;
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '\\') {
        ++at_;
      } else if (c == '(') {
        ++depth;
      } else if (c == ')' && --depth == 0) {
        ++at_;
        gap_ = true;
        return core::OkStatus();
      }
    }
    return Wrong("has no closing \")\"");
  }

  core::Status TakeQuoted() {
    Add('"');
    for (++at_; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '\r' || c == '\n') continue;
      (in_angle_ ? angle_ : plain_).push_back(c);
      if (c == '"') {
        ++at_;
        return core::OkStatus();
      }
      if (c == '\\' && at_ + 1 < text_.size()) {
        (in_angle_ ? angle_ : plain_).push_back(text_[++at_]);
      }
    }
    return Wrong("has no closing quotation mark");
  }

  core::Status EndOfAddress() {
    std::string address = has_angle_ ? angle_ : plain_;
    const bool several = !has_angle_ && words_ > 1;
    const bool nothing = address.empty();
    const bool bracketed = has_angle_;
    plain_.clear();
    angle_.clear();
    words_ = 0;
    has_angle_ = gap_ = false;
    if (nothing && !bracketed) return core::OkStatus();  // "a@b.example,, c@d.example", "group:;"
    if (several) return Wrong("has several words where one address was expected");
    // A source route is dropped: RFC 5321 appendix C.
    if (!address.empty() && address.front() == '@') {
      const size_t colon = address.find(':');
      if (colon != std::string::npos) address.erase(0, colon + 1);
    }
    if (!address.empty() && !HasDomain(address)) address.append("@").append(origin_);
    const smtp::ParsedPath parsed = smtp::ParseMailbox(address);
    if (!parsed.error.ok()) {
      return core::Status(core::StatusCode::kInvalidArgument,
                          "\"" + address + "\" is not an address: " + parsed.error.what);
    }
    out_->push_back(std::move(address));
    return core::OkStatus();
  }

  static bool HasDomain(std::string_view address) {
    bool quoted = false;
    for (size_t i = 0; i < address.size(); ++i) {
      if (address[i] == '\\') {
        ++i;
      } else if (address[i] == '"') {
        quoted = !quoted;
      } else if (address[i] == '@' && !quoted) {
        return true;
      }
    }
    return false;
  }

  core::Status Wrong(const char* what) const {
    constexpr size_t kQuotedMax = 200;
    return core::Status(core::StatusCode::kInvalidArgument,
                        "\"" + std::string(text_.substr(0, kQuotedMax)) + "\" " + what);
  }

  const std::string_view text_;
  const std::string_view origin_;
  std::vector<std::string>* const out_;
  size_t at_ = 0;
  std::string plain_;  // what stands outside of "<...>", without comments and blanks
  std::string angle_;  // what stands inside
  int words_ = 0;      // of plain_
  bool gap_ = false;   // a blank or a comment stood before
  bool in_angle_ = false;
  bool has_angle_ = false;
};

}  // namespace

core::Status ReadAddressList(std::string_view text, std::string_view origin,
                             std::vector<std::string>* out) {
  return ListReader(text, origin, out).Read();
}

}  // namespace outbox::tools
