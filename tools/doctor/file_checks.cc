#include "tools/doctor/file_checks.h"

#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>

#include "tools/doctor/ring_probe.h"
#include "tools/doctor/secret_checks.h"

namespace outbox::tools {
namespace {

// Segments that the logs should have room for, above the reserve.
constexpr uint64_t kRoomSegments = 16;
constexpr uint64_t kMiB = uint64_t{1} << 20;

std::string DirectoryOf(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path();
  return parent.empty() ? "." : parent;
}

std::string ModeOf(const struct stat& file) {
  char text[8];
  std::snprintf(text, sizeof text, "%04o", static_cast<unsigned>(file.st_mode & 07777));
  return text;
}

std::string OwnerAndMode(const struct stat& file) {
  return "belongs to " + UserName(file.st_uid) + ", mode " + ModeOf(file);
}

bool OthersMayWrite(const struct stat& file) {
  const bool sticky = (file.st_mode & S_ISVTX) != 0;
  return (file.st_mode & S_IWOTH) != 0 && !(S_ISDIR(file.st_mode) && sticky);
}

// Of a place that is missing: the nearest directory above it that is there.
std::string NearestThere(std::string path) {
  struct stat found = {};
  while (path != "/" && path != "." && stat(path.c_str(), &found) != 0) path = DirectoryOf(path);
  return path;
}

// A directory that is there after the daemon's start.
void CheckMissing(const std::string& path, const Account& account, bool in_run, Report* report) {
  const std::string above = NearestThere(path);
  struct stat parent = {};
  const bool can = stat(above.c_str(), &parent) == 0 && MayWrite(parent, account);
  if (can) {
    report->Note(path, "is not there; outboxd makes it when it starts");
    return;
  }
  // While it does not run nobody knows what its unit will do.
  const std::string finding =
      "is not there, and " + UserName(account.user) + " may not make it in " + above;
  if (in_run) {
    report->Note(path, finding,
                 "/run is empty after a boot: RuntimeDirectory=outbox in the unit of the service "
                 "makes it, or outboxd itself when it is started as root.");
    return;
  }
  report->Warn(path, finding,
               "As root: install -d -o USER -g GROUP -m 0750 " + path +
                   " with outboxd's user and group; in a unit, StateDirectory= does that.");
}

// Whether the directory is there and good; says what is wrong with it.
bool CheckDirectory(const std::string& path, const Account& account, bool in_run, Report* report) {
  struct stat found = {};
  if (stat(path.c_str(), &found) != 0) {
    if (errno == EACCES) {
      report->Note(path, "cannot be looked at by this user",
                   "Run the doctor as root or as outboxd's user.");
    } else if (errno == ENOENT) {
      CheckMissing(path, account, in_run, report);
    } else {
      report->Fail(path, std::strerror(errno),
                   "Repair the path, or name another one in the "
                   "configuration.");
    }
    return false;
  }
  if (!S_ISDIR(found.st_mode)) {
    report->Fail(path, "is no directory",
                 "Move it away, or name another place in the "
                 "configuration.");
    return false;
  }
  if (!MayWrite(found, account)) {
    report->Fail(path, OwnerAndMode(found) + "; " + UserName(account.user) + " may not write there",
                 "As root: chown -R to outboxd's user, or run outboxd as the owner.");
    return false;
  }
  if (OthersMayWrite(found)) {
    report->Fail(path, OwnerAndMode(found) + ": everybody may change what is there",
                 "As root: chmod o-w " + path + ".");
    return false;
  }
  return true;
}

void CheckSpace(const core::Config& config, Report* report) {
  struct statvfs space = {};
  if (statvfs(config.spool.c_str(), &space) != 0) return;
  const uint64_t unit = space.f_frsize;
  const uint64_t free = unit * space.f_bavail;
  const uint64_t reserve = config.storage.reserve;
  const std::string found = std::to_string(free / kMiB) + " MiB are free, " +
                            std::to_string(reserve / kMiB) + " MiB of them are the reserve";
  const std::string make_room =
      "Make room on that file system, purge what nobody wants (outbox purge), move the spool to a "
      "larger one, or lower storage.reserve.";
  if (free <= reserve) {
    report->Fail(config.spool, found + ": new mail is refused with 452", make_room);
  } else if (free - reserve < kRoomSegments * config.storage.segment_size) {
    report->Warn(config.spool, found + ": room for few segments only", make_room);
  } else {
    report->Ok(config.spool, found);
  }
  if (space.f_files > 0 && space.f_favail < 1000) {
    report->Warn(config.spool,
                 "only " + std::to_string(space.f_favail) + " files can be made there",
                 "Remove files of that file system that nobody needs.");
  }
}

// What is special about a file system, or null.
const char* KindOf(const struct statfs& found) {
  switch (static_cast<uint32_t>(found.f_type)) {
    case 0x01021994:
      return "tmpfs: a boot loses the mail";
    case 0x794c7630:
      return "an overlay: the mail goes with the container, and every write costs more";
    case 0x6969:
      return "NFS: a write waits for the network, and is as durable as that server is honest";
    case 0x65735546:
      return "FUSE: a write is as durable as the program behind it is honest";
    case 0xff534d42:
    case 0xfe534d42:
      return "SMB: a write waits for the network, and is as durable as that server is honest";
    default:
      return nullptr;
  }
}

void CheckWriting(const core::Config& config, const Account& account, BlockingLoop* loop,
                  Report* report) {
  struct statfs found = {};
  const char* const kind = statfs(config.spool.c_str(), &found) == 0 ? KindOf(found) : nullptr;
  if (kind != nullptr) {
    report->Warn(config.spool, std::string("lies on ") + kind,
                 "Put the spool on a local file system, ext4 or xfs.");
  }
  if (loop == nullptr) return;
  if (geteuid() != 0 && geteuid() != account.user) {
    report->Note(config.spool, "writing there was not tried, since this user may not",
                 "Run the doctor as root or as outboxd's user.");
    return;
  }
  const bool direct = config.storage.direct;
  int result = ProbeWrite(loop, config.spool, direct);
  if (result == -EINVAL && direct && ProbeWrite(loop, config.spool, false) == 0) {
    report->Warn(config.spool,
                 "the file system knows no O_DIRECT: writes go through the page "
                 "cache, and commits take longer",
                 "Put the spool on ext4 or xfs, or set storage.direct = false to say that it is "
                 "meant.");
    return;
  }
  if (result != 0) {
    report->Fail(config.spool,
                 std::string("a block cannot be written there: ") + std::strerror(-result),
                 "Look at the disk and its file system: mount, dmesg.");
    return;
  }
  report->Ok(config.spool, direct ? "a block was written past the page cache (O_DIRECT)"
                                  : "a block was written through the page cache");
}

void CheckSpool(const core::Config& config, const Account& account, BlockingLoop* loop,
                Report* report) {
  if (!CheckDirectory(config.spool, account, false, report)) return;
  struct stat found = {};
  if (stat(config.spool.c_str(), &found) == 0) report->Ok(config.spool, OwnerAndMode(found));
  CheckSpace(config, report);
  CheckWriting(config, account, loop, report);
}

void CheckControl(const core::Config& config, const Account& account, Report* report) {
  const std::string directory = DirectoryOf(config.control);
  if (!CheckDirectory(directory, account, directory.starts_with("/run"), report)) return;
  struct stat found = {};
  if (stat(config.control.c_str(), &found) == 0 && (found.st_mode & S_IWOTH) != 0) {
    report->Fail(config.control, OwnerAndMode(found) + ": everybody may command the daemon",
                 "chmod o-rw " + config.control + "; outboxd makes it with mode 0660.");
    return;
  }
  if (stat(directory.c_str(), &found) == 0) report->Ok(directory, OwnerAndMode(found));
}

void CheckLog(const core::Config& config, const Account& account, Report* report) {
  const std::string& path = config.log.file;
  if (path.empty()) {
    report->Note("log", "goes to standard error: a service manager keeps it");
    return;
  }
  struct stat found = {};
  if (stat(path.c_str(), &found) != 0) {
    if (!CheckDirectory(DirectoryOf(path), account, false, report)) return;
    report->Ok(path, "is made at the start");
    return;
  }
  if (!MayWrite(found, account)) {
    report->Fail(path, OwnerAndMode(found) + "; " + UserName(account.user) + " may not write to it",
                 "As root: chown it to outboxd's user; see that logrotate makes it anew for that "
                 "user.");
  } else if (OthersMayWrite(found)) {
    report->Fail(path, OwnerAndMode(found) + ": everybody may change it",
                 "chmod o-w " + path + ".");
  } else if ((found.st_mode & S_IROTH) != 0) {
    report->Warn(path, OwnerAndMode(found) + ": everybody may read who writes to whom",
                 "chmod o-r " + path + "; outboxd makes it with mode 0640.");
  } else {
    report->Ok(path, OwnerAndMode(found));
  }
}

// Whoever runs the daemon; while it does not run, whom the spool belongs to; else we.
Account AccountOf(const core::Config& config, const DaemonView& daemon) {
  if (daemon.running) return {daemon.user, daemon.group};
  struct stat found = {};
  if (stat(config.spool.c_str(), &found) == 0) return {found.st_uid, found.st_gid};
  return {geteuid(), getegid()};
}

}  // namespace

bool MayWrite(const struct stat& file, const Account& account) {
  if (account.user == 0) return true;
  const mode_t needed = S_ISDIR(file.st_mode) ? 03 : 02;
  if (file.st_uid == account.user) return ((file.st_mode >> 6) & needed) == needed;
  if (file.st_gid == account.group) return ((file.st_mode >> 3) & needed) == needed;
  return (file.st_mode & needed) == needed;
}

void CheckFiles(const core::Config& config, const DaemonView& daemon, BlockingLoop* loop,
                Report* report) {
  const Account account = AccountOf(config, daemon);
  CheckSpool(config, account, loop, report);
  CheckControl(config, account, report);
  CheckLog(config, account, report);
  CheckRouteSecrets(config, account, report);
}

}  // namespace outbox::tools
