#include "dns/answer.h"

#include <algorithm>
#include <utility>

#include "core/limits.h"
#include "dns/codec.h"

namespace outbox::dns {
namespace {

void Shorten(std::optional<uint32_t>* ttl_s, uint32_t other_s) {
  *ttl_s = ttl_s->has_value() ? std::min(**ttl_s, other_s) : other_s;
}

const Record* FindAlias(const std::vector<Record>& records, std::string_view owner) {
  for (const Record& record : records) {
    if (record.type == RecordType::kCname && record.owner == owner) return &record;
  }
  return nullptr;
}

bool HasAuthority(const Message& message, RecordType type) {
  return std::any_of(message.authority.begin(), message.authority.end(),
                     [type](const Record& record) { return record.type == type; });
}

// Follows the aliases of the answer section, in whatever order they come: `name` becomes the last
// one. False: they go in a circle or too far.
bool FollowAliases(const Message& message, std::string* name, uint32_t* aliases,
                   std::optional<uint32_t>* ttl_s) {
  while (const Record* alias = FindAlias(message.answers, *name)) {
    if (++*aliases > core::kDnsAliasesMax) return false;
    *name = alias->name;
    Shorten(ttl_s, alias->ttl_s);
  }
  return true;
}

// Sorts, and keeps the first ones.
template <typename T>
void KeepBest(std::vector<T>* records, size_t max) {
  std::sort(records->begin(), records->end());
  if (records->size() > max) records->resize(max);
}

void TakeRecords(const Message& message, std::string_view name, RecordType type, Reply* reply) {
  for (const Record& record : message.answers) {
    if (record.type != type || record.owner != name) continue;
    Shorten(&reply->ttl_s, record.ttl_s);
    reply->answer = AnswerKind::kRecords;
    if (type == RecordType::kMx) {
      reply->mx.push_back({record.preference, record.name});
    } else if (type == RecordType::kPtr) {
      reply->names.push_back(record.name);
    } else if (type == RecordType::kTxt) {
      reply->texts.push_back(record.text);
    } else if (record.address.is_v4() == (type == RecordType::kA)) {
      // An AAAA record with an IPv4-mapped address is nothing that one can connect to.
      reply->addresses.push_back(record.address);
    }
  }
  const bool of_addresses = type == RecordType::kA || type == RecordType::kAaaa;
  if (of_addresses && reply->addresses.empty()) reply->answer = AnswerKind::kNoData;
  KeepBest(&reply->mx, core::kDnsMxRecordsMax);
  KeepBest(&reply->addresses, core::kDnsAddressesMax);
  KeepBest(&reply->names, core::kDnsNamesMax);
  KeepBest(&reply->texts, core::kDnsTextsMax);
}

// RFC 2308 5: the smaller one of the SOA's own TTL and its MINIMUM.
void TakeNegativeTtl(const Message& message, Reply* reply) {
  std::optional<uint32_t> negative_s;
  for (const Record& record : message.authority) {
    if (record.type != RecordType::kSoa) continue;
    Shorten(&negative_s, std::min(record.ttl_s, record.negative_ttl_s));
  }
  if (!negative_s) {
    reply->ttl_s.reset();
  } else {
    Shorten(&reply->ttl_s, *negative_s);
  }
}

// A reply without an error, or NXDOMAIN.
void ReadSections(const Message& message, std::string_view question, RecordType type,
                  Reply* reply) {
  reply->kind = ReplyKind::kAnswer;
  std::string name(question);
  uint32_t aliases = 0;
  if (!FollowAliases(message, &name, &aliases, &reply->ttl_s)) {
    reply->answer = AnswerKind::kInvalid;
    return;
  }
  TakeRecords(message, name, type, reply);
  if (reply->answer == AnswerKind::kRecords) return;
  const bool has_soa = HasAuthority(message, RecordType::kSoa);
  if (message.code == ResponseCode::kNoSuchName) {
    reply->answer = AnswerKind::kNoSuchName;
  } else if (!has_soa && aliases > 0) {
    reply->kind = ReplyKind::kAlias;
    reply->alias = std::move(name);
    return;
  } else if (!has_soa && HasAuthority(message, RecordType::kNs)) {
    reply->kind = ReplyKind::kServerError;
    reply->referral = true;
    return;
  }
  TakeNegativeTtl(message, reply);
}

}  // namespace

Reply ReadReply(std::span<const char> bytes, uint16_t id, std::string_view name, RecordType type) {
  Reply reply;
  Message message;
  const bool readable = DecodeMessage(bytes, &message);
  const bool ours = message.is_response && message.id == id && message.opcode == 0;
  if (!ours) return reply;
  if (!readable) {
    reply.kind = ReplyKind::kMalformed;
    return reply;
  }
  reply.code = message.code;
  const bool is_error =
      message.code != ResponseCode::kNoError && message.code != ResponseCode::kNoSuchName;
  // A server that could not read the question may leave it out.
  const bool same_question =
      message.has_question && message.name == name && message.type == static_cast<uint16_t>(type);
  const bool no_question = is_error && !message.has_question && message.name.empty();
  if (!same_question && !no_question) return reply;
  if (is_error) {
    reply.kind = ReplyKind::kServerError;
  } else if (message.truncated) {
    reply.kind = ReplyKind::kTruncated;
  } else {
    ReadSections(message, name, type, &reply);
  }
  return reply;
}

std::string ResponseCodeName(ResponseCode code) {
  switch (code) {
    case ResponseCode::kNoError:
      return "NOERROR";
    case ResponseCode::kFormatError:
      return "FORMERR";
    case ResponseCode::kServerFailure:
      return "SERVFAIL";
    case ResponseCode::kNoSuchName:
      return "NXDOMAIN";
    case ResponseCode::kNotImplemented:
      return "NOTIMP";
    case ResponseCode::kRefused:
      return "REFUSED";
  }
  return "response code " + std::to_string(static_cast<int>(code));
}

const char* RecordTypeName(RecordType type) {
  switch (type) {
    case RecordType::kA:
      return "A";
    case RecordType::kNs:
      return "NS";
    case RecordType::kCname:
      return "CNAME";
    case RecordType::kSoa:
      return "SOA";
    case RecordType::kPtr:
      return "PTR";
    case RecordType::kMx:
      return "MX";
    case RecordType::kTxt:
      return "TXT";
    case RecordType::kAaaa:
      return "AAAA";
  }
  return "?";
}

}  // namespace outbox::dns
