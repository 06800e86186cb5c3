// MimeText: octets as text of 7 bits: quoted-printable and base64 (RFC 2045 6.7, 6.8), and header
// fields with encoded words (RFC 2047).
//
// Appends wire-form text without dots stuffed. Pure.
#ifndef OUTBOX_SMTP_MIME_TEXT_H_
#define OUTBOX_SMTP_MIME_TEXT_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace outbox::smtp {

inline constexpr size_t kEncodedLineOctets = 76;

bool HasEightBit(std::string_view text);

// One line of text, without its line end, as lines of quoted-printable, each with CRLF.
void AppendQuotedLine(std::string_view line, std::string* out);

// Octets, cut anywhere, as lines of base64.
class Base64Text {
 public:
  void Append(std::string_view octets, std::string* out);
  // What is left, padded, and the end of the last line. Ready for the next.
  void Finish(std::string* out);

 private:
  void Group(std::string* out);

  uint8_t held_[3] = {};
  uint8_t count_ = 0;
  uint8_t column_ = 0;
};

// A header field, whole with its line ends, with encoded words in place of words that have octets
// above 127: in UTF-8 where they are that, else "unknown-8bit" (RFC 1428). In what can have no
// encoded word, an address or a field's name, '?' stands for such an octet.
void AppendEncodedField(std::string_view field, std::string* out);

// With '?' in place of octets above 127.
void AppendAscii(std::string_view text, std::string* out);

}  // namespace outbox::smtp

#endif  // OUTBOX_SMTP_MIME_TEXT_H_
