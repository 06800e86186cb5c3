#include "smtp/auth_response.h"

#include "smtp/address.h"

namespace outbox::smtp {
std::optional<core::AuthMechanism> FindMechanism(std::string_view name) {
  for (const auto mechanism : {core::AuthMechanism::kPlain, core::AuthMechanism::kLogin}) {
    if (EqualsIgnoringCase(name, core::AuthMechanismName(mechanism))) return mechanism;
  }
  return std::nullopt;
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
