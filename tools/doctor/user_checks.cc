#include "tools/doctor/user_checks.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <set>
#include <string>

#include "core/password_hash.h"
#include "core/user_list.h"
#include "tools/user_files.h"

namespace outbox::tools {
namespace {

constexpr char kMakeHash[] =
    "Make a new hash with: mkpasswd -m yescrypt (package whois), when the user chooses a new "
    "password.";

void CheckMode(const std::string& path, size_t users, Report* report) {
  struct stat found = {};
  if (stat(path.c_str(), &found) != 0) {
    report->Fail(path, std::strerror(errno),
                 "Make the file, or name another one in the "
                 "configuration.");
  } else if ((found.st_mode & S_IWOTH) != 0) {
    report->Fail(path, "everybody may write there, and give themselves a password",
                 "As root: chmod 0640 " + path + ".");
  } else if ((found.st_mode & S_IROTH) != 0) {
    report->Warn(path, "everybody may read the hashes of passwords, and guess at them",
                 "As root: chown root:outbox " + path + "; chmod 0640 " + path +
                     ", with the group that outboxd runs as.");
  } else {
    report->Ok(path, std::to_string(users) + " users");
  }
}

}  // namespace

void CheckUserFiles(const std::string& config_file, const core::Config& config, Report* report) {
  std::set<std::string> seen;
  for (const core::ListenerConfig& listener : config.listeners) {
    const core::ListenerAuth& auth = listener.auth;
    if (auth.users == nullptr || !seen.insert(auth.file.path).second) continue;
    CheckMode(UserFilePath(config_file, auth.file), auth.users->size(), report);
    size_t weak = 0;
    const core::User* first = nullptr;
    for (const core::User& user : auth.users->users()) {
      if (user.hash.empty() || !core::IsWeakPasswordHash(user.hash)) continue;
      if (weak++ == 0) first = &user;
    }
    if (weak == 0) continue;
    report->Warn(auth.file.path,
                 std::to_string(weak) + " of the hashes are of a method that is guessed quickly, " +
                     "the one of \"" + first->name + "\" among them",
                 kMakeHash);
  }
}

}  // namespace outbox::tools
