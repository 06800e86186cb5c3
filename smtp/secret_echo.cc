#include "smtp/secret_echo.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>

#include "core/limits.h"
#include "smtp/base64.h"

namespace outbox::smtp {
namespace {

bool IsDigit64(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '+' || c == '/';
}

// `word` without its padding.
bool Holds(std::string_view word, std::string_view secret) {
  std::array<char, core::kClientAuthMax> octets;
  size_t size = 0;
  DecodeBase64(word.substr(0, word.size() / 4 * 4), octets, &size);
  size_t tail = 0;
  std::array<char, 4> last = {'=', '=', '=', '='};
  const size_t rest = word.size() % 4;
  std::copy(word.end() - static_cast<ptrdiff_t>(rest), word.end(), last.begin());
  if (rest > 1) {
    DecodeBase64({last.data(), last.size()}, std::span<char>(octets).subspan(size), &tail);
  }
  const bool holds =
      std::string_view(octets.data(), size + tail).find(secret) != std::string_view::npos;
  explicit_bzero(octets.data(), octets.size());
  return holds;
}

}  // namespace

void HideSecret(std::span<char> bytes, std::string_view secret) {
  const std::string_view text(bytes.data(), bytes.size());
  for (size_t at = 0; at < bytes.size();) {
    size_t end = at;
    while (end < bytes.size() && IsDigit64(text[end])) ++end;
    const std::string_view word = text.substr(at, end - at);
    if (word.size() > secret.size() && word.size() <= core::kClientAuthMax && Holds(word, secret)) {
      std::fill_n(bytes.begin() + static_cast<ptrdiff_t>(at), word.size(), '*');
    }
    at = end + 1;
  }
  if (secret.size() < kEchoedSecretMin) return;
  for (size_t at = text.find(secret); at != std::string_view::npos; at = text.find(secret, at)) {
    std::fill_n(bytes.begin() + static_cast<ptrdiff_t>(at), secret.size(), '*');
  }
}

}  // namespace outbox::smtp
