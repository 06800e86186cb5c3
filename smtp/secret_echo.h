// Hosts that say our secret back: `500 Command unrecognized: "AGFsaWNlAHNlY3JldA=="`. What they say
// goes into logs, listings and notices, and the secret must not.
#ifndef OUTBOX_SMTP_SECRET_ECHO_H_
#define OUTBOX_SMTP_SECRET_ECHO_H_

#include <cstddef>
#include <span>
#include <string_view>

namespace outbox::smtp {

// In the clear, a shorter secret is taken for a word like any other.
inline constexpr size_t kEchoedSecretMin = 6;

// Puts '*' where `bytes`, what a server says, has the secret: as it is, or inside of a word of
// base64. What is cut in two is not found.
void HideSecret(std::span<char> bytes, std::string_view secret);

}  // namespace outbox::smtp

#endif  // OUTBOX_SMTP_SECRET_ECHO_H_
