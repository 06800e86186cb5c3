// Reads what a program writes to /usr/sbin/sendmail, line by line as it comes, and makes it lines
// of mail: LF, CRLF and a bare CR all end a line.
#ifndef OUTBOX_TOOLS_SENDMAIL_MESSAGE_READER_H_
#define OUTBOX_TOOLS_SENDMAIL_MESSAGE_READER_H_

#include <string>
#include <string_view>

#include "core/status.h"
#include "tools/sendmail/mail.h"

namespace outbox::tools {

class MessageReader {
 public:
  // `dot_ends`: a line that is a single dot ends the message; what follows is not looked at.
  explicit MessageReader(bool dot_ends) : dot_ends_(dot_ends) {}

  // The next bytes. False: no more are wanted.
  bool Take(std::string_view bytes);
  // No more bytes come. The message with CRLF behind every line; an error when it was too large.
  core::Result<std::string> Finish();

 private:
  void EndLine();

  const bool dot_ends_;
  bool after_cr_ = false;
  bool ended_ = false;
  bool too_large_ = false;
  size_t line_start_ = 0;  // of the line in hand, in content_
  std::string content_;
};

// Reads all of the descriptor. Errors: the message is too large, or cannot be read.
core::Result<std::string> ReadMessage(int fd, bool dot_ends);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_SENDMAIL_MESSAGE_READER_H_
