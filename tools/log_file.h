// LogFile: where the event logs of all shards are written.
//
// A file opened for appending, or stderr. Write is called by the shards' helper threads, each with
// whole lines; Open by the control plane on SIGHUP, after a rotation has renamed the file. What is
// no file (a pipe to another program, a service manager's socket) has a reader who may hang: he is
// waited for a moment, once, and then loses lines, since the helpers have other work that mail
// waits for. Thread-safe.
#ifndef OUTBOX_TOOLS_LOG_FILE_H_
#define OUTBOX_TOOLS_LOG_FILE_H_

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "core/status.h"
#include "tools/classic_log.h"

namespace outbox::tools {

class LogFile {
 public:
  // An empty path is stderr.
  explicit LogFile(std::string path, int patience_ms = 1000)
      : path_(std::move(path)), patience_ms_(patience_ms) {}
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;
  ~LogFile();

  // Opens, or opens anew; on failure the file that was open goes on. The error names the path.
  core::Status Open();
  // Opens another file in its place, or none and says why: then the one that was open goes on.
  core::Status Switch(const std::string& path);
  // How lines are written from now on; null: as they are, JSON.
  void SetForm(std::shared_ptr<const ClassicLog> form);
  // Called with what was written, on the thread that did. Before the first Write.
  void SetTee(std::function<void(std::string_view)> tee) { tee_ = std::move(tee); }
  // Writes all of `lines`; false when the system refuses (full disk): then none of them is in the
  // file; or when a reader hangs, who may have had some of them.
  bool Write(std::string_view lines);

 private:
  bool WriteAll(std::string_view bytes);
  bool WriteFile(std::string_view bytes);
  bool WriteToReader(std::string_view bytes);

  std::string path_;
  const int patience_ms_;
  std::shared_ptr<const ClassicLog> form_;
  std::mutex mutex_;
  int fd_ = -1;
  bool is_file_ = false;
  bool hangs_ = false;  // the reader, since the last write
  bool torn_ = false;   // he has had a line without its end
  std::function<void(std::string_view)> tee_;
};

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_LOG_FILE_H_
