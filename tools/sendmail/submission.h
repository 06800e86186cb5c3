// Hands mail to outboxd by SMTP at its unix socket, and waits for the answer. Blocking: for
// programs and for threads that carry no mail.
#ifndef OUTBOX_TOOLS_SENDMAIL_SUBMISSION_H_
#define OUTBOX_TOOLS_SENDMAIL_SUBMISSION_H_

#include <string>
#include <vector>

#include "tools/sendmail/mail.h"

namespace outbox::tools {

enum class SubmissionEnd {
  kTaken,    // 250: the daemon has the message, for all recipients that are not in `refused`
  kNotNow,   // nobody is there, it ended too early, or it said 4xx: nothing was taken, as far as we
             // know. Try again
  kRefused,  // 5xx: nothing was taken, and will not be
};

struct Submitted {
  SubmissionEnd end = SubmissionEnd::kNotNow;
  std::string text;  // the last reply, or what went wrong: one line
  struct Refusal {
    std::string recipient;
    std::string reply;
  };
  std::vector<Refusal> refused;
};

// Whether one recipient that is refused for good stops the message for all.
enum class OneRefused { kStopsAll, kOthersGo };

// A connection to the listener at `path`, or -errno.
int ConnectToListener(const std::string& path);

Submitted Submit(const std::string& path, const Mail& mail, OneRefused one_refused);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_SENDMAIL_SUBMISSION_H_
