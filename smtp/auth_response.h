// What a client says to authenticate itself (RFC 4954): the mechanism, and the message of PLAIN.
//
// Pure, without memory of its own: what is decoded is secret, and the caller overwrites it.
#ifndef OUTBOX_SMTP_AUTH_RESPONSE_H_
#define OUTBOX_SMTP_AUTH_RESPONSE_H_

#include <optional>
#include <string_view>

#include "core/auth_mechanism.h"

namespace outbox::smtp {

// One of those that a server session offers, PLAIN and LOGIN, by its name, whatever its case
// (RFC 4422 3.1).
std::optional<core::AuthMechanism> FindMechanism(std::string_view name);

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
