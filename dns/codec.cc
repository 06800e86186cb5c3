#include "dns/codec.h"

#include <udns.h>

#include <array>
#include <cstring>
#include <string>
#include <utility>

#include "core/check.h"
#include "core/domain_name.h"
#include "core/limits.h"

namespace outbox::dns {
namespace {

constexpr size_t kNameBytesMax = 253;  // as text, so that its wire form has at most 255

const dnsc_t* Octets(const char* bytes) { return reinterpret_cast<const dnsc_t*>(bytes); }

// A wire-form name as text in lower case.
std::string TextOf(const dnsc_t* name) {
  std::array<char, DNS_MAXNAME> text;
  const int size = dns_dntop(name, text.data(), text.size());
  if (size <= 0 || text[0] == '\0') return ".";
  std::string result(text.data());
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

// The name at *at, which must end where the record's data ends.
bool ReadName(const dns_parse& parse, const dnsc_t* at, const dnsc_t* data_end, std::string* name) {
  std::array<dnsc_t, DNS_MAXDN> wire;
  if (dns_getdn(parse.dnsp_pkt, &at, parse.dnsp_end, wire.data(), wire.size()) <= 0) return false;
  if (at != data_end) return false;
  *name = TextOf(wire.data());
  return true;
}

bool ReadSoa(const dns_parse& parse, const dns_rr& rr, Record* record) {
  const dnsc_t* at = rr.dnsrr_dptr;
  for (int names = 0; names < 2; ++names) {
    // udns.h names the parameters the other way round than the library takes them.
    at = dns_skipdn(at, parse.dnsp_end);
    if (at == nullptr) return false;
  }
  if (at + 20 != rr.dnsrr_dend) return false;
  record->negative_ttl_s = dns_get32(at + 16);
  return true;
}

bool ReadAddress(const dns_rr& rr, Record* record) {
  const dnsc_t* at = rr.dnsrr_dptr;
  if (record->type == RecordType::kA) {
    if (rr.dnsrr_dsz != 4) return false;
    record->address = core::IpAddress::V4(at[0], at[1], at[2], at[3]);
    return true;
  }
  if (rr.dnsrr_dsz != 16) return false;
  std::array<uint8_t, 16> octets;
  memcpy(octets.data(), at, octets.size());
  record->address = core::IpAddress::V6(octets);
  return true;
}

// RFC 1035 3.3.14: one string or more, each with its length before it.
bool ReadTexts(const dns_rr& rr, std::string* text) {
  const dnsc_t* at = rr.dnsrr_dptr;
  while (at < rr.dnsrr_dend) {
    const size_t size = *at++;
    if (static_cast<size_t>(rr.dnsrr_dend - at) < size) return false;
    text->append(reinterpret_cast<const char*>(at), size);
    at += size;
  }
  return rr.dnsrr_dsz > 0;
}

bool ReadData(const dns_parse& parse, const dns_rr& rr, Record* record) {
  switch (record->type) {
    case RecordType::kA:
    case RecordType::kAaaa:
      return ReadAddress(rr, record);
    case RecordType::kCname:
    case RecordType::kPtr:
      return ReadName(parse, rr.dnsrr_dptr, rr.dnsrr_dend, &record->name);
    case RecordType::kMx:
      if (rr.dnsrr_dsz < 3) return false;
      record->preference = static_cast<uint16_t>(dns_get16(rr.dnsrr_dptr));
      return ReadName(parse, rr.dnsrr_dptr + 2, rr.dnsrr_dend, &record->name);
    case RecordType::kTxt:
      return ReadTexts(rr, &record->text);
    case RecordType::kNs:
      return true;
    case RecordType::kSoa:
      return ReadSoa(parse, rr, record);
  }
  return false;
}

// The library stores whatever came into its enumerations, which C++ must not read as such.
template <typename Enum>
unsigned NumberOf(const Enum& value) {
  static_assert(sizeof(Enum) == sizeof(unsigned));
  unsigned number;
  memcpy(&number, &value, sizeof(number));
  return number;
}

bool IsKnown(unsigned type) {
  return type == DNS_T_A || type == DNS_T_NS || type == DNS_T_CNAME || type == DNS_T_SOA ||
         type == DNS_T_PTR || type == DNS_T_MX || type == DNS_T_TXT || type == DNS_T_AAAA;
}

// Reads as many records as parse->dnsp_rrl says.
bool ReadSection(dns_parse* parse, size_t* room, std::vector<Record>* out) {
  dns_rr rr;
  for (;;) {
    const int found = dns_nextrr(parse, &rr);
    if (found <= 0) return found == 0;
    const unsigned type = NumberOf(rr.dnsrr_typ);
    if (NumberOf(rr.dnsrr_cls) != DNS_C_IN || !IsKnown(type)) continue;
    if (*room == 0) continue;
    --*room;
    Record record;
    record.owner = TextOf(rr.dnsrr_dn);
    record.type = static_cast<RecordType>(type);
    record.ttl_s = rr.dnsrr_ttl > INT32_MAX ? 0 : rr.dnsrr_ttl;
    if (!ReadData(*parse, rr, &record)) return false;
    out->push_back(std::move(record));
  }
}

}  // namespace

bool CanAskFor(std::string_view name) {
  return name.size() <= kNameBytesMax && core::IsDomainName(name);
}

size_t EncodeQuestion(std::string_view name, RecordType type, uint16_t id, bool edns,
                      std::span<char> out) {
  CHECK(CanAskFor(name) && out.size() >= kQuestionBytesMax);
  memset(out.data(), 0, DNS_HSIZE);
  dnsc_t* const begin = reinterpret_cast<dnsc_t*>(out.data());
  dns_put16(begin + DNS_H_QID, id);
  begin[DNS_H_F1] = DNS_HF1_RD;
  begin[DNS_H_QDCNT2] = 1;
  begin[DNS_H_ARCNT2] = edns ? 1 : 0;
  dnsc_t* at = begin + DNS_HSIZE;
  const int size =
      dns_ptodn(name.data(), static_cast<unsigned>(name.size()), at, DNS_MAXDN, nullptr);
  CHECK(size > 0);
  at += size;
  at = dns_put16(at, static_cast<unsigned>(type));
  at = dns_put16(at, DNS_C_IN);
  if (edns) {
    *at++ = 0;  // the root
    at = dns_put16(at, DNS_T_OPT);
    at = dns_put16(at, core::kDnsDatagramBytes);
    at = dns_put32(at, 0);  // extended code, version, flags
    at = dns_put16(at, 0);
  }
  return static_cast<size_t>(at - begin);
}

bool DecodeMessage(std::span<const char> bytes, Message* message) {
  *message = Message();
  if (bytes.size() < DNS_HSIZE) return false;
  const dnsc_t* const begin = Octets(bytes.data());
  const dnsc_t* const end = begin + bytes.size();
  message->id = static_cast<uint16_t>(dns_qid(begin));
  message->is_response = dns_qr(begin) != 0;
  message->opcode = static_cast<uint8_t>(dns_opcode(begin));
  message->truncated = dns_tc(begin) != 0;
  message->code = static_cast<ResponseCode>(dns_rcode(begin));
  const dnsc_t* at = begin + DNS_HSIZE;
  if (dns_numqd(begin) > 1) return false;
  if (dns_numqd(begin) == 0) return true;
  std::array<dnsc_t, DNS_MAXDN> wire;
  if (dns_getdn(begin, &at, end, wire.data(), wire.size()) <= 0 || end - at < 4) return false;
  message->name = TextOf(wire.data());
  message->type = static_cast<uint16_t>(dns_get16(at));
  message->has_question = dns_get16(at + 2) == DNS_C_IN;
  if (message->truncated) return true;
  // It asserts that the question's type and class are there, and would look for those alone.
  dns_parse parse;
  dns_initparse(&parse, nullptr, begin, at, end);
  parse.dnsp_qtyp = DNS_T_INVALID;
  parse.dnsp_qcls = DNS_C_INVALID;
  size_t room = core::kDnsRecordsMax;
  if (!ReadSection(&parse, &room, &message->answers)) return false;
  parse.dnsp_rrl = static_cast<int>(dns_numns(begin));
  return ReadSection(&parse, &room, &message->authority);
}

}  // namespace outbox::dns
