#include "tools/sendmail/submission.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "core/utf8.h"

namespace outbox::tools {
namespace {

// RFC 5321 4.5.3.2 has patience for the other side of the world; this one is the same machine. The
// last reply comes when the message is on the disk.
constexpr time_t kReplySeconds = 120;
constexpr time_t kFinalReplySeconds = 600;
constexpr size_t kReplyBytesMax = size_t{64} << 10;

struct Answer {
  int code = 0;  // 0: none came, `text` says why
  std::string text;
  std::string lines;  // all of them, of EHLO
};

// One connection. Closed by the destructor.
class Session {
 public:
  explicit Session(int socket) : socket_(socket) {}
  ~Session() { ::close(socket_); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  Answer Say(std::string_view command) {
    if (!Send(std::string(command) + "\r\n")) return {0, Lost(), {}};
    return Hear();
  }

  Answer Hear() {
    Answer answer;
    while (answer.lines.size() < kReplyBytesMax) {
      std::string line;
      if (!ReadLine(&line)) return {0, Lost(), {}};
      if (line.size() < 3 || line.find_first_not_of("0123456789") < 3) {
        return {0, "outboxd answered out of turn: " + line, {}};
      }
      answer.lines.append(line.substr(std::min<size_t>(4, line.size()))).append("\n");
      if (line.size() > 3 && line[3] == '-') continue;
      answer.code = std::stoi(line.substr(0, 3));
      answer.text = line;
      return answer;
    }
    return {0, "outboxd answered with too many lines", {}};
  }

  bool Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }

  // Content, with the dots that stand first in a line doubled, and the final dot (RFC 5321 4.5.2).
  bool SendContent(std::string_view content) {
    std::string out;
    constexpr size_t kPieceBytes = size_t{256} << 10;
    bool at_start = true;
    while (!content.empty()) {
      const size_t end = content.find('\n');
      const std::string_view line =
          content.substr(0, end == std::string_view::npos ? content.size() : end + 1);
      if (at_start && line.front() == '.') out.push_back('.');
      out.append(line);
      at_start = line.back() == '\n';
      content.remove_prefix(line.size());
      if (out.size() >= kPieceBytes) {
        if (!Send(out)) return false;
        out.clear();
      }
    }
    out.append(at_start ? ".\r\n" : "\r\n.\r\n");
    return Send(out);
  }

