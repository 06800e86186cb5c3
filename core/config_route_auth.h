// Who we are to the hosts of a route: its auth_ keys.
#ifndef OUTBOX_CORE_CONFIG_ROUTE_AUTH_H_
#define OUTBOX_CORE_CONFIG_ROUTE_AUTH_H_

#include <cstddef>
#include <map>
#include <string>

#include "core/config.h"
#include "core/config_reader.h"

namespace outbox::core {

inline constexpr std::string_view kRouteAuthKeys[] = {
    "auth_user", "auth_secret_file", "auth_secret_env", "auth_mechanisms", "auth_plaintext"};

// One for all routes of a file, in order.
class RouteAuthReader {
 public:
  explicit RouteAuthReader(ConfigProblems* problems) : problems_(problems) {}

  // Reads what the route says of itself. REQUIRES: `route` has its hosts.
  void Read(ConfigReader* reader, RouteConfig* route);

 private:
  void ReadMechanisms(ConfigReader* reader, RouteAuth* auth);
  // A user has one secret at the same hosts.
  void CheckSame(const RouteConfig& route, TomlPosition position);

  struct Known {
    RouteAuth auth;
    uint32_t line = 0;
  };
  ConfigProblems* const problems_;
  std::map<std::string, Known> known_;  // by hosts and user
};

}  // namespace outbox::core

#endif  // OUTBOX_CORE_CONFIG_ROUTE_AUTH_H_
