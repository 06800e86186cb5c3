// MaildirFile: one message on its way into one Maildir.
//
// The way that every reader of Maildirs expects: a file in tmp/ is written and synced, then moved
// to new/, then new/ is synced; directories that are missing are made, for their owner alone. The
// name follows from the message and its recipient, so a message that is delivered again takes its
// own place; when that may be so (may_repeat), it is looked for in new/ and in cur/ first, where a
// mail reader puts it under the same name with flags behind. The directory in which it is found is
// synced as well: who was killed behind the move, or could not sync, has left it at risk.
//
// Sequence: Start -> OnReady; then Write and Commit, or Abort, each followed by its call. One
// operation is in flight at a time, and calls come from the loop alone. Every error leaves nothing
// in tmp/ and ends it. Embedded in its owner, on its shard.
#ifndef OUTBOX_QUEUE_MAILDIR_FILE_H_
#define OUTBOX_QUEUE_MAILDIR_FILE_H_

#include <sys/uio.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "io/io.h"

namespace outbox::queue {

class MaildirFile {
 public:
  class Owner {
   public:
    // Start has succeeded: Write and Commit may be called.
    virtual void OnReady() = 0;
    // The text has been written: more, or Commit.
    virtual void OnWritten() = 0;
    // It is over: 0, the message is in the mailbox; -ECANCELED after Abort; or another -errno.
    // `path` is where that happened.
    virtual void OnOver(int32_t result, const std::string& path) = 0;

   protected:
    ~Owner() = default;
  };

  MaildirFile(io::Io* io, Owner* owner);
  MaildirFile(const MaildirFile&) = delete;
  MaildirFile& operator=(const MaildirFile&) = delete;
  // REQUIRES: not busy().
  ~MaildirFile() = default;

  // `directory`: the Maildir; it and its parents up to `root` are made when they are not there.
  // `name`: of the file, without what a reader adds. With may_repeat files are looked for whose
  // names begin like it up to `unique` octets.
  void Start(std::string directory, std::string_view root, std::string name, size_t unique,
             bool may_repeat);
  // `text` is empty after it.
  void Write(std::string* text);
  void Commit();
  // No effect on a file that is in new/ already: that comes to its end.
  void Abort();

  // Between Start and OnOver.
  bool busy() const { return step_ != Step::kNone; }

 private:
  enum class Step : uint8_t {
    kNone,
    kFindNew,
    kFindCur,
    kOpen,
    kUnlinkOld,
    kMake,
    kSyncMade,
    kReady,
    kWrite,
    kSync,
    kClose,
    kRename,
    kSyncPlace,
    kCloseFailed,
    kUnlinkFailed,
    kGiveUp,
  };

  void OnDone(const io::OpResult& result);
  void Handle(int32_t result);
  void OnFound(int32_t result);
  void OnOpened(int32_t result);
  void OnMade(int32_t result);
  void OnWrote(int32_t result);
  void Open();
  void Make();
  void Rename();
  void SyncPlace(const char* part);
  void WriteRest();
  void Fail(int32_t error, std::string path);
  void End(int32_t result);
  std::string In(const char* part) const { return directory_ + part + name_; }

  io::Io* const io_;
  Owner* const owner_;
  io::Op op_;
  Step step_ = Step::kNone;
  bool aborted_ = false;
  bool made_ = false;      // the directories
  bool unlinked_ = false;  // what an attempt that was cut short had left
  bool closed_ = false;    // it lies in tmp/ completely
  bool moved_ = false;     // it is in new/ or cur/
  size_t unique_ = 0;
  std::string directory_;
  std::string name_;
  std::vector<std::string> missing_;  // directories to make, the outermost first
  size_t at_ = 0;                     // in missing_
  io::File file_ = io::kNoHandle;
  uint64_t offset_ = 0;
  std::string text_;
  size_t written_ = 0;  // of text_
  iovec part_ = {};
  int32_t error_ = 0;
  std::string error_path_;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_MAILDIR_FILE_H_
