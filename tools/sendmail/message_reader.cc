#include "tools/sendmail/message_reader.h"

#include <unistd.h>

#include <cerrno>

#include "core/byte_size.h"

namespace outbox::tools {

void MessageReader::EndLine() {
  if (dot_ends_ && content_.size() - line_start_ == 1 && content_.back() == '.') {
    content_.resize(line_start_);
    ended_ = true;
    return;
  }
  content_.append("\r\n");
  line_start_ = content_.size();
}

bool MessageReader::Take(std::string_view bytes) {
  for (const char c : bytes) {
    if (ended_ || too_large_) return false;
    const bool second = after_cr_ && c == '\n';  // of a CRLF that has ended its line already
    after_cr_ = c == '\r';
    if (second) continue;
    if (c == '\r' || c == '\n') {
      EndLine();
    } else {
      content_.push_back(c);
    }
    too_large_ = content_.size() > kHandedInBytesMax;
  }
  return !ended_ && !too_large_;
}

core::Result<std::string> MessageReader::Finish() {
  if (too_large_) {
    return core::Status(core::StatusCode::kInvalidArgument,
                        "the message is too large; expected at most " +
                            core::FormatByteSize(kHandedInBytesMax));
  }
  if (!ended_ && content_.size() > line_start_) EndLine();
  return std::move(content_);
}

core::Result<std::string> ReadMessage(int fd, bool dot_ends) {
  MessageReader reader(dot_ends);
  char bytes[64 << 10];
  while (true) {
    const ssize_t size = ::read(fd, bytes, sizeof bytes);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return core::Status::FromErrno(errno, "the message cannot be read");
    if (size == 0 || !reader.Take({bytes, static_cast<size_t>(size)})) return reader.Finish();
  }
}

}  // namespace outbox::tools
