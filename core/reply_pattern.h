// ReplyPattern: whether what a host says has a text in it.
//
// As an operator writes it: the text is anywhere in the reply, without regard to case, and "*"
// stands for any run of characters: "421 4.7.0*too many" is in "421 4.7.0 you send too many". The
// reply is one line, "421 4.7.0 text": code, enhanced status code if there is one, text.
#ifndef OUTBOX_CORE_REPLY_PATTERN_H_
#define OUTBOX_CORE_REPLY_PATTERN_H_

#include <string>
#include <string_view>

namespace outbox::core {

// Both in lower case. Linear, but for a line that has each part of the pattern many times.
bool IsInReply(std::string_view pattern, std::string_view line);

// The line, in lower case. `enhanced`: "4.7.0" or "".
std::string ReplyLine(unsigned code, std::string_view enhanced, std::string_view text);

}  // namespace outbox::core

#endif  // OUTBOX_CORE_REPLY_PATTERN_H_
