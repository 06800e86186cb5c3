// CheckSpf: whether an address may send for a domain (RFC 7208, check_host), and why.
//
// The whole evaluation as a receiver does it: every mechanism, the macros, at most ten lookups and
// two void ones. What it asks of the DNS goes through Names; nothing else is touched.
#ifndef OUTBOX_TOOLS_DOCTOR_SPF_CHECK_H_
#define OUTBOX_TOOLS_DOCTOR_SPF_CHECK_H_

#include <cstdint>
#include <string>

#include "core/ip_address.h"
#include "tools/doctor/names.h"

namespace outbox::tools {

// RFC 7208 4.6.4.
inline constexpr uint32_t kSpfLookupsMax = 10;
inline constexpr uint32_t kSpfVoidLookupsMax = 2;

enum class SpfResult : uint8_t {
  kNone,
  kNeutral,
  kPass,
  kFail,
  kSoftFail,
  kTempError,
  kPermError,
};
// "none", "neutral", "pass", "fail", "softfail", "temperror", "permerror".
const char* SpfResultName(SpfResult result);

struct SpfQuestion {
  core::IpAddress address;
  std::string domain;
  std::string local_part = "postmaster";
  std::string helo;
  // As if the address matched nothing but "all": what it takes to evaluate the record to its end,
  // and what strangers get.
  bool match_nothing = false;
};

struct SpfVerdict {
  SpfResult result = SpfResult::kNone;
  // A clause for a person: "\"ip4:192.0.2.0/24\" of example.com matches".
  std::string reason;
  std::string record;       // of the domain itself; "" when there is none, or more than one
  uint32_t lookups = 0;     // of kSpfLookupsMax
  bool uses_ptr = false;    // the mechanism that RFC 7208 5.5 says not to use
  bool open_ended = false;  // the domain's own record ends without "all" or "redirect="
};

SpfVerdict CheckSpf(const SpfQuestion& question, Names* names);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_DOCTOR_SPF_CHECK_H_
