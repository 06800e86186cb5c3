// SevenBit: a message with octets above 127 made fit for a host without 8BITMIME (RFC 6152 3).
//
// Reads wire form and writes wire form, piece by piece. What is MIME stays what it was: each part
// whose content is 8bit or binary is encoded, text in quoted-printable, all else in base64, and
// says so in its header; multiparts and messages in messages are looked into; a message without
// MIME gets the fields that say what it has become (RFC 1428). Parts that are encoded already are
// left alone. In header fields encoded words stand for such octets (smtp/mime_text.h).
//
// A multipart/signed is left alone, since not an octet of it may change: it cannot be done when
// there is such an octet inside. Nor for what is no readable MIME: see why().
//
// Memory is bounded: one line, one header section (limits.h), kMimeDepthMax boundaries.
#ifndef OUTBOX_SMTP_SEVEN_BIT_H_
#define OUTBOX_SMTP_SEVEN_BIT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "smtp/mime_header.h"
#include "smtp/mime_text.h"

namespace outbox::smtp {

class SevenBit {
 public:
  // Reads the next piece, cut anywhere, and appends what it becomes to `out`: up to some four times
  // its size. False: it cannot be done, and what was written so far is no message.
  bool Convert(std::string_view wire, std::string* out);
  // The final dot has been written. What came behind it was not looked at.
  bool complete() const { return complete_; }
  // After Convert has said false: for people, goes on behind "it cannot be converted: ".
  const char* why() const { return why_; }

 private:
  enum class Content : uint8_t {
    kHeader,  // a header section is being collected
    kAsItIs,  // encoded already; '?' for what should not be there
    kSigned,  // not an octet may change
    kQuoted,
    kBase64,
  };

  bool Line(std::string_view line, std::string* out);
  bool BodyLine(std::string_view line, std::string* out);
  bool EndHeader(std::string* out);
  void WriteHeader(const MimeHeader& header, const char* encoding, std::string* out);
  // The part is over; `at_end`: with the message, so that its last line end is content.
  void EndPart(bool at_end, std::string* out);
  bool AtBoundary(std::string_view line, std::string* out, bool* is_one);
  void Emit(std::string_view lines, std::string* out);
  bool Fail(const char* why);

  std::string line_;                     // its beginning, when a piece ended within
  std::string header_;                   // the section so far
  std::string written_;                  // scratch
  std::vector<std::string> boundaries_;  // of the multiparts that we are in, "--" in front
  std::vector<bool> digests_;            // those whose parts are messages unless they say otherwise
  Base64Text base64_;
  Content content_ = Content::kHeader;
  bool own_ = true;         // the header section is a message's, not only a part's
  bool first_line_ = true;  // of the part's content
  bool complete_ = false;
  const char* why_ = "";
};

}  // namespace outbox::smtp

#endif  // OUTBOX_SMTP_SEVEN_BIT_H_
