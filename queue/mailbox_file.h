// MailboxFile: keeps the list of mailboxes as the file has it.
//
// The file is looked at every two seconds, away from the loop. What has changed counts when two
// looks in a row have seen the same, so that nobody's mail is refused because somebody is writing;
// what cannot be read, or is no list (MailboxList::Read), leaves the list as it was, and the log
// says so, once. Until there has been a list, nobody knows which mailboxes there are.
//
// Lives on its shard, with its router.
#ifndef OUTBOX_QUEUE_MAILBOX_FILE_H_
#define OUTBOX_QUEUE_MAILBOX_FILE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/status.h"
#include "core/timer.h"
#include "core/timer_wheel.h"
#include "io/io.h"
#include "queue/local_domains.h"
#include "queue/mailbox_list.h"

namespace outbox::queue {

class ShardLog;

class MailboxFile {
 public:
  MailboxFile(io::Io* io, core::TimerWheel* wheel, ShardLog* log);
  MailboxFile(const MailboxFile&) = delete;
  MailboxFile& operator=(const MailboxFile&) = delete;
  // REQUIRES: closed(), or never watched.
  ~MailboxFile();

  // From now on the file that `local` names, if it names one; null: none. The same file as before
  // gives its list at once.
  void Watch(LocalDomains* local);
  void Close();
  bool closed() const { return closing_ && !op_.in_flight; }

 private:
  enum class Step : uint8_t { kIdle, kOpen, kRead, kClose, kParse };

  // What the helper is given, and gives back.
  struct Parsing {
    std::string text;
    uint64_t hash = 0;
    uint64_t list_hash = 0;  // of the list that there is; 0: there is none
    uint64_t seen_hash = 0;  // of the last look
    bool parsed = false;
    core::Status status;
    std::shared_ptr<MailboxList> list;

    void Run();
  };

  void Look();
  void LookLater();
  void OnDone(const io::OpResult& result);
  void OnRead(int32_t result);
  void OnParsed();
  void Trouble(const std::string& what);

  io::Io* const io_;
  core::TimerWheel* const wheel_;
  ShardLog* const log_;
  LocalDomains* local_ = nullptr;
  std::string path_;
  Step step_ = Step::kIdle;
  bool closing_ = false;
  bool again_ = false;  // Watch came while another file was being looked at
  std::shared_ptr<const MailboxList> list_;
  uint64_t list_hash_ = 0;
  uint64_t seen_hash_ = 0;
  std::string told_;  // the trouble that the log knows of
  std::string failed_;  // of this look
  io::Op op_;
  io::File file_ = io::kNoHandle;
  std::vector<char> piece_;
  std::shared_ptr<Parsing> parsing_;
  core::Timer timer_;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_MAILBOX_FILE_H_
