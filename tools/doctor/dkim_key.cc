#include "tools/doctor/dkim_key.h"

#include <algorithm>
#include <bit>
#include <vector>

#include "absl/strings/escaping.h"
#include "tools/doctor/tag_list.h"

namespace outbox::tools {
namespace {

// Types of DER elements.
constexpr uint8_t kInteger = 0x02;
constexpr uint8_t kBitString = 0x03;
constexpr uint8_t kObjectId = 0x06;
constexpr uint8_t kSequence = 0x30;
// rsaEncryption, 1.2.840.113549.1.1.1.
constexpr std::string_view kRsaEncryption = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";
constexpr size_t kEd25519Bytes = 32;

core::Status Unusable(std::string what) {
  return core::Status(core::StatusCode::kInvalidArgument, std::move(what));
}

uint8_t Octet(std::string_view bytes, size_t at) { return static_cast<uint8_t>(bytes[at]); }

// Takes the element of this type off `der`: its contents. False: another one is there, or it is cut
// off.
bool TakeElement(std::string_view* der, uint8_t type, std::string_view* contents) {
  if (der->size() < 2 || Octet(*der, 0) != type) return false;
  size_t size = Octet(*der, 1);
  size_t head = 2;
  if (size > 0x7f) {
    const size_t octets = size & 0x7f;
    if (octets == 0 || octets > 2 || der->size() < head + octets) return false;
    size = 0;
    for (size_t i = 0; i < octets; ++i) size = size << 8 | Octet(*der, head + i);
    head += octets;
  }
  if (der->size() - head < size) return false;
  *contents = der->substr(head, size);
  der->remove_prefix(head + size);
  return true;
}

// Of a positive INTEGER.
uint32_t BitsOf(std::string_view integer) {
  if (integer.empty() || Octet(integer, 0) > 0x7f) return 0;
  while (!integer.empty() && integer[0] == '\0') integer.remove_prefix(1);
  if (integer.empty()) return 0;
  return static_cast<uint32_t>(8 * (integer.size() - 1)) +
         static_cast<uint32_t>(std::bit_width(static_cast<unsigned>(Octet(integer, 0))));
}

// RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER }
uint32_t ModulusBits(std::string_view der) {
  std::string_view key;
  std::string_view modulus;
  std::string_view exponent;
  if (!TakeElement(&der, kSequence, &key) || !der.empty()) return 0;
  if (!TakeElement(&key, kInteger, &modulus) || !TakeElement(&key, kInteger, &exponent) ||
      !key.empty()) {
    return 0;
  }
  const bool odd = !exponent.empty() && (Octet(exponent, exponent.size() - 1) & 1) != 0;
  return odd && BitsOf(exponent) >= 2 ? BitsOf(modulus) : 0;
}

core::Result<DkimKey> ReadKey(const std::string& p, DkimKey key) {
  std::string bytes;
  if (!absl::Base64Unescape(p, &bytes)) return Unusable("\"p=\" is no base64");
  key.bytes = bytes;
  if (key.type == "ed25519") {
    if (bytes.size() != kEd25519Bytes) {
      return Unusable("\"p=\" has " + std::to_string(bytes.size()) +
                      " octets; an ed25519 key has 32, without anything around them");
    }
    key.bits = 256;
    return key;
  }
  key.bits = RsaKeyBits(bytes, &key.bare);
  if (key.bits == 0) return Unusable("\"p=\" is no RSA key: it is cut off, or something else");
  return key;
}

}  // namespace

uint32_t RsaKeyBits(std::string_view der, bool* bare) {
  *bare = false;
  std::string_view rest = der;
  std::string_view info;
  std::string_view algorithm;
  if (!TakeElement(&rest, kSequence, &info) || !rest.empty()) return 0;
  if (!TakeElement(&info, kSequence, &algorithm)) {
    *bare = true;
    return ModulusBits(der);
  }
  std::string_view id;
  std::string_view key;
  if (!TakeElement(&algorithm, kObjectId, &id) || id != kRsaEncryption) return 0;
  if (!TakeElement(&info, kBitString, &key) || !info.empty()) return 0;
  if (key.empty() || key[0] != '\0') return 0;  // bits that are not used
  return ModulusBits(key.substr(1));
}

core::Result<DkimKey> ParseDkimKey(std::string_view text) {
  const core::Result<TagList> tags = TagList::Parse(text);
  if (!tags.ok()) return tags.status();
  if (const std::string* const version = tags->Find("v"); version != nullptr) {
    if (*version != "DKIM1" || tags->tags()[0].name != "v") {
      return Unusable("\"v=\" must come first, and be DKIM1");
    }
  }
  DkimKey key;
  if (const std::string* const type = tags->Find("k"); type != nullptr) {
    key.type = *type;
    if (key.type != "rsa" && key.type != "ed25519") {
      return Unusable("\"k=" + key.type + "\" is unknown; expected rsa or ed25519");
    }
  }
  const auto lists = [&](const char* name, std::string_view one, std::string_view other) {
    const std::string* const value = tags->Find(name);
    if (value == nullptr) return true;
    const std::vector<std::string> items = SplitItems(*value, ':');
    return std::any_of(items.begin(), items.end(),
                       [&](const std::string& item) { return item == one || item == other; });
  };
  if (!lists("h", "sha256", "sha256")) return Unusable("\"h=\" does not allow sha256");
  if (!lists("s", "*", "email")) return Unusable("\"s=\" does not allow mail; expected * or email");
  key.testing = tags->Find("t") != nullptr && lists("t", "y", "y");
  const std::string* const p = tags->Find("p");
  if (p == nullptr) return Unusable("\"p=\", the key, is missing");
  key.revoked = p->empty();
  if (key.revoked) return key;
  return ReadKey(*p, std::move(key));
}

}  // namespace outbox::tools
