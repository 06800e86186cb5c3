// BodyScanner: reads the content of DATA in wire form, finds its end and what must be known of it.
//
// Wire form is what DATA carries (RFC 5321 4.5.2): CRLF line endings, a dot before every dot that
// begins a line, ended by CRLF.CRLF. Outbox stores and sends this form as it is, so the scanner
// changes nothing; it looks.
//
// The wire form of a message is everything behind the CRLF of the DATA command up to and with the
// final ".CRLF". It is either exactly ".CRLF" (no content at all) or it ends in CRLF.CRLF.
//
// Line endings are strict: only CRLF ends a line. A bare CR or LF neither ends nor begins a line,
// so LF.LF, LF.CRLF, CR.CRLF, CRLF.LF and CRLF.CR never end a message; they are noted, and the
// session refuses the message when its real end has come.
#ifndef OUTBOX_SMTP_BODY_SCANNER_H_
#define OUTBOX_SMTP_BODY_SCANNER_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "smtp/line_masks.h"

namespace outbox::smtp {

// Lines of fewer octets are not measured: most of them are passed by the hundred.
inline constexpr uint64_t kLongLine = kMaskBlock * kMaskBlocks;

// What the scanner knows of a message.
struct BodySummary {
  uint64_t wire_bytes = 0;    // consumed so far, the terminating dot's line included
  uint64_t stuffed_dots = 0;  // dots that begin a line and that un-stuffing removes
  uint64_t header_bytes = 0;  // wire bytes before the empty line that ends the header section
  uint64_t longest_line = 0;  // octets without CRLF and without a stuffed dot; 0 below kLongLine
  uint32_t received_headers = 0;
  bool complete = false;  // the final dot has been seen
  bool has_date = false;
  bool has_message_id = false;
  bool has_8bit = false;
  bool has_nul = false;
  bool has_bare_cr = false;
  bool has_bare_lf = false;

  // RFC 1870's message size: octets with CRLFs, without stuffing and without the final dot.
  uint64_t message_size() const { return wire_bytes - stuffed_dots - (complete ? 3 : 0); }
  bool line_endings_ok() const { return !has_bare_cr && !has_bare_lf; }

  bool operator==(const BodySummary&) const = default;
};

// One scanner a message; Reset() for the next. Splits of the input make no difference.
class BodyScanner {
 public:
  void Reset() { *this = BodyScanner(); }

  // Consumes `bytes` up to the end of the message and returns how many belong to it: all of them,
  // or fewer when the message ended inside. Then complete() is true and the rest is the next
  // command's. REQUIRES: !complete().
  size_t Consume(std::string_view bytes);

  // The same for content that is not stuffed (BDAT, RFC 3030): consumes up to the first dot that
  // begins a line, before which wire form has another one. Fewer than all: Consume(".") comes next,
  // then this again with the rest. It sees no end. REQUIRES: !complete().
  size_t ConsumePlain(std::string_view bytes);

  // The next octet begins a line.
  bool at_line_start() const { return state_ == State::kLineStart; }
  bool complete() const { return summary_.complete; }
  // While incomplete, longest_line covers finished lines and the piece of the current one.
  const BodySummary& summary() const { return summary_; }

 private:
  // Where the next octet stands. kLineStart: behind CRLF or at the very beginning.
  enum class State : uint8_t { kLineStart, kText, kCr, kDot, kDotCr };

  // The octet-by-octet machine.
  void Step(unsigned char c);
  void TextOctet(unsigned char c);
  void BareCr();
  void Octet(unsigned char c);
  void EndLine();
  void StartLine();
  // Consumes clean text of the body, whole blocks of it. Returns the octets consumed.
  size_t SkipLines(const char* bytes, size_t size);
  // How far that has come.
  struct Lines {
    size_t pos = 0;
    int64_t begin = 0;  // of the current line, without a stuffed dot; may be before the first octet
    int64_t longest = 0;
    uint64_t after_cr = 0;    // 0 or 1
    uint64_t line_start = 0;  // likewise
  };
  // False: what comes next is not for it.
  bool SkipCleanBlocks(const char* bytes, size_t size, size_t blocks, Lines* at);
  // What they hold is known: where `masks->dot` is left, a line begins with one.
  void PassLines(const LineMasks& masks, size_t blocks, Lines* at);
  bool SkipDots(const LineMasks& masks, const char* bytes, size_t size, size_t blocks, Lines* at);
  // Consumes what needs no Step: text by blocks, up to a line end that needs a look. Returns the
  // octets consumed.
  size_t SkipText(const char* bytes, size_t size);
  // Whether SkipText may be asked about `next`, which is not empty.
  bool in_text(std::string_view next);
  // Reads the field name that a header line begins with. False: octet by octet, please.
  bool ReadName(std::string_view line);
  void FoundName(const char* name);
  void HeaderOctet(unsigned char c);

  BodySummary summary_;
  uint64_t line_octets_ = 0;  // of the current line, as longest_line counts
  uint64_t longest_ = 0;      // of the lines that were measured
  State state_ = State::kLineStart;
  bool in_header_ = true;
  bool plain_ = false;          // within ConsumePlain
  bool name_done_ = false;      // nothing more to learn from the name of this header line
  bool after_name_ = false;     // a blank behind the name has passed
  uint8_t name_size_ = 0;       // octets of the field name so far
  const char* name_ = nullptr;  // the name that it may become; null before the first octet
};

}  // namespace outbox::smtp

#endif  // OUTBOX_SMTP_BODY_SCANNER_H_
