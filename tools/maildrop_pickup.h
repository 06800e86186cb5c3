// MaildropPickup: the daemon's thread that empties the maildrop (tools/sendmail/maildrop.h).
//
// It hands each message in at the daemon's own unix socket, as sendmail would have done, and
// removes its file when the 250 has come: a death in between hands it in again, and nothing is
// lost. What is refused is told to its sender; what is no message, or can be told nobody, is put
// aside into `bad/` below the maildrop, with the reason beside it.
//
// Lifecycle: Start, when the daemon takes mail -> RequestStop -> Join. A lock in the directory
// keeps a second daemon out. The mail path never waits for it.
#ifndef OUTBOX_TOOLS_MAILDROP_PICKUP_H_
#define OUTBOX_TOOLS_MAILDROP_PICKUP_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/config.h"
#include "core/status.h"
#include "tools/sendmail/mail.h"

namespace outbox::tools {

class MaildropPickup {
 public:
  // `log` is called from the thread: an event's name and a sentence.
  using Log = std::function<void(const char* event, const std::string& text)>;

  MaildropPickup(std::string directory, std::string hostname, Log log);
  MaildropPickup(const MaildropPickup&) = delete;
  MaildropPickup& operator=(const MaildropPickup&) = delete;
  // REQUIRES: joined, or never started.
  ~MaildropPickup();

  // Takes the lock. The error says what is wrong with the directory.
  core::Status Open();
  // The configuration's first unix listener, now and after a reload. Any thread.
  void SetListener(const core::Config& config);
  // REQUIRES: Open, SetListener.
  void Start();
  void RequestStop();
  void Join();

 private:
  // Whether there is nothing left that a later try would bring further.
  bool Sweep();
  bool TakeOut(const std::string& name);
  bool HandIn(const std::string& name, uint32_t uid, Mail mail);
  // False: not now.
  bool TellSender(const Mail& mail, const std::string& reasons, bool* told);
  void PutAside(const std::string& name, const std::string& reason);
  void RemoveUnfinished(const std::string& name) const;
  std::vector<std::string> Names() const;
  void Run();

  const std::string directory_;
  const std::string hostname_;
  const Log log_;
  std::mutex mutex_;  // of the next two
  std::string listener_;
  uint64_t size_max_ = 0;
  int lock_ = -1;
  int changes_ = -1;  // inotify
  int stop_ = -1;     // eventfd
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_MAILDROP_PICKUP_H_
