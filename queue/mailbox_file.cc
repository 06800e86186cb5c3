#include "queue/mailbox_file.h"

#include <algorithm>
#include <utility>

#include "core/byte_size.h"
#include "core/check.h"
#include "core/hash.h"
#include "core/limits.h"
#include "queue/shard_log.h"

namespace outbox::queue {
namespace {

constexpr size_t kPieceBytes = 64 * 1024;

}  // namespace

MailboxFile::MailboxFile(io::Io* io, core::TimerWheel* wheel, ShardLog* log)
    : io_(io), wheel_(wheel), log_(log) {
  op_.Bind<&MailboxFile::OnDone>(this);
  timer_.Bind<&MailboxFile::Look>(this);
}

MailboxFile::~MailboxFile() { CHECK(!op_.in_flight); }

void MailboxFile::Watch(LocalDomains* local) {
  local_ = local;
  const std::string path = local == nullptr ? "" : local->config().mailbox_file;
  if (path == path_) {
    if (!path.empty()) local_->set_list(list_);
    return;
  }
  path_ = path;
  list_.reset();
  list_hash_ = seen_hash_ = 0;
  told_.clear();
  timer_.Cancel();
  again_ = op_.in_flight;  // what it reads is of no use
  if (!again_ && !path_.empty()) Look();
}

void MailboxFile::Close() {
  closing_ = true;
  timer_.Cancel();
}

void MailboxFile::LookLater() {
  step_ = Step::kIdle;
  if (!closing_ && !path_.empty()) {
    // The wheel holds more timers than there are of these.
    CHECK(timer_.Set(wheel_, io_->now_ns() + core::kMailboxFileLookNs));
  }
}

void MailboxFile::Look() {
  CHECK(step_ == Step::kIdle && !op_.in_flight);
  parsing_ = std::make_shared<Parsing>();
  failed_.clear();
  step_ = Step::kOpen;
  io_->Open(&op_, path_, io::OpenOptions{});
}

void MailboxFile::OnDone(const io::OpResult& result) {
  switch (step_) {
    case Step::kOpen:
      if (result.result < 0) {
        Trouble(core::Status::FromErrno(-result.result, path_).message());
        break;
      }
      file_ = result.result;
      piece_.resize(kPieceBytes);
      step_ = Step::kRead;
      return io_->Read(&op_, file_, piece_, 0);
    case Step::kRead:
      return OnRead(result.result);
    case Step::kClose:
      if (again_ || closing_) break;
      if (!failed_.empty()) {
        Trouble(failed_);
        break;
      }
      parsing_->list_hash = list_hash_;
      parsing_->seen_hash = seen_hash_;
      step_ = Step::kParse;
      return io_->RunOnHelper(&op_, [parsing = parsing_] {
        parsing->Run();
        return 0;
      });
    case Step::kParse:
      if (!again_ && !closing_) OnParsed();
      break;
    case Step::kIdle:
      CHECK(false);
  }
  parsing_.reset();
  step_ = Step::kIdle;
  if (std::exchange(again_, false) && !closing_ && !path_.empty()) return Look();
  LookLater();
}

void MailboxFile::OnRead(int32_t result) {
  std::string& text = parsing_->text;
  if (result > 0) text.append(piece_.data(), static_cast<size_t>(result));
  if (text.size() > core::kMailboxFileBytes) {
    failed_ = path_ + ": it is larger than " + core::FormatByteSize(core::kMailboxFileBytes);
  } else if (result < 0) {
    failed_ = core::Status::FromErrno(-result, path_).message();
  } else if (result > 0) {
    return io_->Read(&op_, file_, piece_, text.size());
  }
  piece_ = {};
  step_ = Step::kClose;
  io_->CloseFile(&op_, std::exchange(file_, io::kNoHandle));
}

// On the helper.
void MailboxFile::Parsing::Run() {
  hash = std::max<uint64_t>(core::Hash64(text), 1);
  if (hash == list_hash || (list_hash != 0 && hash != seen_hash)) return;
  list = std::make_shared<MailboxList>();
  status = list->Read(text);
  parsed = true;
}

void MailboxFile::OnParsed() {
  seen_hash_ = parsing_->hash;
  if (parsing_->hash == list_hash_) told_.clear();
  if (!parsing_->parsed) return;
  if (!parsing_->status.ok()) return Trouble(path_ + ": " + parsing_->status.message());
  told_.clear();
  list_hash_ = parsing_->hash;
  list_ = std::move(parsing_->list);
  if (local_ != nullptr) local_->set_list(list_);
  log_->Notice(core::LogLevel::kInfo, "mailboxes",
               path_ + ": " + std::to_string(list_->size()) + " names");
}

void MailboxFile::Trouble(const std::string& what) {
  if (told_ == what || closing_) return;
  told_ = what;
  log_->Notice(core::LogLevel::kError, "mailboxes_not_read",
               what + (list_ == nullptr ? ". Mail for local mailboxes gets 451 until it can be read"
                                        : ". The mailboxes stay as they were"));
}

}  // namespace outbox::queue
