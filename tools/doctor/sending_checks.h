// What receivers look at first: the names of the addresses that we send from, and the name that we
// say in HELO. Over Names; nothing else is touched.
#ifndef OUTBOX_TOOLS_DOCTOR_SENDING_CHECKS_H_
#define OUTBOX_TOOLS_DOCTOR_SENDING_CHECKS_H_

#include <string>
#include <vector>

#include "core/ip_address.h"
#include "tools/doctor/names.h"
#include "tools/doctor/report.h"

namespace outbox::tools {

// The PTR names of an address: there, confirmed by the addresses of the name, not a customer's
// line. `hostname`: to be advised; "": not known.
void CheckPointer(const core::IpAddress& address, const std::string& hostname, Names* names,
                  Report* report);

// The name said in HELO: a full name that resolves to each of the addresses. `key` says it, for
// advice.
void CheckHelo(const std::string& hostname, const std::string& key,
               const std::vector<core::IpAddress>& addresses, Names* names, Report* report);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_DOCTOR_SENDING_CHECKS_H_
