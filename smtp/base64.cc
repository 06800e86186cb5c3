#include "smtp/base64.h"

#include <cstring>

namespace outbox::smtp {
namespace {

constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// -1: it is none.
int ValueOf(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  return c == '/' ? 63 : -1;
}

}  // namespace

Base64Writer::~Base64Writer() { explicit_bzero(held_, sizeof(held_)); }

void Base64Writer::Group() {
  const uint32_t bits = uint32_t{held_[0]} << 16 | uint32_t{held_[1]} << 8 | held_[2];
  const char digits[4] = {kDigits[bits >> 18], kDigits[bits >> 12 & 63],
                          count_ > 1 ? kDigits[bits >> 6 & 63] : '=',
                          count_ > 2 ? kDigits[bits & 63] : '='};
  out_->Append({digits, sizeof(digits)});
  held_[0] = held_[1] = held_[2] = 0;
  count_ = 0;
}

void Base64Writer::Append(std::string_view octets) {
  for (const char c : octets) {
    held_[count_++] = static_cast<uint8_t>(c);
    if (count_ == 3) Group();
  }
}

void Base64Writer::Finish() {
  if (count_ > 0) Group();
}

bool DecodeBase64(std::string_view word, std::span<char> out, size_t* size) {
  *size = 0;
  if (word.size() % 4 != 0) return false;
  size_t padding = 0;
  while (padding < 2 && word.ends_with('=')) {
    word.remove_suffix(1);
    ++padding;
  }
  uint32_t bits = 0;
  int held = 0;  // bits
  for (const char c : word) {
    const int value = ValueOf(c);
    if (value < 0) return false;
    bits = bits << 6 | static_cast<uint32_t>(value);
    held += 6;
    if (held < 8) continue;
    held -= 8;
    if (*size == out.size()) return false;
    out[(*size)++] = static_cast<char>(bits >> held & 0xff);
    bits &= (1u << held) - 1;
  }
  return bits == 0;
}

}  // namespace outbox::smtp
