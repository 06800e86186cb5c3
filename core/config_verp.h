// Reads what a configuration says of VERP.
#ifndef OUTBOX_CORE_CONFIG_VERP_H_
#define OUTBOX_CORE_CONFIG_VERP_H_

#include <string_view>

#include "core/config.h"
#include "core/config_reader.h"

namespace outbox::core {

// Characters that can stand between the parts of a VERP address.
inline constexpr std::string_view kVerpSeparators = "+=-";

// The key `verp` of a route whose `via` has been read.
void ReadVerp(ConfigReader* reader, RouteConfig* route, ConfigProblems* problems);

}  // namespace outbox::core

#endif  // OUTBOX_CORE_CONFIG_VERP_H_
