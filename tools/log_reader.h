// LogReader: the files of the event log for `outbox report`, from the oldest that matters to the
// newest.
#ifndef OUTBOX_TOOLS_LOG_READER_H_
#define OUTBOX_TOOLS_LOG_READER_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/status.h"

namespace outbox::tools {

// The log file and those that it was before rotations (`log.1`, `log-20261122.gz`), the oldest
// first; without those that were written to the end before `since_ns` (wall time).
std::vector<std::string> LogFilesOf(const std::string& path, int64_t since_ns);

// Calls `take` with every line of a file, without its end; "-" is standard input, and a name that
// ends in ".gz" is read through gzip. What is before `since_ns` is passed over where the file can
// be searched. The error names the file.
core::Status ReadLog(const std::string& path, int64_t since_ns,
                     const std::function<void(std::string_view)>& take);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_LOG_READER_H_
