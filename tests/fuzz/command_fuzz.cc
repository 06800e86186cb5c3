// Fuzzes the command parser: what is well formed has clean parts, what is not has a usable reply.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/check.h"
#include "core/utf8.h"
#include "smtp/command.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace smtp = outbox::smtp;
  const std::string_view line(reinterpret_cast<const char*>(data), size);
  for (const bool extended : {true, false}) {
    const smtp::Command command = smtp::ParseCommand(line, extended);
    if (!command.ok()) {
      CHECK(command.refusal.code >= 500 && command.refusal.code <= 555);
      CHECK(command.refusal.enhanced.status_class == 5);
      CHECK(!command.refusal.text.empty());
      CHECK(command.error_column <= size + 1 || size >= UINT16_MAX);
      continue;
    }
    CHECK(command.verb != smtp::Verb::kUnknown && command.verb != smtp::Verb::kUnimplemented);
    namespace core = outbox::core;
    CHECK(core::IsUtf8(command.path.mailbox));
    for (const char c : command.path.mailbox) CHECK(!core::IsAscii(c) || (c >= ' ' && c < 0x7f));
    if (command.verb == smtp::Verb::kMail && !command.smtp_utf8) CHECK(command.utf8_column == 0);
    if (command.utf8_column == 0) CHECK(core::IsAscii(command.path.mailbox));
    if (command.utf8_column > 0) CHECK(!core::IsAscii(line[command.utf8_column - 1u]));
    if (command.smtp_utf8) CHECK(command.verb == smtp::Verb::kVrfy || extended);
    if (!extended) CHECK(!command.has_size && command.body == smtp::BodyType::kUnspecified);
    if (command.verb == smtp::Verb::kRcpt) CHECK(!command.path.is_null());
    if (!extended) CHECK(command.dsn.empty() && command.envid.empty());
    CHECK(smtp::IsNotify(command.dsn.notify));
    CHECK(smtp::DecodeXtext(command.envid).size() <= smtp::kEnvidOctetsMax);
    for (const std::string_view value : {command.envid, command.dsn.orcpt}) {
      for (const char c : value) CHECK(c > ' ' && c < 0x7f);
    }
    for (const char c : smtp::DecodeXtext(command.envid)) CHECK(c >= ' ' && c < 0x7f);
    // The address behind the type, which is no xtext, may stand for UTF-8.
    const std::string_view orcpt = command.dsn.orcpt;
    for (const char c : smtp::DecodeXtext(orcpt.substr(std::min(orcpt.find(';'), orcpt.size())))) {
      CHECK(!core::IsAscii(c) || (c >= ' ' && c < 0x7f));
    }
    if (command.dsn.orcpt.empty()) continue;
    CHECK(command.dsn.orcpt.find(';') != std::string_view::npos);
    CHECK(smtp::DecodeXtext(command.dsn.orcpt).size() <= smtp::kOrcptOctetsMax);
  }
  return 0;
}
