// The files with certificates and keys that a configuration names, read and tried.
//
// Read at the start, at a reload, and when they have changed (tools/daemon_tls.cc); off the shards'
// threads. Nothing here shows a key: errors name the file, and every copy of one is overwritten.
#ifndef OUTBOX_TOOLS_TLS_FILES_H_
#define OUTBOX_TOOLS_TLS_FILES_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "core/config.h"
#include "queue/shard_tls.h"

namespace outbox::tools {

// How a file looks from outside: another one, or the same with other bytes, looks different.
struct FileStamp {
  std::string path;
  ino_t inode = 0;  // 0: it is not there
  int64_t size = 0;
  int64_t changed_ns = 0;

  friend bool operator==(const FileStamp&, const FileStamp&) = default;
};

struct TlsFiles {
  queue::ShardTls tls;
  std::vector<FileStamp> stamps;  // as they were before they were read
};

// All that `config` needs. Errors are lines for the operator, with their place in the configuration
// file: a file that cannot be read, that others may read though there is a key in it, a key that
// does not belong to its certificate.
void LoadTlsFiles(const std::string& config_file, const core::Config& config, TlsFiles* files,
                  std::vector<std::string>* errors);

// The same files as they look now.
std::vector<FileStamp> LookAgain(const std::vector<FileStamp>& stamps);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_TLS_FILES_H_
