// What the programs for operators include, parsed once for each preset (tools/CMakeLists.txt).
#ifndef OUTBOX_CMAKE_PRECOMPILED_TOOLS_H_
#define OUTBOX_CMAKE_PRECOMPILED_TOOLS_H_

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cmake/precompiled.h"

#endif  // OUTBOX_CMAKE_PRECOMPILED_TOOLS_H_
