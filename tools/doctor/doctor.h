// `outbox doctor`: is everything around the relay as it must be, and if not, what is to be changed
// and who can change it. Needs no running daemon.
#ifndef OUTBOX_TOOLS_DOCTOR_DOCTOR_H_
#define OUTBOX_TOOLS_DOCTOR_DOCTOR_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/ip_address.h"
#include "tools/doctor/report.h"

namespace outbox::tools {

// Addresses, domains and selectors that are looked at.
inline constexpr size_t kDoctorListMax = 64;

struct DoctorOptions {
  std::string config_file = "/etc/outbox/outbox.toml";
  bool config_given = false;
  std::string control;                     // "": as configured
  std::vector<core::IpAddress> addresses;  // none: those that the routes choose
  std::vector<std::string> domains;        // lower case; none: the domain of the hostname
  std::vector<std::string> selectors;
  std::vector<std::string> only;  // groups, or "dns" and "system"; none: all of them
};

// The groups in the order of the report, for the help and to check --only.
const std::vector<std::string>& DoctorGroups();

// The domain that a host is probably in: the name without its first label, as long as that leaves
// two; "" of what is no full name.
std::string DomainOfHost(std::string_view hostname);

// Looks at everything that is wanted, for some minutes at most: when name servers are silent.
Report Examine(const DoctorOptions& options);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_DOCTOR_DOCTOR_H_
