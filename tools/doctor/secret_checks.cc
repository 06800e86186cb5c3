#include "tools/doctor/secret_checks.h"

#include <cerrno>
#include <cstring>
#include <set>
#include <string>

#include "tools/doctor/daemon_view.h"

namespace outbox::tools {
namespace {

bool MayRead(const struct stat& file, const Account& account) {
  if (account.user == 0) return true;
  if (file.st_uid == account.user) return (file.st_mode & S_IRUSR) != 0;
  if (file.st_gid == account.group) return (file.st_mode & S_IRGRP) != 0;
  return (file.st_mode & S_IROTH) != 0;
}

std::string Whose(const core::RouteConfig& route) {
  return "the secret of the user " + route.auth.user + " of route " + route.name;
}

void CheckFile(const core::RouteConfig& route, const Account& account, Report* report) {
  const std::string& path = route.auth.secret_file;
  struct stat found = {};
  if (stat(path.c_str(), &found) != 0) {
    if (errno == EACCES) {
      return report->Note(path, Whose(route) + ", cannot be looked at by this user",
                          "Run the doctor as root or as outboxd's user.");
    }
    return report->Fail(path, Whose(route) + ": " + std::strerror(errno),
                        "Put the secret there, mode 0640, owned by root and outboxd's group; or "
                        "name another file in auth_secret_file.");
  }
  if (!MayRead(found, account)) {
    return report->Fail(path, Whose(route) + ", may not be read by " + UserName(account.user),
                        "As root: chgrp it to outboxd's group and chmod 0640; then outbox reload.");
  }
  if ((found.st_mode & (S_IROTH | S_IWOTH)) != 0) {
    return report->Fail(path, Whose(route) + ", is open to everybody on this machine",
                        "chmod 0640 " + path + ", and another secret: this one may be known.");
  }
  report->Ok(path, "holds " + Whose(route));
}

}  // namespace

void CheckRouteSecrets(const core::Config& config, const Account& account, Report* report) {
  std::set<std::string> seen;
  for (const core::RouteConfig& route : config.routes) {
    const core::RouteAuth& auth = route.auth;
    if (auth.user.empty()) continue;
    if (!auth.secret_file.empty()) {
      if (seen.insert(auth.secret_file).second) CheckFile(route, account, report);
    } else if (seen.insert("$" + auth.secret_env).second) {
      report->Note(auth.secret_env,
                   Whose(route) +
                       ", is a variable of outboxd's environment, which cannot be seen "
                       "from here");
    }
  }
}

}  // namespace outbox::tools
