// Fuzzes the path parsers. What is accepted must be made of its parts, within the limits, and be
// accepted again when it is written out.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/check.h"
#include "core/domain_name.h"
#include "core/idna.h"
#include "core/utf8.h"
#include "smtp/address.h"

using outbox::smtp::ParsedPath;

namespace {

// A domain is one in both of its forms, and the address within its bounds.
void CheckForms(const outbox::smtp::Path& path) {
  namespace core = outbox::core;
  namespace smtp = outbox::smtp;
  const std::string key = core::DomainKey(path.domain);
  CHECK(core::IsAscii(key) && core::IsDomainName(key) && core::DomainKey(key) == key);
  CHECK(path.local.size() + key.size() + 3 <= smtp::kPathOctetsMax);
  std::string ascii;
  CHECK(core::ToAsciiAddress(path.mailbox, &ascii) == core::IsAscii(path.local));
  // Of a name in ASCII nobody has said that its A-labels stand for anything.
  if (!core::IsAscii(path.domain)) CHECK(core::DomainKey(core::ToULabels(path.domain)) == key);
}

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
  CHECK(outbox::core::IsUtf8(path.mailbox));
  for (const char c : path.mailbox) CHECK(!outbox::core::IsAscii(c) || (c >= ' ' && c < 0x7f));
  CHECK(parsed.utf8_column <= parsed.length);
  CHECK(parsed.utf8_column > 0 || outbox::core::IsAscii(path.mailbox));
  if (path.domain.empty()) return;
  CHECK(std::string(path.local) + "@" + std::string(path.domain) == path.mailbox);
  CHECK(smtp::ParseMailbox(path.mailbox).error.ok());
  if (!path.is_address_literal()) CheckForms(path);
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
