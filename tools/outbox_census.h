// The numbers of `outbox queue`: --count, --by, --shape.
#ifndef OUTBOX_TOOLS_OUTBOX_CENSUS_H_
#define OUTBOX_TOOLS_OUTBOX_CENSUS_H_

#include <nlohmann/json.hpp>
#include <string>

#include "core/status.h"
#include "tools/control_client.h"

namespace outbox::tools {

// Receives and prints the answer. `by`: the column; empty for all together.
core::Status PrintCensus(ControlClient* client, const std::string& by, bool shape, bool json);

// What an answer leaves out; to standard error, so that the lines stay a list for other programs.
void PrintGaps(const nlohmann::json& end);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_OUTBOX_CENSUS_H_
