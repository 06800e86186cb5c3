#include "tools/maildrop_pickup.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <utility>

#include "core/byte_size.h"
#include "core/check.h"
#include "core/time.h"
#include "core/time_format.h"
#include "tools/sendmail/header_section.h"
#include "tools/sendmail/maildrop.h"
#include "tools/sendmail/submission.h"

namespace outbox::tools {
namespace {

// Files of one look into the directory; the next ones come with the next.
constexpr size_t kSweepFilesMax = 1000;
// Files that are kept aside. One more is thrown away, and the log says so.
constexpr size_t kBadFilesMax = 1000;
constexpr int kRetryMs = 10'000;
constexpr int kIdleMs = 600'000;  // a change that nobody has told us of
// Who writes a file takes seconds. One that is so old has no writer any more.
constexpr time_t kUnfinishedSeconds = 3600;
constexpr size_t kEnvelopeBytesMax = kMaildropFileBytesMax - kHandedInBytesMax;
// Of the header that is quoted in a notice.
constexpr size_t kQuotedBytesMax = size_t{16} << 10;

bool IsMessageName(const char* name) { return name[0] >= '0' && name[0] <= '9'; }

// All of the file, which is `size` long; false when it is not, any more.
bool ReadFile(int fd, uint64_t size, std::string* bytes) {
  bytes->resize(size);
  size_t done = 0;
  while (done < size) {
    const ssize_t got = ::read(fd, bytes->data() + done, size - done);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    done += static_cast<size_t>(got);
  }
  return true;
}

size_t FilesIn(const std::string& directory) {
  DIR* const opened = ::opendir(directory.c_str());
  if (opened == nullptr) return 0;
  size_t count = 0;
  while (const dirent* entry = ::readdir(opened)) count += IsMessageName(entry->d_name) ? 1 : 0;
  ::closedir(opened);
  return count;
}

std::string Now() {
  timespec now = {};
  ::clock_gettime(CLOCK_REALTIME, &now);
  std::array<char, core::kRfc5322DateBytes> buffer;
  return std::string(
      core::FormatRfc5322Date(now.tv_sec * core::kNsPerSecond + now.tv_nsec, buffer));
}

}  // namespace

MaildropPickup::MaildropPickup(std::string directory, std::string hostname, Log log)
    : directory_(std::move(directory)), hostname_(std::move(hostname)), log_(std::move(log)) {}

MaildropPickup::~MaildropPickup() {
  CHECK(!thread_.joinable());
  for (const int fd : {lock_, changes_, stop_}) {
    if (fd >= 0) ::close(fd);
  }
}

core::Status MaildropPickup::Open() {
  const std::string lock = directory_ + "/.lock";
  lock_ = ::open(lock.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (lock_ < 0) return core::Status::FromErrno(errno, "the maildrop " + directory_);
  if (::flock(lock_, LOCK_EX | LOCK_NB) != 0) {
    return core::Status(core::StatusCode::kAlreadyExists,
                        "the maildrop " + directory_ + " is being emptied by another outboxd");
  }
  stop_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  changes_ = ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (stop_ < 0 || changes_ < 0 ||
      ::inotify_add_watch(changes_, directory_.c_str(), IN_MOVED_TO | IN_ONLYDIR) < 0) {
    return core::Status::FromErrno(errno, "the maildrop " + directory_);
  }
  return core::OkStatus();
}

void MaildropPickup::SetListener(const core::Config& config) {
  const auto found = std::find_if(config.listeners.begin(), config.listeners.end(),
                                  [](const auto& listener) { return listener.is_unix(); });
  if (found == config.listeners.end()) return;  // the configuration's rules know of the maildrop
  const std::lock_guard<std::mutex> lock(mutex_);
  listener_ = found->path;
  size_max_ = found->max_size;
}

void MaildropPickup::Start() {
  thread_ = std::thread([this] { Run(); });
}

void MaildropPickup::RequestStop() {
  stopping_ = true;
  const uint64_t one = 1;
  if (stop_ < 0) return;
  [[maybe_unused]] const ssize_t written = ::write(stop_, &one, sizeof one);
}

void MaildropPickup::Join() {
  if (thread_.joinable()) thread_.join();
}

void MaildropPickup::Run() {
  ::pthread_setname_np(::pthread_self(), "maildrop");
  while (!stopping_) {
    // Forgotten first: what changes from here on is seen below, or wakes us.
    std::array<char, 4096> events;
    while (::read(changes_, events.data(), events.size()) > 0) {
    }
    const bool done = Sweep();
    pollfd polled[2] = {{stop_, POLLIN, 0}, {done ? changes_ : -1, POLLIN, 0}};
    ::poll(polled, 2, done ? kIdleMs : kRetryMs);
  }
}

std::vector<std::string> MaildropPickup::Names() const {
  std::vector<std::string> names;
  DIR* const opened = ::opendir(directory_.c_str());
  if (opened == nullptr) {
    log_("maildrop_failed", directory_ + ": " + std::strerror(errno));
    return names;
  }
  while (const dirent* entry = ::readdir(opened)) {
    if (IsMessageName(entry->d_name)) {
      names.emplace_back(entry->d_name);
    } else if (entry->d_name[0] == '.' && IsMessageName(entry->d_name + 1)) {
      RemoveUnfinished(entry->d_name);
    }
  }
  ::closedir(opened);
  // "1000-1764370000.000000000-..." in the order of their time.
  const auto time = [](const std::string& name) { return name.substr(name.find('-') + 1); };
  std::sort(names.begin(), names.end(), [&time](const std::string& a, const std::string& b) {
    return std::pair(time(a), a) < std::pair(time(b), b);
  });
  return names;
}

// Its writer was killed before it could say that the message was safe.
void MaildropPickup::RemoveUnfinished(const std::string& name) const {
  const std::string path = directory_ + "/" + name;
  struct stat info = {};
  if (::lstat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return;
  if (::time(nullptr) - info.st_mtime > kUnfinishedSeconds) ::unlink(path.c_str());
}

bool MaildropPickup::Sweep() {
  std::vector<std::string> names = Names();
  const bool more = names.size() > kSweepFilesMax;
  if (more) names.resize(kSweepFilesMax);
  for (const std::string& name : names) {
    if (stopping_ || !TakeOut(name)) return false;
  }
  return !more || Sweep();
}

bool MaildropPickup::TakeOut(const std::string& name) {
  const std::string path = directory_ + "/" + name;
  const int fd = ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) {
    const int error = errno;
    if (error == EMFILE || error == ENFILE || error == ENOMEM) return false;
    PutAside(name, std::string("it cannot be opened: ") + std::strerror(error));
    return true;
  }
  uint64_t size_max = 0;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    size_max = std::min<uint64_t>(size_max_, kHandedInBytesMax) + kEnvelopeBytesMax;
  }
  struct stat info = {};
  std::string bytes;
  std::string wrong;
  if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || info.st_nlink != 1) {
    wrong = "it is not a file of its own";
  } else if (static_cast<uint64_t>(info.st_size) > size_max) {
    wrong = "it has " + core::FormatByteSize(static_cast<uint64_t>(info.st_size)) +
            ", more than the listener takes";
  } else if (!ReadFile(fd, static_cast<uint64_t>(info.st_size), &bytes)) {
    wrong = "it cannot be read";
  }
  ::close(fd);
  if (wrong.empty()) {
    core::Result<Mail> mail = DecodeMaildrop(bytes);
    std::string().swap(bytes);
    if (mail.ok()) return HandIn(name, info.st_uid, std::move(*mail));
    wrong = mail.status().message();
  }
  PutAside(name, wrong);
  return true;
}

