#include "core/idna.h"

#include <idn2.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "core/domain_name.h"
#include "core/utf8.h"

namespace outbox::core {
namespace {

// Longer texts are no domains in either form (RFC 1035 2.3.4).
constexpr size_t kTextBytesMax = 1024;
constexpr int kFlags = IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL;

struct FreeText {
  void operator()(void* text) const { std::free(text); }
};

const char* Words(int error) {
  switch (error) {
    case IDN2_TOO_BIG_DOMAIN:
      return "it is longer than 253 octets in its ASCII form";
    case IDN2_TOO_BIG_LABEL:
    case IDN2_PUNYCODE_BIG_OUTPUT:
      return "a label is longer than 63 octets in its ASCII form";
    case IDN2_INVALID_ALABEL:
    case IDN2_UALABEL_MISMATCH:
    case IDN2_ALABEL_ROUNDTRIP_FAILED:
    case IDN2_PUNYCODE_BAD_INPUT:
    case IDN2_PUNYCODE_OVERFLOW:
      return "a label begins with xn-- and stands for nothing";
    case IDN2_2HYPHEN:
      return "a label has hyphens in its third and fourth place";
    case IDN2_HYPHEN_STARTEND:
      return "a label begins or ends with a hyphen";
    case IDN2_LEADING_COMBINING:
      return "a label begins with a combining character";
    case IDN2_CONTEXTJ:
    case IDN2_CONTEXTJ_NO_RULE:
    case IDN2_CONTEXTO:
    case IDN2_CONTEXTO_NO_RULE:
      return "a character stands where it may not (RFC 5892 appendix A)";
    case IDN2_UNASSIGNED:
      return "a character that Unicode does not have";
    case IDN2_BIDI:
      return "a label breaks the rule for scripts that run from right to left (RFC 5893)";
    case IDN2_DOT_IN_LABEL:
      return "a dot other than \".\"";
    case IDN2_ENCODING_ERROR:
      return "it is not UTF-8";
    case IDN2_MALLOC:
      return "there is no memory to look at it";
    default:
      return "a character that IDNA2008 does not allow";
  }
}

// What the library would take for a part of a label.
bool MayStand(char c) {
  return !IsAscii(c) || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
         (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == '.';
}

// Of a text with octets above 127.
const char* LookUp(std::string_view domain, std::string* out) {
  if (domain.size() > kTextBytesMax) return Words(IDN2_TOO_BIG_DOMAIN);
  if (!IsUtf8(domain)) return Words(IDN2_ENCODING_ERROR);
  if (!std::all_of(domain.begin(), domain.end(), MayStand)) {
    return "a character that a domain cannot have";
  }
  const std::string text(domain);
  uint8_t* made = nullptr;
  const int error = idn2_lookup_u8(reinterpret_cast<const uint8_t*>(text.c_str()), &made, kFlags);
  const std::unique_ptr<uint8_t, FreeText> owned(made);
  if (error != IDN2_OK) return Words(error);
  const std::string_view ascii = reinterpret_cast<const char*>(made);
  // UTS 46 takes other full stops for dots; an address would then change where its labels end.
  if (std::count(ascii.begin(), ascii.end(), '.') != std::count(text.begin(), text.end(), '.')) {
    return Words(IDN2_DOT_IN_LABEL);
  }
  constexpr size_t kNameOctetsMax = 253;
  if (ascii.size() > kNameOctetsMax) return Words(IDN2_TOO_BIG_DOMAIN);
  if (!IsDomainName(ascii)) return Words(IDN2_DISALLOWED);
  out->assign(ascii);
  for (char& c : *out) c = ToLower(c);
  return nullptr;
}

void SetLower(std::string_view text, std::string* out) {
  out->assign(text);
  for (char& c : *out) c = ToLower(c);
}

}  // namespace

const char* ToALabels(std::string_view domain, std::string* out) {
  SetLower(domain, out);
  return IsAscii(domain) ? nullptr : LookUp(domain, out);
}

std::string ToULabels(std::string_view domain) {
  std::string ascii;
  if (ToALabels(domain, &ascii) != nullptr || ascii.size() > kTextBytesMax) return ascii;
  std::string unicode;
  for (std::string_view left = ascii;;) {
    const size_t dot = std::min(left.find('.'), left.size());
    const std::string label(left.substr(0, dot));
    char* made = nullptr;
    const bool coded = label.starts_with("xn--") && label.find('\0') == std::string::npos &&
                       idn2_to_unicode_8z8z(label.c_str(), &made, kFlags) == IDN2_OK;
    const std::unique_ptr<char, FreeText> owned(made);
    unicode.append(coded ? std::string_view(made) : std::string_view(label));
    if (dot == left.size()) return unicode;
    unicode.push_back('.');
    left.remove_prefix(dot + 1);
  }
}

bool HasTwoForms(std::string_view domain) {
  if (!IsAscii(domain)) return true;
  constexpr std::string_view kPrefix = "xn--";
  for (size_t at = 0; at + kPrefix.size() <= domain.size();) {
    if (ToLower(domain[at]) == 'x' && ToLower(domain[at + 1]) == 'n' &&
        domain.substr(at + 2, 2) == "--") {
      return true;
    }
    const size_t dot = domain.find('.', at);
    if (dot == std::string_view::npos) return false;
    at = dot + 1;
  }
  return false;
}

std::string DomainKey(std::string_view domain) {
  constexpr std::string_view kBelow = "*.";
  std::string key;
  if (!domain.starts_with(kBelow)) {
    ToALabels(domain, &key);
    return key;
  }
  ToALabels(domain.substr(kBelow.size()), &key);
  return std::string(kBelow) + key;
}

void SetAddressKey(std::string_view address, std::string* out) {
  SetLower(address, out);
  if (IsAscii(address)) return;
  const size_t at = address.rfind('@');
  if (at == std::string_view::npos) return;
  out->resize(at + 1);
  out->append(DomainKey(address.substr(at + 1)));
}

std::string AddressKey(std::string_view address) {
  std::string key;
  SetAddressKey(address, &key);
  return key;
}

bool ToAsciiAddress(std::string_view address, std::string* out) {
  out->assign(address);
  if (IsAscii(address)) return true;
  const size_t at = address.rfind('@');
  if (at == std::string_view::npos || !IsAscii(address.substr(0, at))) return false;
  std::string domain;
  if (ToALabels(address.substr(at + 1), &domain) != nullptr) return false;
  out->resize(at + 1);
  out->append(domain);
  return true;
}

std::string WithIdnaReason(std::string_view what, std::string_view domain) {
  std::string text(what);
  std::string ignored;
  if (domain.starts_with("*.")) domain.remove_prefix(2);
  const char* const why = ToALabels(domain, &ignored);
  return why == nullptr ? text : text.append(" (").append(why).append(")");
}

}  // namespace outbox::core
