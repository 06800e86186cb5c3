// The secrets of routes (auth_secret_file, auth_secret_env), read at the start and at a reload.
//
// Nothing here or above shows one: errors name the file or the variable alone. What is read goes
// into a core::Secret at once, and every copy on the way is overwritten.
#ifndef OUTBOX_TOOLS_ROUTE_SECRETS_H_
#define OUTBOX_TOOLS_ROUTE_SECRETS_H_

#include <string>
#include <vector>

#include "core/config.h"

namespace outbox::tools {

// Sets RouteAuth::secret of every route that names one. Errors are lines for the operator, with
// their place in `file`. A file that everybody may read is an error. A variable is taken out of the
// environment by the first reading, and remembered for the next ones. On the main thread.
void LoadRouteSecrets(const std::string& file, core::Config* config,
                      std::vector<std::string>* errors);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_ROUTE_SECRETS_H_
