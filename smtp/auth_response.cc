#include "smtp/auth_response.h"

#include "smtp/address.h"

namespace outbox::smtp {
namespace {

constexpr AuthMechanism kMechanisms[] = {AuthMechanism::kPlain, AuthMechanism::kLogin};

// Six bits, or -1.
int DigitValue(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  return c == '/' ? 63 : -1;
}

}  // namespace

const char* MechanismName(AuthMechanism mechanism) {
  return mechanism == AuthMechanism::kPlain ? "PLAIN" : "LOGIN";
}

std::optional<AuthMechanism> FindMechanism(std::string_view name) {
  for (const AuthMechanism mechanism : kMechanisms) {
    if (EqualsIgnoringCase(name, MechanismName(mechanism))) return mechanism;
  }
  return std::nullopt;
}

std::optional<size_t> DecodeBase64(std::string_view text, char* out) {
  if (text.size() % 4 != 0) return std::nullopt;
  size_t padding = 0;
  while (padding < 2 && text.ends_with('=')) {
    text.remove_suffix(1);
    ++padding;
  }
  uint32_t bits = 0;
  size_t size = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const int digit = DigitValue(text[i]);
    if (digit < 0) return std::nullopt;
    bits = bits << 6 | static_cast<uint32_t>(digit);
    if (i % 4 == 0) continue;
    // What is written lies before what is read, also in place.
    out[size++] = static_cast<char>(bits >> (6 - 2 * (i % 4)));
  }
  const uint32_t left_over = padding == 0 ? 0 : bits & (padding == 1 ? 3u : 15u);
  if (left_over != 0) return std::nullopt;
  return size;
}

std::optional<PlainResponse> ParsePlain(std::string_view message) {
  const size_t first = message.find('\0');
  if (first == std::string_view::npos) return std::nullopt;
  const size_t second = message.find('\0', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  PlainResponse response;
  response.authorize = message.substr(0, first);
  response.user = message.substr(first + 1, second - first - 1);
  response.password = message.substr(second + 1);
  if (response.password.find('\0') != std::string_view::npos) return std::nullopt;
  return response;
}

}  // namespace outbox::smtp
