// Replies: RFC 5321 4.2 with the enhanced status codes of RFC 3463 / RFC 2034, both ways.
#ifndef OUTBOX_SMTP_REPLY_H_
#define OUTBOX_SMTP_REPLY_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/limits.h"
#include "smtp/output_buffer.h"

namespace outbox::smtp {

// An RFC 3463 status code, "5.1.1". All zero: none.
struct EnhancedCode {
  uint8_t status_class = 0;  // 2, 4 or 5
  uint16_t subject = 0;      // 0-999
  uint16_t detail = 0;       // 0-999

  bool empty() const { return status_class == 0; }
  bool operator==(const EnhancedCode&) const = default;
};

// A reply as a value: what a server says, or what a client was told. The text is one line,
// printable, without codes; the view lives as long as whoever made the reply says.
struct Reply {
  uint16_t code = 0;  // 200-599
  EnhancedCode enhanced;
  std::string_view text;

  int first_digit() const { return code / 100; }
  bool is_refusal() const { return first_digit() == 4 || first_digit() == 5; }
  // Words of our own, in the place of a server's.
  static Reply Ours(std::string_view text) { return {0, {}, text}; }
};

// Reads "5.1.1" at the beginning of `text`. Returns the octets it takes, 0 if there is none.
size_t ParseEnhancedCode(std::string_view text, EnhancedCode* out);

// The longest line that FormatReply makes: longer texts are cut. RFC 5321 4.5.3.1.5 allows 512
// octets.
inline constexpr size_t kFormattedReplyMax = 512;

// Appends "250 2.1.0 text\r\n" ("250 text" when `enhanced` is empty). Octets of the text that are
// not printable ASCII are written as '?': a reply cannot be broken by what it quotes. REQUIRES:
// out->room() >= kFormattedReplyMax; code in 200-599.
void FormatReply(const Reply& reply, OutputBuffer* out);

// Reads the replies of a server, however their bytes are split.
//
// Tolerant where servers in the field are sloppy and nothing can be smuggled by it, since replies
// are never relayed: a line may end in a bare LF, the space after the code may be missing when no
// text follows, octets that are not printable ASCII are kept as '?'. Strict where the meaning would
// be a guess: the code must be three digits, 200-599 with a second digit of 0-5, and the same in
// every line of a reply.
//
// Bounds (core/limits.h): text beyond kReplyTextMax is dropped, the reply stays valid; a line
// longer than kReplyLineOctetsMax or a reply of more than kReplyLinesMax lines is an error.
class ReplyParser {
 public:
  enum class Result : uint8_t {
    kNeedMore,  // all bytes were consumed
    kLine,      // a line that is not the last of its reply: line() can be looked at
    kReply,     // the last line: reply() is complete
    kError,     // not SMTP: error() says why. The parser stays in this state.
  };

  // Consumes bytes from the front of `*input`, up to the end of one line at most.
  Result Consume(std::string_view* input);

  // The text of the line that ended last, without code and separator. Valid until the next Consume.
  std::string_view line() const { return std::string_view(text_, text_size_).substr(line_start_); }
  // Forgets the text of the line that ended last, so that it is no part of reply().text: for long
  // replies that are read line by line (EHLO).
  void DropLine() { text_size_ = line_start_ = join_; }
  // After kReply, until the next Consume. The text has the lines joined by one space, the enhanced
  // code taken off each line that repeats it.
  Reply reply() const { return {code_, enhanced_, {text_, text_size_}}; }
  uint16_t code() const { return code_; }
  const char* error() const { return error_; }
  // No byte of an unfinished reply has been seen.
  bool idle() const { return complete_; }

 private:
  enum class State : uint8_t { kCode, kSeparator, kText, kFailed };

  Result Fail(const char* why);
  Result EndLine();
  void StartReply();
  bool TakeCodeDigit(char c);
  void TakeText(std::string_view text);
  void TakeEnhancedCode();

  State state_ = State::kCode;
  bool last_line_ = false;
  bool complete_ = true;  // the next byte begins a new reply
  uint8_t digits_ = 0;
  uint16_t code_ = 0;
  uint16_t line_code_ = 0;
  uint16_t lines_ = 0;
  uint16_t line_octets_ = 0;
  uint16_t text_size_ = 0;
  uint16_t line_start_ = 0;
  uint16_t join_ = 0;  // where the text ended before this line and the space in front of it
  EnhancedCode enhanced_;
  const char* error_ = "";
  char text_[core::kReplyTextMax];
};

}  // namespace outbox::smtp

#endif  // OUTBOX_SMTP_REPLY_H_