bool MaildropPickup::HandIn(const std::string& name, uint32_t uid, Mail mail) {
  std::string listener;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    listener = listener_;
  }
  const std::string user = "uid:" + std::to_string(uid);
  mail.content.insert(0, "Received: from maildrop (" + user + ")\r\n\tby " + hostname_ +
                             " (Outbox) id " + name + ";\r\n\t" + Now() + "\r\n");
  const Submitted submitted = Submit(listener, mail, OneRefused::kOthersGo);
  const std::string of = name + " of " + user + " from <" + mail.sender + ">: ";
  if (submitted.end == SubmissionEnd::kNotNow) {
    if (!stopping_) log_("maildrop_waits", of + submitted.text);
    return false;
  }
  std::string reasons;
  for (const Submitted::Refusal& refusal : submitted.refused) {
    reasons += "  " + refusal.recipient + "\r\n    " + refusal.reply + "\r\n";
  }
  const bool taken = submitted.end == SubmissionEnd::kTaken;
  if (!taken && submitted.refused.empty()) reasons = "  " + submitted.text + "\r\n";
  bool told = true;
  if (!reasons.empty() && !TellSender(mail, reasons, &told)) {
    // Handed in again later, as a whole: a second copy is better than silence.
    return false;
  }
  if (!told) {
    PutAside(name, "it was refused, and there is no sender to be told:\n" + reasons);
    return true;
  }
  if (::unlink((directory_ + "/" + name).c_str()) != 0) {
    log_("maildrop_failed", of + "it was taken and cannot be removed: " + std::strerror(errno));
    return false;
  }
  log_(taken ? "maildrop_taken" : "maildrop_refused", of + submitted.text);
  return true;
}

