#include "tools/sendmail/maildrop.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cinttypes>
#include <cstdio>
#include <memory>

#include "core/time.h"
#include "smtp/address.h"

namespace outbox::tools {
namespace {

constexpr std::string_view kMagic = "outbox-maildrop 1";
constexpr size_t kHeadLineBytesMax = 1024;

core::Status Bad(size_t line, const std::string& what) {
  return core::Status(core::StatusCode::kInvalidArgument,
                      "line " + std::to_string(line) + ": " + what);
}

// Parameters of SMTP commands: printable, and no blank that would begin another one.
bool IsParameter(std::string_view value) {
  constexpr size_t kBytesMax = 128;  // an ENVID is 100 at most
  return !value.empty() && value.size() <= kBytesMax &&
         std::all_of(value.begin(), value.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

core::Status TakeLine(std::string_view name, std::string_view value, size_t line, Mail* mail) {
  if (name == "sender" || name == "recipient") {
    const bool null_sender = name == "sender" && value.empty();
    if (!null_sender && !smtp::ParseMailbox(value).error.ok()) {
      return Bad(line, "expected an address behind \"" + std::string(name) + "\"");
    }
    if (name == "sender") {
      mail->sender = value;
    } else if (mail->recipients.size() == kHandedInRecipientsMax) {
      return Bad(line, "expected at most " + std::to_string(kHandedInRecipientsMax) +
                           " recipients");
    } else {
      mail->recipients.emplace_back(value);
    }
    return core::OkStatus();
  }
  std::string* const into = name == "notify"        ? &mail->notify
                            : name == "ret"         ? &mail->ret
                            : name == "envelope-id" ? &mail->envelope_id
                                                    : nullptr;
  if (into == nullptr || !IsParameter(value)) {
    return Bad(line, "expected sender, recipient, notify, ret, envelope-id or content");
  }
  *into = value;
  return core::OkStatus();
}

// Everything that can fail between the first byte and the last; 0, or errno.
int WriteAndRename(int fd, const std::string& from, const std::string& to,
                   std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t size = ::write(fd, bytes.data(), bytes.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return errno;
    bytes.remove_prefix(static_cast<size_t>(size));
  }
  if (::fsync(fd) != 0) return errno;
  return ::rename(from.c_str(), to.c_str()) == 0 ? 0 : errno;
}

int SyncDirectoryAt(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return errno;
  const int error = ::fsync(fd) == 0 ? 0 : errno;
  ::close(fd);
  return error;
}

// How many files of this user wait.
core::Result<size_t> CountOf(const std::string& directory, const std::string& prefix) {
  DIR* const opened = ::opendir(directory.c_str());
  if (opened == nullptr) return core::Status::FromErrno(errno, directory);
  size_t count = 0;
  while (const dirent* entry = ::readdir(opened)) {
    std::string_view name = entry->d_name;
    if (name.starts_with('.')) name.remove_prefix(1);  // unfinished ones as well
    if (name.starts_with(prefix)) ++count;
  }
  ::closedir(opened);
  return count;
}

}  // namespace

std::string EncodeMaildrop(const Mail& mail) {
  std::string out(kMagic);
  out.append("\nsender ").append(mail.sender);
  for (const std::string& recipient : mail.recipients) {
    out.append("\nrecipient ").append(recipient);
  }
  if (!mail.notify.empty()) out.append("\nnotify ").append(mail.notify);
  if (!mail.ret.empty()) out.append("\nret ").append(mail.ret);
  if (!mail.envelope_id.empty()) out.append("\nenvelope-id ").append(mail.envelope_id);
  out.append("\ncontent ").append(std::to_string(mail.content.size())).append("\n");
  return out.append(mail.content);
}

core::Result<Mail> DecodeMaildrop(std::string_view bytes) {
  Mail mail;
  for (size_t line = 1;; ++line) {
    const size_t end = bytes.substr(0, kHeadLineBytesMax).find('\n');
    if (end == std::string_view::npos) return Bad(line, "expected a whole line of the envelope");
    const std::string_view text = bytes.substr(0, end);
    bytes.remove_prefix(end + 1);
    if (line == 1) {
      if (text != kMagic) return Bad(line, "expected \"" + std::string(kMagic) + "\"");
      continue;
    }
    const size_t blank = std::min(text.find(' '), text.size());
    const std::string_view name = text.substr(0, blank);
    const std::string_view value = text.substr(std::min(blank + 1, text.size()));
    if (name != "content") {
      if (core::Status status = TakeLine(name, value, line, &mail); !status.ok()) return status;
      continue;
    }
    uint64_t size = 0;
    const auto [rest, error] = std::from_chars(value.data(), value.data() + value.size(), size);
    if (error != std::errc() || rest != value.data() + value.size() || size != bytes.size()) {
      return Bad(line, "expected the number of bytes that follow, " +
                           std::to_string(bytes.size()));
    }
    if (mail.recipients.empty()) return Bad(line, "expected a recipient before the content");
    mail.content = bytes;
    return mail;
  }
}

core::Result<std::string> WriteMaildrop(const std::string& directory, uint32_t uid,
                                        std::string_view bytes) {
  const std::string prefix = std::to_string(uid) + "-";
  const core::Result<size_t> waiting = CountOf(directory, prefix);
  if (!waiting.ok()) return waiting.status();
  if (*waiting >= kMaildropUserFilesMax) {
    return core::Status(core::StatusCode::kResourceExhausted,
                        std::to_string(*waiting) + " messages of yours wait in " + directory +
                            " already");
  }
  struct statvfs space = {};
  if (::statvfs(directory.c_str(), &space) != 0) {
    return core::Status::FromErrno(errno, directory);
  }
  if (uint64_t{space.f_bavail} * space.f_frsize < bytes.size() + kMaildropReserveBytes) {
    return core::Status(core::StatusCode::kResourceExhausted,
                        "there is too little room in " + directory);
  }
  timespec now = {};
  ::clock_gettime(CLOCK_REALTIME, &now);
  uint64_t random = 0;
  if (::getrandom(&random, sizeof random, 0) != static_cast<ssize_t>(sizeof random)) {
    return core::Status::FromErrno(errno, "getrandom");
  }
  char rest[64];
  std::snprintf(rest, sizeof rest, "%lld.%09ld-%016" PRIx64, static_cast<long long>(now.tv_sec),
                now.tv_nsec, random);
  const std::string name = prefix + rest;
  const std::string from = directory + "/." + name;
  const int fd = ::open(from.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);
  if (fd < 0) return core::Status::FromErrno(errno, directory);
  const std::string to = directory + "/" + name;
  int error = WriteAndRename(fd, from, to, bytes);
  ::close(fd);
  if (error == 0) {
    error = SyncDirectoryAt(directory);
    if (error == 0) return name;
    ::unlink(to.c_str());
  } else {
    ::unlink(from.c_str());
  }
  return core::Status::FromErrno(error, directory);
}

}  // namespace outbox::tools
