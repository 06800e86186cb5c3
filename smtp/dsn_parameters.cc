#include "smtp/dsn_parameters.h"

#include <algorithm>
#include <array>

#include "core/check.h"
#include "core/utf8.h"
#include "smtp/address.h"

namespace outbox::smtp {
namespace {

constexpr char kHexDigits[] = "0123456789ABCDEF";

// -1: none. Lower case is none (RFC 3461 4: hexchar).
int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// RFC 5322 3.2.3, without what cannot be in xtext anyway.
bool IsAtext(char c) {
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) return true;
  return std::string_view("!#$%&'*+-/=?^_`{|}~.").find(c) != std::string_view::npos;
}

// Octets of xtext that stand for one at `at`, 1 or 3, and which; 0: what stands there is no xtext.
size_t TakeXtext(std::string_view xtext, size_t at, int* octet) {
  const char c = xtext[at];
  if (c <= ' ' || c > '~' || c == '=') return 0;
  *octet = c;
  if (c != '+') return 1;
  const int high = at + 1 < xtext.size() ? HexValue(xtext[at + 1]) : -1;
  const int low = at + 2 < xtext.size() ? HexValue(xtext[at + 2]) : -1;
  if (high < 0 || low < 0) return 0;
  *octet = high * 16 + low;
  return 3;
}

// Reads all of `xtext`. Decoded it must be printable and of at most `octets_max` octets; ASCII, or
// with `utf8` UTF-8.
DsnError CheckXtext(std::string_view xtext, size_t octets_max, bool utf8) {
  size_t octets = 0;
  bool ascii = true;
  int octet = 0;
  for (size_t at = 0, taken = 0; at < xtext.size(); at += taken) {
    taken = TakeXtext(xtext, at, &octet);
    if (taken == 0 && xtext[at] == '+') {
      return {"Behind + two hexadecimal digits in upper case are expected (RFC 3461 4)", at};
    }
    if (taken == 0) return {"The value must be xtext (RFC 3461 4)", at};
    if (octet < ' ' || octet == 0x7f || (octet > 0x7f && !utf8)) {
      return {"The value must stand for printable ASCII", at};
    }
    ascii = ascii && octet < 0x80;
    if (++octets > octets_max) return {"The value is too long", at};
  }
  if (!ascii && !core::IsUtf8(DecodeXtext(xtext))) return {"The value must stand for UTF-8", 0};
  return {};
}

constexpr std::array<std::string_view, 9> kNotifyTexts = {
    "",      "SUCCESS",       "FAILURE",       "SUCCESS,FAILURE",
    "DELAY", "SUCCESS,DELAY", "FAILURE,DELAY", "SUCCESS,FAILURE,DELAY",
    "NEVER",
};

}  // namespace

bool IsXtext(std::string_view text) {
  int octet = 0;
  for (size_t at = 0, taken = 0; at < text.size(); at += taken) {
    taken = TakeXtext(text, at, &octet);
    if (taken == 0) return false;
  }
  return true;
}

DsnError ParseReturn(std::string_view value, DsnReturn* out) {
  if (EqualsIgnoringCase(value, "FULL")) {
    *out = DsnReturn::kFull;
  } else if (EqualsIgnoringCase(value, "HDRS")) {
    *out = DsnReturn::kHeaders;
  } else {
    return {"RET is FULL or HDRS", 0};
  }
  return {};
}

DsnError ParseNotify(std::string_view value, NotifyBits* out) {
  constexpr const char* kExpected =
      "NOTIFY is NEVER, or of SUCCESS, FAILURE and DELAY some, each once";
  constexpr std::array<std::string_view, 4> kWords = {"SUCCESS", "FAILURE", "DELAY", "NEVER"};
  NotifyBits bits = 0;
  for (size_t at = 0; at <= value.size();) {
    const std::string_view word = value.substr(at, value.find(',', at) - at);
    const auto* const found = std::find_if(
        kWords.begin(), kWords.end(), [&](auto known) { return EqualsIgnoringCase(word, known); });
    const NotifyBits bit =
        found == kWords.end() ? 0 : static_cast<NotifyBits>(1u << (found - kWords.begin()));
    if (bit == 0 || (bits & bit) != 0 || (bits != 0 && bit == kNotifyNever) ||
        bits == kNotifyNever) {
      return {kExpected, at};
    }
    bits |= bit;
    at += word.size() + 1;
  }
  *out = bits;
  return {};
}

DsnError CheckEnvid(std::string_view value) {
  if (value.empty()) return {"ENVID is an identifier of 1 to 100 octets", 0};
  return CheckXtext(value, kEnvidOctetsMax, /*utf8=*/false);
}

DsnError CheckOrcpt(std::string_view value) {
  const size_t semicolon = value.find(';');
  const std::string_view type = value.substr(0, semicolon);
  const auto* const bad = std::find_if_not(type.begin(), type.end(), IsAtext);
  if (bad != type.end() || type.empty() || semicolon == std::string_view::npos) {
    return {"ORCPT is a type, a semicolon and an address, such as rfc822;anna@example.com",
            static_cast<size_t>(bad - type.begin())};
  }
  const size_t address = semicolon + 1;
  if (address == value.size()) return {"Behind the type an address is expected", address};
  if (type.size() >= kOrcptOctetsMax) return {"The value is too long", 0};
  DsnError error =
      CheckXtext(value.substr(address), kOrcptOctetsMax - type.size() - 1, /*utf8=*/true);
  error.at += address;
  return error;
}

std::string_view NotifyText(NotifyBits notify) {
  CHECK(IsNotify(notify));
  return kNotifyTexts[notify];
}

std::string_view ReturnText(DsnReturn ret) {
  switch (ret) {
    case DsnReturn::kFull:
      return "FULL";
    case DsnReturn::kHeaders:
      return "HDRS";
    case DsnReturn::kUnspecified:
      break;
  }
  return "";
}

std::string DecodeXtext(std::string_view xtext) {
  std::string text;
  text.reserve(xtext.size());
  for (size_t i = 0; i < xtext.size(); ++i) {
    const int high = xtext[i] == '+' && i + 2 < xtext.size() ? HexValue(xtext[i + 1]) : -1;
    const int low = high < 0 ? -1 : HexValue(xtext[i + 2]);
    if (low < 0) {
      text.push_back(xtext[i]);
      continue;
    }
    text.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return text;
}

std::string EncodeXtext(std::string_view text) {
  std::string xtext;
  xtext.reserve(text.size());
  for (const char c : text) {
    if (c > ' ' && c <= '~' && c != '+' && c != '=') {
      xtext.push_back(c);
      continue;
    }
    const auto octet = static_cast<unsigned char>(c);
    xtext.append({'+', kHexDigits[octet >> 4], kHexDigits[octet & 15]});
  }
  return xtext;
}

}  // namespace outbox::smtp
