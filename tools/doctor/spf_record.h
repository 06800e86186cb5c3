// SpfRecord: what a domain says about who sends for it, taken apart (RFC 7208). Pure.
#ifndef OUTBOX_TOOLS_DOCTOR_SPF_RECORD_H_
#define OUTBOX_TOOLS_DOCTOR_SPF_RECORD_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/ip_address.h"
#include "core/status.h"

namespace outbox::tools {

enum class SpfMechanism : uint8_t { kAll, kInclude, kA, kMx, kPtr, kIp4, kIp6, kExists };

struct SpfTerm {
  std::string text;      // as it was written
  char qualifier = '+';  // or '-', '~', '?'
  SpfMechanism mechanism = SpfMechanism::kAll;
  std::string domain;       // with its macros; "": the domain whose record it is
  core::IpAddress address;  // of ip4 and ip6
  int ip4_bits = 32;        // of a, mx and ip4
  int ip6_bits = 128;       // of a, mx and ip6
};

struct SpfRecord {
  std::vector<SpfTerm> terms;
  std::string redirect;  // with its macros; "": none
  bool has_all = false;
};

// Whether a TXT record is an SPF record: "v=spf1" alone, or with a space behind it.
bool IsSpfRecord(std::string_view text);

// The whole record, or the first thing that is wrong with it (then all of it is void: RFC 7208
// 4.6). REQUIRES: IsSpfRecord(text).
core::Result<SpfRecord> ParseSpf(std::string_view text);

// The record with `mechanism` ("ip4:192.0.2.1") in it, before what ends it: for advice.
std::string WithSpfMechanism(std::string_view record, std::string_view mechanism);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_DOCTOR_SPF_RECORD_H_
