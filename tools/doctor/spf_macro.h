// The macros of SPF records: "%{ir}.%{v}._spf.%{d2}" (RFC 7208 section 7). Pure.
#ifndef OUTBOX_TOOLS_DOCTOR_SPF_MACRO_H_
#define OUTBOX_TOOLS_DOCTOR_SPF_MACRO_H_

#include <string>
#include <string_view>

#include "core/ip_address.h"
#include "core/status.h"

namespace outbox::tools {

struct SpfMacroValues {
  std::string local_part;     // of the sender: %{l}
  std::string sender_domain;  // %{o}
  std::string domain;         // whose record is evaluated: %{d}
  std::string helo;           // %{h}
  std::string validated;      // the validated name of the address, or "unknown": %{p}
  core::IpAddress address;    // %{i}, %{v}
};

// Whether `text` is a macro-string; the error says what is wrong with it.
core::Status CheckSpfMacros(std::string_view text);
// Whether `text` is a domain-spec: a macro-string that ends in a macro or in a top label.
core::Status CheckSpfDomain(std::string_view text);
// Whether %{p} is in it, which takes lookups to know. REQUIRES: it is a macro-string.
bool SpfUsesValidatedName(std::string_view text);
// REQUIRES: it is a macro-string.
std::string ExpandSpf(std::string_view text, const SpfMacroValues& values);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_DOCTOR_SPF_MACRO_H_
