// sendmail, mailq, newaliases: the way into Outbox for programs of this machine that know nothing
// of SMTP. Mail goes to outboxd's unix socket; while outboxd is not there it waits in the maildrop.
//
// Exit status as sysexits.h has it, which is what callers look at: 0 the mail is safe; 64 usage; 65
// the message; 67 a recipient; 69 refused for another reason; 71, 74 the system; 75 not now, try
// again; 77 not allowed.
#include <pwd.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <string>

#include "core/domain_name.h"
#include "core/time.h"
#include "tools/sendmail/composition.h"
#include "tools/sendmail/maildrop.h"
#include "tools/sendmail/message_reader.h"
#include "tools/sendmail/options.h"
#include "tools/sendmail/queue_list.h"
#include "tools/sendmail/session_relay.h"
#include "tools/sendmail/submission.h"

namespace outbox::tools {
namespace {

const char* Setting(const char* variable, const char* otherwise) {
  const char* const set = std::getenv(variable);
  return set != nullptr && *set != '\0' ? set : otherwise;
}

std::string ListenerPath() {
  return Setting("OUTBOX_SUBMIT", "/run/outbox/submit.sock");
}

int Complain(const std::string& what, int status) {
  std::fprintf(stderr, "sendmail: %s\n", what.c_str());
  return status;
}

// The domain of addresses without one: /etc/mailname, as on every Debian system, or the host's
// name.
std::string Origin() {
  std::ifstream file("/etc/mailname");
  std::string name;
  if (file && std::getline(file, name)) {
    const size_t end = name.find_first_of(" \t\r");
    name = name.substr(0, end);
    if (core::IsDomainName(name)) return name;
  }
  char host[HOST_NAME_MAX + 1] = {};
  if (::gethostname(host, sizeof host - 1) == 0 && core::IsDomainName(host)) return host;
  return "localhost";
}

Caller WhoCalls() {
  Caller caller;
  caller.origin = Origin();
  if (const passwd* entry = ::getpwuid(::getuid()); entry != nullptr) {
    caller.user = entry->pw_name;
    caller.full_name = FullNameOf(entry->pw_gecos != nullptr ? entry->pw_gecos : "", caller.user);
  } else {
    caller.user = "uid" + std::to_string(::getuid());
  }
  timespec now = {};
  ::clock_gettime(CLOCK_REALTIME, &now);
  caller.now_wall_ns = now.tv_sec * core::kNsPerSecond + now.tv_nsec;
  if (::getrandom(&caller.random, sizeof caller.random, 0) < 0) caller.random = 0;
  return caller;
}

// Writes the file of the maildrop to the program that may; its exit status. What it has to say goes
// to standard error.
int RunDrop(const std::string& bytes) {
  int ends[2];
  if (::pipe(ends) != 0) return Complain(std::strerror(errno), EX_OSERR);
  const pid_t child = ::fork();
  if (child < 0) return Complain(std::strerror(errno), EX_OSERR);
  if (child == 0) {
    ::dup2(ends[0], STDIN_FILENO);
    ::close(ends[0]);
    ::close(ends[1]);
    const char* const program = Setting("OUTBOX_DROP", OUTBOX_LIBEXEC "/outbox-drop");
    ::execl(program, "outbox-drop", nullptr);
    std::fprintf(stderr, "sendmail: %s: %s\n", program, std::strerror(errno));
    ::_exit(EX_OSFILE);
  }
  ::close(ends[0]);
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t size = ::write(ends[1], bytes.data() + done, bytes.size() - done);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) break;  // it has given up, and says why
    done += static_cast<size_t>(size);
  }
  ::close(ends[1]);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return Complain(std::strerror(errno), EX_OSERR);
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : EX_SOFTWARE;
}

// What a refusal means to the caller, by its enhanced status code (RFC 3463).
int StatusOf(const std::string& reply) {
  if (reply.find(" 5.1.") == 3) return EX_NOUSER;
  if (reply.find(" 5.6.") == 3 || reply.find(" 5.3.4") == 3) return EX_DATAERR;
  return EX_UNAVAILABLE;
}

int Deliver(const SendmailOptions& options) {
  const core::Result<std::string> content = ReadMessage(STDIN_FILENO, options.dot_ends);
  if (!content.ok()) {
    const bool too_large = content.status().code() == core::StatusCode::kInvalidArgument;
    return Complain(content.status().message(), too_large ? EX_DATAERR : EX_IOERR);
  }
  const core::Result<Mail> mail = Compose(options, WhoCalls(), *content);
  if (!mail.ok()) return Complain(mail.status().message(), EX_USAGE);
  const Submitted submitted = Submit(ListenerPath(), *mail, OneRefused::kStopsAll);
  if (submitted.end == SubmissionEnd::kTaken) return EX_OK;
  if (submitted.end == SubmissionEnd::kRefused) {
    for (const Submitted::Refusal& refusal : submitted.refused) {
      std::fprintf(stderr, "sendmail: %s: %s\n", refusal.recipient.c_str(), refusal.reply.c_str());
    }
    if (submitted.refused.empty()) return Complain(submitted.text, StatusOf(submitted.text));
    return Complain("nothing was sent", StatusOf(submitted.refused[0].reply));
  }
  const int dropped = RunDrop(EncodeMaildrop(*mail));
  if (dropped == EX_OK) return EX_OK;
  return Complain("the mail was not taken: " + submitted.text, EX_TEMPFAIL);
}

int PrintQueue() {
  const core::Status status =
      PrintQueueList(Setting("OUTBOX_CONTROL", "/run/outbox/control.sock"));
  if (status.ok()) return std::fflush(stdout) == 0 ? EX_OK : Complain("output", EX_IOERR);
  return Complain(status.message(), status.code() == core::StatusCode::kPermissionDenied
                                        ? EX_NOPERM
                                    : status.code() == core::StatusCode::kUnavailable
                                        ? EX_UNAVAILABLE
                                        : EX_IOERR);
}

int Main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);
  const core::Result<SendmailOptions> options = ReadSendmailOptions(argc, argv);
  if (!options.ok()) return Complain(options.status().message(), EX_USAGE);
  switch (options->mode) {
    case SendmailMode::kDeliver:
      return Deliver(*options);
    case SendmailMode::kSession:
      return RelaySession(ListenerPath(), STDIN_FILENO, STDOUT_FILENO) ? EX_OK : EX_TEMPFAIL;
    case SendmailMode::kQueue:
      return PrintQueue();
    case SendmailMode::kNothing:
      return EX_OK;
  }
  return EX_SOFTWARE;
}

}  // namespace
}  // namespace outbox::tools

int main(int argc, char** argv) { return outbox::tools::Main(argc, argv); }
