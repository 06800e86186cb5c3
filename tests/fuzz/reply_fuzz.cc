// Fuzzes the reply parser: whole and octet by octet must read the same replies, and what was read
// can be written and read again.
#include "smtp/reply.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/check.h"

namespace smtp = outbox::smtp;

namespace {

void CheckReply(const smtp::Reply& reply) {
  CHECK(reply.code >= 200 && reply.code <= 559);
  CHECK(reply.text.size() <= outbox::core::kReplyTextMax);
  for (const char c : reply.text) CHECK(c >= ' ' && c <= '~');
  CHECK(reply.enhanced.empty() || reply.enhanced.status_class == reply.code / 100);
  char memory[smtp::kFormattedReplyMax];
  smtp::OutputBuffer out{memory};
  smtp::FormatReply(reply, &out);
  std::string_view written = out.written();
  smtp::ReplyParser parser;
  CHECK(parser.Consume(&written) == smtp::ReplyParser::Result::kReply);
  CHECK(parser.reply().code == reply.code && written.empty());
}

std::string Read(std::string_view bytes, size_t piece) {
  smtp::ReplyParser parser;
  std::string out;
  for (size_t pos = 0; pos < bytes.size(); pos += piece) {
    std::string_view input = bytes.substr(pos, piece);
    while (!input.empty()) {
      const smtp::ReplyParser::Result result = parser.Consume(&input);
      if (result == smtp::ReplyParser::Result::kError) return out + "error " + parser.error();
      if (result == smtp::ReplyParser::Result::kLine) out += std::string(parser.line()) + "\n";
      if (result != smtp::ReplyParser::Result::kReply) continue;
      const smtp::Reply reply = parser.reply();
      CheckReply(reply);
      out += std::to_string(reply.code) + " " + std::string(reply.text) + "\n";
    }
  }
  return out + (parser.idle() ? "idle" : "unfinished");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string whole = Read(bytes, size + 1);
  CHECK(Read(bytes, 1) == whole);
  CHECK(Read(bytes, 7) == whole);
  return 0;
}
