// The daemon's certificates: their files are looked at now and then, and what has changed is taken
// without a reload and without disturbing anybody.
//
// A renewed certificate and its key are two files that change one after the other: a change counts
// when two looks have seen the same. What cannot be used is told once, and what was there goes on.
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "core/limits.h"
#include "tools/daemon.h"
#include "tools/daemon_seat.h"
#include "tools/tls_files.h"

namespace outbox::tools {

void Daemon::SetTlsFiles(const TlsFiles& files) {
  tls_stamps_ = tls_seen_ = files.stamps;
  if (tls_stamps_.empty() || tls_watched_) return;
  tls_watched_ = true;
  control_->After(core::kTlsFilesLookNs, [this] { LookAtTlsFiles(); });
}

void Daemon::LookAtTlsFiles() {
  tls_watched_ = false;
  if (stopping_ || tls_stamps_.empty()) return;
  tls_watched_ = true;
  control_->After(core::kTlsFilesLookNs, [this] { LookAtTlsFiles(); });
  if (reloading_ != nullptr || !running_) return;  // which reads them anyway
  std::vector<FileStamp> now = LookAgain(tls_stamps_);
  const bool settled = now == tls_seen_;
  tls_seen_ = std::move(now);
  if (tls_seen_ == tls_stamps_ || !settled) return;
  TakeTlsFiles();
}

void Daemon::TakeTlsFiles() {
  TlsFiles files;
  std::vector<std::string> errors;
  LoadTlsFiles(config_file_, *config_, &files, &errors);
  if (!errors.empty()) {
    tls_stamps_ = tls_seen_;  // not again before they change again
    for (const std::string& error : errors) {
      LogEvent("tls_files_refused", error + "; the certificates that were there go on");
      std::fprintf(stderr, "outboxd: %s\n", error.c_str());
    }
    return;
  }
  tls_stamps_ = tls_seen_ = files.stamps;
  for (const auto& seat : seats_) {
    seat->shard->Post([tls = files.tls](queue::Shard* shard) { shard->SetCertificates(tls); });
  }
  LogEvent("tls_files_loaded", std::to_string(files.stamps.size()) +
                                   " files; sessions that are open go on with what they have");
}

}  // namespace outbox::tools
