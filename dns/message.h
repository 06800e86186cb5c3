// Message: one DNS message, decoded; the values that codec and answer share (RFC 1035 4.1).
//
// Names are text in lower case without the final dot, "." for the root. What is no host name
// (spaces, escapes) is kept in udns's escaped form: it equals nothing that was asked for.
#ifndef OUTBOX_DNS_MESSAGE_H_
#define OUTBOX_DNS_MESSAGE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "core/ip_address.h"

namespace outbox::dns {

enum class RecordType : uint16_t {
  kA = 1,
  kNs = 2,
  kCname = 5,
  kSoa = 6,
  kPtr = 12,
  kMx = 15,
  kTxt = 16,
  kAaaa = 28,
};

// RFC 1035 4.1.1, RFC 2136: the response codes that somebody looks at.
enum class ResponseCode : uint8_t {
  kNoError = 0,
  kFormatError = 1,
  kServerFailure = 2,
  kNoSuchName = 3,
  kNotImplemented = 4,
  kRefused = 5,
};

// A record of one of the types above; others are left out. What an NS record names is not read.
struct Record {
  std::string owner;
  RecordType type = RecordType::kA;
  uint32_t ttl_s = 0;           // 0 when the highest bit was set (RFC 2181 8)
  std::string name;             // of CNAME, PTR and MX
  std::string text;             // of TXT: its strings, joined
  uint16_t preference = 0;      // of MX
  core::IpAddress address;      // of A and AAAA
  uint32_t negative_ttl_s = 0;  // of SOA: its MINIMUM field
};

struct Message {
  uint16_t id = 0;
  bool is_response = false;
  bool truncated = false;
  uint8_t opcode = 0;
  ResponseCode code = ResponseCode::kNoError;
  // The question section, when it is a single question of class IN.
  bool has_question = false;
  std::string name;
  uint16_t type = 0;
  std::vector<Record> answers;
  std::vector<Record> authority;
};

}  // namespace outbox::dns

#endif  // OUTBOX_DNS_MESSAGE_H_
