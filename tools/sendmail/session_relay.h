// `sendmail -bs`: SMTP between standard input and output and outboxd's unix socket.
#ifndef OUTBOX_TOOLS_SENDMAIL_SESSION_RELAY_H_
#define OUTBOX_TOOLS_SENDMAIL_SESSION_RELAY_H_

#include <string>

namespace outbox::tools {

// Until either side has ended. A line that ends in LF alone is ended by CRLF on its way in, since
// the listener takes nothing else. False: outboxd is not there; the client was told so by a 421.
bool RelaySession(const std::string& path, int from_client, int to_client);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_SENDMAIL_SESSION_RELAY_H_
