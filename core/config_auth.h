// Reads what a configuration says of clients that authenticate themselves: [auth], and of
// listeners.
#ifndef OUTBOX_CORE_CONFIG_AUTH_H_
#define OUTBOX_CORE_CONFIG_AUTH_H_

#include "core/config.h"
#include "core/config_reader.h"

namespace outbox::core {

// [auth].
void ReadAuth(const TomlValue& table, AuthConfig* auth, ConfigProblems* problems);
// `auth`, `auth_users` and `auth_without_tls` of a listener. Behind [auth] and the listener's TLS.
void ReadListenerAuth(ConfigReader* reader, const AuthConfig& all, ListenerConfig* listener,
                      ConfigProblems* problems);

}  // namespace outbox::core

#endif  // OUTBOX_CORE_CONFIG_AUTH_H_
