// Fuzzes the path parsers. What is accepted must be made of its parts, within the limits, and be
// accepted again when it is written out.
#include "smtp/address.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/check.h"

using outbox::smtp::ParsedPath;

namespace {

void CheckPath(std::string_view text, const ParsedPath& parsed) {
  namespace smtp = outbox::smtp;
  if (!parsed.error.ok()) {
    CHECK(parsed.length == 0);
    CHECK(parsed.error.column >= 1 && parsed.error.what[0] != '\0');
    CHECK(parsed.error.column <= text.size() + 1);
    return;
  }
  CHECK(parsed.length <= text.size());
  const smtp::Path& path = parsed.path;
  if (path.is_null()) return;
  CHECK(path.local.size() <= smtp::kLocalPartOctetsMax && !path.local.empty());
  CHECK(path.mailbox.size() + 2 <= smtp::kPathOctetsMax);
  // Nothing that could break a command line.
  for (const char c : path.mailbox) CHECK(c >= ' ' && c < 0x7f);
  if (path.domain.empty()) return;
  CHECK(std::string(path.local) + "@" + std::string(path.domain) == path.mailbox);
  CHECK(smtp::ParseMailbox(path.mailbox).error.ok());
  const std::string again = "<" + std::string(path.mailbox) + ">";
  CHECK(smtp::ParseForwardPath(again).path.mailbox == path.mailbox);
  CHECK(smtp::ParseReversePath(again).path.mailbox == path.mailbox);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  CheckPath(text, outbox::smtp::ParseReversePath(text));
  CheckPath(text, outbox::smtp::ParseForwardPath(text));
  CheckPath(text, outbox::smtp::ParseMailbox(text));
  return 0;
}
