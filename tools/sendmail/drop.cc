// outbox-drop: puts one message, as sendmail writes it, into the maildrop. The only program that
// runs with the maildrop's group, so that users can add to that directory, and can neither read it
// nor take anything away. It trusts nothing: not its input, its environment or its descriptors.
//
// Exit status as sysexits.h has it: 0 the message is on the disk; 64 usage; 65 the input is not a
// whole message; 74 it could not be written; 75 there is no room now.
#include <fcntl.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "tools/sendmail/maildrop.h"

namespace {

int Complain(const char* what, int status) {
  std::fprintf(stderr, "outbox-drop: %s\n", what);
  return status;
}

// A file that we open must not become standard output or error.
bool StandardDescriptorsAreOpen() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (::fcntl(fd, F_GETFD) < 0 && ::open("/dev/null", O_RDWR) != fd) return false;
  }
  return true;
}

// False: it is too large, or cannot be read.
bool ReadAll(std::string* bytes) {
  static char piece[64 << 10];
  while (true) {
    const ssize_t size = ::read(STDIN_FILENO, piece, sizeof piece);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return size == 0;
    if (bytes->size() + static_cast<size_t>(size) > outbox::tools::kMaildropFileBytesMax) {
      return false;
    }
    bytes->append(piece, static_cast<size_t>(size));
  }
}

}  // namespace

int main(int argc, char**) {
  if (argc != 1) return Complain("takes no arguments; see sendmail(8)", EX_USAGE);
  if (!StandardDescriptorsAreOpen()) return EX_OSERR;
  // Not from here on: a caller that goes away, or its terminal, must not leave half a file behind.
  for (const int signal : {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGXFSZ, SIGALRM}) {
    ::signal(signal, SIG_IGN);
  }
  ::alarm(0);
  ::umask(027);
  std::string bytes;
  if (!ReadAll(&bytes)) return Complain("the message is too large or cannot be read", EX_DATAERR);
  if (const auto mail = outbox::tools::DecodeMaildrop(bytes); !mail.ok()) {
    return Complain(mail.status().message().c_str(), EX_DATAERR);
  }
  // Heard only when nobody has lent us a group: in tests.
  const char* const set = ::secure_getenv("OUTBOX_MAILDROP");
  const auto name = outbox::tools::WriteMaildrop(
      set != nullptr ? set : "/var/spool/outbox-maildrop", ::getuid(), bytes);
  if (name.ok()) return EX_OK;
  const bool full = name.status().code() == outbox::core::StatusCode::kResourceExhausted;
  return Complain(name.status().message().c_str(), full ? EX_TEMPFAIL : EX_IOERR);
}
