// Reads what a configuration says of TLS: of listeners, routes and [delivery].
#ifndef OUTBOX_CORE_CONFIG_TLS_H_
#define OUTBOX_CORE_CONFIG_TLS_H_

#include "core/config.h"
#include "core/config_reader.h"

namespace outbox::core {

// The key `tls`. False: it is not there, or it is none of those ways; *place is where it stands.
bool ReadTlsMode(ConfigReader* reader, TlsMode* mode, TomlPosition* place,
                 ConfigProblems* problems);
// `tls`, `tls_certificate` and `tls_key` of a listener.
void ReadListenerTls(ConfigReader* reader, ListenerConfig* listener, ConfigProblems* problems);
// `tls` and `tls_ca` of [delivery].
void ReadDeliveryTls(ConfigReader* reader, DeliveryConfig* delivery, ConfigProblems* problems);

}  // namespace outbox::core

#endif  // OUTBOX_CORE_CONFIG_TLS_H_
