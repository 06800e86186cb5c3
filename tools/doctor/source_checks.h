// The sources of the configuration ([[source]]), as the doctor looks at them: whether their
// addresses are here, and under which names which of them are seen.
#ifndef OUTBOX_TOOLS_DOCTOR_SOURCE_CHECKS_H_
#define OUTBOX_TOOLS_DOCTOR_SOURCE_CHECKS_H_

#include <string>
#include <vector>

#include "core/config.h"
#include "core/ip_address.h"
#include "tools/doctor/report.h"

namespace outbox::tools {

// A name that is said in HELO, and the addresses from which it is.
struct SendingName {
  std::string helo;
  std::string key;  // that says it, for advice: "hostname in the configuration"
  std::vector<core::IpAddress> addresses;
};

// The relay's own name, with the addresses that the system chooses, comes first, and the names of
// the sources behind it, each once. Of addresses those that receivers can see.
std::vector<SendingName> SendingNames(const core::Config& config,
                                      const std::vector<core::IpAddress>& system);

// What mail from senders in this domain is sent from, as far as no route says otherwise, and the
// first name that is said there.
SendingName SendingNameOf(const core::Config& config, const std::string& domain,
                          const std::vector<core::IpAddress>& system);

// The domains of [[sender]] that are no patterns; at most `most`.
std::vector<std::string> SenderDomains(const core::Config& config, size_t most);

// Each address of a source is one of this machine, and one that receivers can see.
void CheckSourceAddresses(const core::Config& config, Report* report);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_DOCTOR_SOURCE_CHECKS_H_
