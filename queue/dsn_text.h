// The text of a notification, line by line, in wire form.
#ifndef OUTBOX_QUEUE_DSN_TEXT_H_
#define OUTBOX_QUEUE_DSN_TEXT_H_

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>

namespace outbox::queue {

// Writes lines with dot-stuffing, so that everything below can think in plain text.
class WireWriter {
 public:
  explicit WireWriter(std::string* out) : out_(out) {}

  // One line, without its CRLF.
  void Line(std::string_view text) {
    if (!text.empty() && text[0] == '.') out_->push_back('.');
    out_->append(text);
    out_->append("\r\n");
  }
  void Line(std::initializer_list<std::string_view> parts) {
    scratch_.clear();
    for (const std::string_view part : parts) scratch_.append(part);
    Line(scratch_);
  }
  // Lines that are in wire form already.
  void Wire(std::string_view lines) { out_->append(lines); }
  void End() { out_->append(".\r\n"); }

 private:
  std::string* out_;
  std::string scratch_;
};

// RFC 5322 2.1.1: at most 998 octets a line; what others wrote is cut to less, so that the field's
// name and folding fit.
inline constexpr size_t kDsnTextOctetsMax = 900;

// What a stranger wrote, on one line of printable ASCII and of bounded length.
std::string Presentable(std::string_view text, size_t octets_max = kDsnTextOctetsMax);

// Breaks a paragraph into lines of about 72 columns.
void Paragraph(WireWriter* writer, std::string_view text, std::string_view indent = "");

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_DSN_TEXT_H_
