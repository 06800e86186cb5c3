// What is typed behind sendmail, mailq and newaliases: the options that programs have been giving
// to /usr/sbin/sendmail for decades. Those that mean nothing to this mail system are taken and
// forgotten; one that nobody knows is an error.
#ifndef OUTBOX_TOOLS_SENDMAIL_OPTIONS_H_
#define OUTBOX_TOOLS_SENDMAIL_OPTIONS_H_

#include <string>
#include <vector>

#include "core/status.h"

namespace outbox::tools {

enum class SendmailMode {
  kDeliver,  // -bm: a message on standard input
  kSession,  // -bs: SMTP on standard input and output
  kQueue,    // -bp, mailq: the queue
  kNothing,  // newaliases, -q, -bi, -bv's like: there is nothing to do
};

struct SendmailOptions {
  SendmailMode mode = SendmailMode::kDeliver;
  bool recipients_in_header = false;  // -t
  bool dot_ends = true;               // not -i, -oi
  bool has_sender = false;
  std::string sender;     // -f, -r; as written
  std::string full_name;  // -F
  std::string notify;     // -N, in the form of RFC 3461
  std::string ret;        // -R: FULL or HDRS
  std::string envelope_id;  // -V, in xtext
  std::vector<std::string> recipients;
};

core::Result<SendmailOptions> ReadSendmailOptions(int argc, char** argv);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_SENDMAIL_OPTIONS_H_
