// Answer: what the DNS says about one name and one type; and how a server's reply is judged.
//
// Pure functions over decoded messages: no socket, no clock. Bytes that no reply of ours could be
// are told apart from a server's refusal and from an answer, since each has another consequence.
#ifndef OUTBOX_DNS_ANSWER_H_
#define OUTBOX_DNS_ANSWER_H_

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/ip_address.h"
#include "dns/message.h"

namespace outbox::dns {

struct MxRecord {
  uint16_t preference = 0;
  std::string name;  // "." in a null MX

  auto operator<=>(const MxRecord&) const = default;
};

enum class AnswerKind : uint8_t {
  kRecords,
  kNoData,      // the name exists, without records of this type
  kNoSuchName,  // NXDOMAIN
  kInvalid,     // aliases that lead in a circle or too far
  kFailed,      // no server gave an answer
};

// An answer with the time until which it holds. Never changed once it is made: the cache and
// everybody who asked share it.
struct Answer {
  AnswerKind kind = AnswerKind::kFailed;
  std::vector<MxRecord> mx;                // sorted; at most limits.h kDnsMxRecordsMax
  std::vector<core::IpAddress> addresses;  // sorted; at most kDnsAddressesMax
  std::vector<std::string> names;          // of PTR: sorted; at most kDnsNamesMax
  std::vector<std::string> texts;          // of TXT: sorted; at most kDnsTextsMax
  int64_t expires_ns = 0;                  // steady
  std::string server;                      // that said so; "" with kFailed
  std::string failure;  // with kFailed and kInvalid: "192.0.2.53:53 did not answer, ..."
};
using AnswerPtr = std::shared_ptr<const Answer>;

// What a reply is to the question.
enum class ReplyKind : uint8_t {
  kAnswer,       // `answer`, `records`
  kAlias,        // the name is another's alias, about which the reply says nothing: ask for `alias`
  kTruncated,    // ask by TCP
  kMismatch,     // not the reply to this question: to be ignored
  kServerError,  // this server has no answer: `code`, or a referral
  kMalformed,    // cannot be read
};

struct Reply {
  ReplyKind kind = ReplyKind::kMismatch;
  ResponseCode code = ResponseCode::kNoError;
  bool referral = false;  // kServerError: it only names other servers
  AnswerKind answer = AnswerKind::kNoData;
  std::vector<MxRecord> mx;
  std::vector<core::IpAddress> addresses;
  std::vector<std::string> names;
  std::vector<std::string> texts;
  std::string alias;
  // How long it holds, from the records or, of a negative answer, from its SOA (RFC 2308 5): none
  // when there is no SOA. With kAlias, of the alias.
  std::optional<uint32_t> ttl_s;
};

// Judges `bytes` as the reply to the question (name, type) with this id. `name` in lower case.
Reply ReadReply(std::span<const char> bytes, uint16_t id, std::string_view name, RecordType type);

// "SERVFAIL", "REFUSED", "response code 9".
std::string ResponseCodeName(ResponseCode code);
// "MX", "A", "TXT".
const char* RecordTypeName(RecordType type);

}  // namespace outbox::dns

#endif  // OUTBOX_DNS_ANSWER_H_
