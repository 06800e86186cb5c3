#include "tools/suspension_book.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "core/crc32c.h"
#include "core/limits.h"
#include "core/time.h"

namespace outbox::tools {
namespace {

using nlohmann::json;
using queue::Suspension;

constexpr size_t kBookBytes = size_t{4} << 20;
constexpr int kBookVersion = 1;

struct File {
  explicit File(int opened) : fd(opened) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (fd >= 0) ::close(fd);
  }
  const int fd;
};

core::Status WriteFile(const std::string& path, std::string_view bytes) {
  const File file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640));
  if (file.fd < 0) return core::Status::FromErrno(errno, path);
  while (!bytes.empty()) {
    const ssize_t written = ::write(file.fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return core::Status::FromErrno(written < 0 ? errno : ENOSPC, path);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return ::fsync(file.fd) == 0 ? core::OkStatus() : core::Status::FromErrno(errno, path);
}

core::Status SyncDirectory(const std::string& path) {
  const File directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.fd < 0 || ::fsync(directory.fd) != 0) return core::Status::FromErrno(errno, path);
  return core::OkStatus();
}

// False: it is not there, or *status says why it cannot be read.
bool ReadBook(const std::string& path, std::string* text, core::Status* status) {
  const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.fd < 0) {
    if (errno != ENOENT) *status = core::Status::FromErrno(errno, path);
    return false;
  }
  text->resize(kBookBytes + 1);
  size_t size = 0;
  while (size < text->size()) {
    const ssize_t got = ::read(file.fd, text->data() + size, text->size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      *status = core::Status::FromErrno(errno, path);
      return false;
    }
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  text->resize(size);
  return true;
}

json ToJson(const Suspension& one) {
  return {{one.site ? "site" : "domain", one.name},
          {"since_ns", one.since_wall_ns},
          {"until_ns", one.until_wall_ns},
          {"by", one.by},
          {"reason", one.reason}};
}

// False: it is no entry.
bool FromJson(const json& from, Suspension* one) {
  if (!from.is_object() || from.size() != 5) return false;
  one->site = from.contains("site");
  for (const auto& [member, text] : {std::pair(one->site ? "site" : "domain", &one->name),
                                     std::pair("by", &one->by),
                                     std::pair("reason", &one->reason)}) {
    if (!from.contains(member) || !from[member].is_string()) return false;
    *text = from[member].get<std::string>();
  }
  for (const auto& [member, time] : {std::pair("since_ns", &one->since_wall_ns),
                                     std::pair("until_ns", &one->until_wall_ns)}) {
    if (!from.contains(member) || !from[member].is_number_integer()) return false;
    *time = from[member].get<int64_t>();
  }
  return !one->name.empty();
}

uint32_t ChecksumOf(const json& entries) {
  return core::Crc32c(entries.dump(-1, ' ', false, json::error_handler_t::replace));
}

// False: this was not written by Save.
bool ParseBook(const std::string& text, std::vector<Suspension>* all) {
  const json book = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!book.is_object() || book.size() != 3 || book.value("version", json()) != kBookVersion) {
    return false;
  }
  const json entries = book.value("suspended", json());
  if (!entries.is_array() || entries.size() > core::kSuspensions ||
      book.value("crc32c", json()) != ChecksumOf(entries)) {
    return false;
  }
  for (const json& entry : entries) {
    if (!FromJson(entry, &all->emplace_back())) return false;
  }
  return true;
}

bool IsOver(const Suspension& one, int64_t wall_ns) {
  return one.until_wall_ns != 0 && one.until_wall_ns <= wall_ns;
}

}  // namespace

SuspensionBook::SuspensionBook(const std::string& spool)
    : directory_(spool), path_(spool + "/suspended.json") {}

core::Status SuspensionBook::Load(int64_t wall_ns) {
  std::string text;
  core::Status status;
  if (!ReadBook(path_, &text, &status)) return status;
  std::vector<Suspension> all;
  if (!ParseBook(text, &all)) {
    return core::Status(
        core::StatusCode::kDataLoss,
        path_ + ": is damaged; expected what outbox suspend has written. Nothing is sent while it "
                "is not known what must not be: look into it, move it away, start, and suspend "
                "again what should be");
  }
  std::erase_if(all, [wall_ns](const Suspension& one) { return IsOver(one, wall_ns); });
  list_ = std::make_shared<const queue::SuspensionList>(std::move(all));
  return core::OkStatus();
}

core::Status SuspensionBook::Save(const std::vector<Suspension>& all) const {
  json entries = json::array();
  for (const Suspension& one : all) entries.push_back(ToJson(one));
  const json book = {
      {"version", kBookVersion}, {"crc32c", ChecksumOf(entries)}, {"suspended", entries}};
  const std::string beside = path_ + ".new";
  core::Status status =
      WriteFile(beside, book.dump(1, ' ', false, json::error_handler_t::replace) + "\n");
  if (status.ok() && std::rename(beside.c_str(), path_.c_str()) != 0) {
    status = core::Status::FromErrno(errno, path_);
  }
  return status.ok() ? SyncDirectory(directory_) : status;
}

core::Status SuspensionBook::Take(std::vector<Suspension> all) {
  core::Status status = Save(all);
  if (status.ok()) list_ = std::make_shared<const queue::SuspensionList>(std::move(all));
  return status;
}

core::Status SuspensionBook::Put(Suspension suspension, bool* replaced) {
  std::vector<Suspension> all = list_->all();
  const auto same = std::find_if(all.begin(), all.end(), [&suspension](const Suspension& one) {
    return one.site == suspension.site && one.name == suspension.name;
  });
  *replaced = same != all.end();
  if (*replaced) {
    *same = std::move(suspension);
  } else if (all.size() == core::kSuspensions) {
    return core::Status(core::StatusCode::kResourceExhausted,
                        std::to_string(core::kSuspensions) +
                            " suspensions are there already; resume some, or suspend a pattern");
  } else {
    all.push_back(std::move(suspension));
  }
  return Take(std::move(all));
}

core::Status SuspensionBook::Remove(bool all, const std::string& name, bool site,
                                    std::vector<Suspension>* removed) {
  std::vector<Suspension> rest;
  for (const Suspension& one : list_->all()) {
    const bool meant = all || (one.site == site && one.name == name);
    (meant ? *removed : rest).push_back(one);
  }
  return removed->empty() ? core::OkStatus() : Take(std::move(rest));
}

std::vector<Suspension> SuspensionBook::Expire(int64_t wall_ns) {
  std::vector<Suspension> over;
  std::vector<Suspension> rest;
  for (const Suspension& one : list_->all()) {
    (IsOver(one, wall_ns) ? over : rest).push_back(one);
  }
  if (over.empty()) return over;
  (void)Save(rest);  // see above
  list_ = std::make_shared<const queue::SuspensionList>(std::move(rest));
  return over;
}

int64_t SuspensionBook::next_wall_ns() const {
  int64_t next = 0;
  for (const Suspension& one : list_->all()) {
    if (one.until_wall_ns != 0 && (next == 0 || one.until_wall_ns < next)) next = one.until_wall_ns;
  }
  return next;
}

}  // namespace outbox::tools
