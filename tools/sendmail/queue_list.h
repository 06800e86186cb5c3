// `sendmail -bp` and `mailq`: the queue in the form that people and their scripts have known for
// decades.
#ifndef OUTBOX_TOOLS_SENDMAIL_QUEUE_LIST_H_
#define OUTBOX_TOOLS_SENDMAIL_QUEUE_LIST_H_

#include <string>

#include "core/status.h"

namespace outbox::tools {

// Asks the daemon at its control socket, and prints to standard output. kUnavailable: it is not
// there; kPermissionDenied: the caller may not ask.
core::Status PrintQueueList(const std::string& control);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_SENDMAIL_QUEUE_LIST_H_
