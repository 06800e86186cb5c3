// What a sender domain publishes: that it takes mail, who may send for it (SPF), its keys (DKIM),
// and what it wants done with forgeries (DMARC). Over Names; nothing else is touched.
#ifndef OUTBOX_TOOLS_DOCTOR_POLICY_CHECKS_H_
#define OUTBOX_TOOLS_DOCTOR_POLICY_CHECKS_H_

#include <string>
#include <vector>

#include "core/ip_address.h"
#include "tools/doctor/names.h"
#include "tools/doctor/report.h"

namespace outbox::tools {

// The domain can take replies and bounces.
void CheckDomain(const std::string& domain, Names* names, Report* report);

// The SPF record of the domain, and whether each of the addresses passes.
void CheckSenderPolicy(const std::string& domain, const std::string& hostname,
                       const std::vector<core::IpAddress>& addresses, Names* names, Report* report);
// The same for the HELO name, which stands for the sender of bounces (RFC 7208 2.4).
void CheckHeloPolicy(const std::string& hostname, const std::vector<core::IpAddress>& addresses,
                     Names* names, Report* report);

// A key that we sign with, and what is to be published of it.
struct OurKey {
  std::string public_key;  // as p= has it, decoded
  std::string zone_line;
  bool with_rsa = false;  // an RSA key signs for the domain as well
};
// The key that is published. `ours`: the one that should be; null: not known.
void CheckDkim(const std::string& domain, const std::string& selector, const OurKey* ours,
               Names* names, Report* report);

void CheckDmarc(const std::string& domain, Names* names, Report* report);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_DOCTOR_POLICY_CHECKS_H_