bool MaildropPickup::TellSender(const Mail& mail, const std::string& reasons, bool* told) {
  *told = false;
  if (mail.sender.empty()) return true;
  Mail notice;
  notice.recipients = {mail.sender};
  std::string header = mail.content.substr(0, mail.content.find("\r\n\r\n"));
  header = header.substr(0, header.rfind("\r\n", kQuotedBytesMax));
  notice.content = "From: " + FromValue("Mail Delivery System", "MAILER-DAEMON@" + hostname_) +
                   "\r\nTo: " + mail.sender +
                   "\r\nSubject: Your message was not sent to everybody\r\n"
                   "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
                   "Content-Type: text/plain; charset=utf-8\r\n"
                   "Content-Transfer-Encoding: 8bit\r\n\r\n"
                   "A message that you handed in on " +
                   hostname_ +
                   " waited until the mail system\r\n"
                   "was there again. Then these recipients, or the message, were refused:\r\n\r\n" +
                   reasons + "\r\nIts header was:\r\n\r\n" + header + "\r\n";
  std::string listener;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    listener = listener_;
  }
  const Submitted submitted = Submit(listener, notice, OneRefused::kStopsAll);
  *told = submitted.end == SubmissionEnd::kTaken;
  return submitted.end != SubmissionEnd::kNotNow;
}

void MaildropPickup::PutAside(const std::string& name, const std::string& reason) {
  const std::string bad = directory_ + "/bad";
  ::mkdir(bad.c_str(), 0700);
  const std::string from = directory_ + "/" + name;
  if (FilesIn(bad) / 2 >= kBadFilesMax) {  // each with its reason
    std::error_code error;
    std::filesystem::remove_all(from, error);
    log_("maildrop_bad", name + ": " + reason + "; thrown away, since " + bad + " is full");
    return;
  }
  const std::string to = bad + "/" + name;
  if (::rename(from.c_str(), to.c_str()) != 0) {
    log_("maildrop_failed", from + ": " + std::strerror(errno));
    return;
  }
  std::ofstream(to + ".reason") << reason << "\n";
  log_("maildrop_bad", name + ": " + reason + "; it is in " + bad);
}

}  // namespace outbox::tools