  void WaitFor(time_t seconds) {
    const timeval limit = {seconds, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  }

 private:
  bool ReadLine(std::string* line) {
    while (true) {
      const size_t end = buffer_.find('\n');
      if (end != std::string::npos) {
        *line = buffer_.substr(0, end);
        while (!line->empty() && line->back() == '\r') line->pop_back();
        buffer_.erase(0, end + 1);
        return true;
      }
      if (buffer_.size() > kReplyBytesMax) return false;
      char bytes[4096];
      const ssize_t size = ::recv(socket_, bytes, sizeof bytes, 0);
      if (size < 0 && errno == EINTR) continue;
      if (size <= 0) {
        error_ = size < 0 ? errno : 0;
        return false;
      }
      buffer_.append(bytes, static_cast<size_t>(size));
    }
  }

  std::string Lost() const {
    if (error_ == EAGAIN) return "outboxd did not answer in time";
    return "outboxd closed the connection";
  }

  const int socket_;
  int error_ = 0;
  std::string buffer_;
};

bool Offers(const Answer& ehlo, std::string_view keyword) {
  size_t at = ehlo.lines.find('\n') + 1;  // the first line is the greeting
  while (at < ehlo.lines.size()) {
    const size_t end = ehlo.lines.find('\n', at);
    const std::string_view line = std::string_view(ehlo.lines).substr(at, end - at);
    if (line.substr(0, line.find(' ')) == keyword) return true;
    at = end + 1;
  }
  return false;
}

SubmissionEnd EndOf(const Answer& answer) {
  return answer.code >= 500 ? SubmissionEnd::kRefused : SubmissionEnd::kNotNow;
}

std::string MailCommand(const Mail& mail, const Answer& ehlo) {
  std::string command = "MAIL FROM:<" + mail.sender + ">";
  const bool eight_bit =
      std::any_of(mail.content.begin(), mail.content.end(), [](char c) { return (c & 0x80) != 0; });
  if (eight_bit && Offers(ehlo, "8BITMIME")) command += " BODY=8BITMIME";
  // For its addresses alone: a header of 8 bits has never asked for more (docs/utf8.md).
  const bool utf8 = !core::IsAscii(mail.sender) ||
                    std::any_of(mail.recipients.begin(), mail.recipients.end(),
                                [](const std::string& one) { return !core::IsAscii(one); });
  if (utf8 && Offers(ehlo, "SMTPUTF8")) command += " SMTPUTF8";
  if (Offers(ehlo, "SIZE")) command += " SIZE=" + std::to_string(mail.content.size());
  if (Offers(ehlo, "DSN")) {
    if (!mail.ret.empty()) command += " RET=" + mail.ret;
    if (!mail.envelope_id.empty()) command += " ENVID=" + mail.envelope_id;
  }
  return command;
}

// RCPT for all. False: it ends here, as *result says.
bool NameRecipients(Session* session, const Mail& mail, bool dsn, OneRefused one_refused,
                    Submitted* result) {
  for (const std::string& recipient : mail.recipients) {
    std::string command = "RCPT TO:<" + recipient + ">";
    if (dsn && !mail.notify.empty()) command += " NOTIFY=" + mail.notify;
    const Answer answer = session->Say(command);
    if (answer.code >= 200 && answer.code < 300) continue;
    result->text = answer.text;
    if (answer.code < 500) {
      result->end = SubmissionEnd::kNotNow;
      result->refused.clear();
      return false;
    }
    result->refused.push_back({recipient, answer.text});
  }
  if (result->refused.empty()) return true;
  if (one_refused == OneRefused::kOthersGo && result->refused.size() < mail.recipients.size()) {
    return true;
  }
  result->end = SubmissionEnd::kRefused;
  return false;
}

Submitted Talk(Session* session, const Mail& mail, OneRefused one_refused) {
  Submitted result;
  Answer answer = session->Hear();
  if (answer.code != 220) return {SubmissionEnd::kNotNow, answer.text, {}};
  const Answer ehlo = session->Say("EHLO localhost");
  if (ehlo.code != 250) return {SubmissionEnd::kNotNow, ehlo.text, {}};
  answer = session->Say(MailCommand(mail, ehlo));
  if (answer.code != 250) return {EndOf(answer), answer.text, {}};
  if (!NameRecipients(session, mail, Offers(ehlo, "DSN"), one_refused, &result)) {
    session->Say("QUIT");
    return result;
  }
  answer = session->Say("DATA");
  if (answer.code != 354) return {EndOf(answer), answer.text, {}};
  session->WaitFor(kFinalReplySeconds);
  // Who is refused in the middle of a message may find the connection closed, and the reply in it.
  session->SendContent(mail.content);
  answer = session->Hear();
  result.text = answer.text;
  result.end = answer.code == 250 ? SubmissionEnd::kTaken : EndOf(answer);
  if (result.end != SubmissionEnd::kTaken) result.refused.clear();
  session->WaitFor(1);
  if (answer.code != 0) session->Say("QUIT");
  return result;
}

}  // namespace

int ConnectToListener(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) return -ENAMETOOLONG;
  path.copy(address.sun_path, path.size());
  const int made = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (made < 0) return -errno;
  // Waits for room in the listener's queue, no longer than for a reply.
  const timeval limit = {kReplySeconds, 0};
  ::setsockopt(made, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  ::setsockopt(made, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  if (::connect(made, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    return made;
  }
  const int error = errno;
  ::close(made);
  return -error;
}

Submitted Submit(const std::string& path, const Mail& mail, OneRefused one_refused) {
  const int socket = ConnectToListener(path);
  if (socket < 0) {
    return {SubmissionEnd::kNotNow,
            path + ": " + (socket == -ENOENT ? "outboxd is not there" : std::strerror(-socket)),
            {}};
  }
  Session session(socket);
  return Talk(&session, mail, one_refused);
}

}  // namespace outbox::tools
