// The name servers that are asked, one by one: each answers, by UDP and by TCP, and invents
// nothing.
#ifndef OUTBOX_TOOLS_DOCTOR_RESOLVER_CHECKS_H_
#define OUTBOX_TOOLS_DOCTOR_RESOLVER_CHECKS_H_

#include <string>
#include <vector>

#include "core/ip_address.h"
#include "tools/doctor/blocking_loop.h"
#include "tools/doctor/report.h"

namespace outbox::tools {

// `name`: a name to ask about, which somebody's mail depends on. False: none of them answers.
bool CheckResolvers(const std::vector<core::SocketAddress>& servers, const std::string& name,
                    BlockingLoop* loop, Report* report);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_DOCTOR_RESOLVER_CHECKS_H_
