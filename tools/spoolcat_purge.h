// `spoolcat purge`: takes recipients out of a spool while outboxd is down. Final at once: nobody is
// told, and there is no undo.
#ifndef OUTBOX_TOOLS_SPOOLCAT_PURGE_H_
#define OUTBOX_TOOLS_SPOOLCAT_PURGE_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

namespace outbox::tools {

// Patterns as those of outbox(1); empty: any.
struct PurgeOptions {
  std::string sender;
  std::string recipient;
  std::string domain;
  std::string id_text;
  std::string older_than;
  std::string size_over;
  bool all = false;
  bool dry_run = false;
  bool json = false;
  // What CheckPurge makes of them.
  uint64_t id = 0;
  int64_t age_min_ns = 0;
  uint64_t size_min = 0;
};

// The command and its options. `options` outlives the parsing.
CLI::App* AddPurge(CLI::App* app, PurgeOptions* options);
// Throws CLI::ValidationError.
void CheckPurge(PurgeOptions* options);

// Purges the logs of a spool, whose lock is held. Prints what was done, or why it could not be;
// then it is false, and what was done before counts.
bool PurgeSpool(const std::vector<std::string>& logs, const PurgeOptions& options);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_SPOOLCAT_PURGE_H_
