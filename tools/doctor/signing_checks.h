// Whether the keys that sign mail ([[dkim]]) are the ones that are published. Over Names; nothing
// else is touched.
#ifndef OUTBOX_TOOLS_DOCTOR_SIGNING_CHECKS_H_
#define OUTBOX_TOOLS_DOCTOR_SIGNING_CHECKS_H_

#include <cstddef>
#include <string>
#include <vector>

#include "core/config.h"
#include "tools/doctor/names.h"
#include "tools/doctor/report.h"

namespace outbox::tools {

// Looks at the name of each key, once, kDoctorListMax of them; where an entry signs for every
// author's domain, at those of `domains`. Returns how many there were. REQUIRES: keys are loaded.
size_t CheckSigningKeys(const core::Config& config, const std::vector<std::string>& domains,
                        Names* names, Report* report);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_DOCTOR_SIGNING_CHECKS_H_
