// What a client says to authenticate itself (RFC 4954): base64 lines, and what is in them.
//
// Pure, without memory of its own: what is decoded is secret, and the caller overwrites it.
#ifndef OUTBOX_SMTP_AUTH_RESPONSE_H_
#define OUTBOX_SMTP_AUTH_RESPONSE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace outbox::smtp {

// The mechanisms that a server session offers.
enum class AuthMechanism : uint8_t {
  kPlain,  // RFC 4616
  kLogin,  // draft-murchison-sasl-login: what many clients know
};

// "PLAIN", as EHLO and logs have it.
const char* MechanismName(AuthMechanism mechanism);

// Finds a mechanism by its name, whatever its case (RFC 4422 3.1).
std::optional<AuthMechanism> FindMechanism(std::string_view name);

// Decodes base64 as RFC 4648 4 has it, and strictly: padded, nothing in between, no bits left over.
// Returns the octets written to `out`; nothing: it is none. `out` has room for 3/4 of the text, and
// may be where the text is.
std::optional<size_t> DecodeBase64(std::string_view text, char* out);

// The parts of PLAIN's message, views into it.
struct PlainResponse {
  std::string_view authorize;  // whom to act for; empty: the user
  std::string_view user;
  std::string_view password;
};

// RFC 4616 2: [authzid] NUL authcid NUL passwd. Nothing: it is none.
std::optional<PlainResponse> ParsePlain(std::string_view message);

}  // namespace outbox::smtp

#endif  // OUTBOX_SMTP_AUTH_RESPONSE_H_
