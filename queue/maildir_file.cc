#include "queue/maildir_file.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "core/check.h"

namespace outbox::queue {

MaildirFile::MaildirFile(io::Io* io, Owner* owner) : io_(io), owner_(owner) {
  op_.Bind<&MaildirFile::OnDone>(this);
}

void MaildirFile::Start(std::string directory, std::string_view root, std::string name,
                        size_t unique, bool may_repeat) {
  CHECK(!busy() && unique <= name.size());
  directory_ = std::move(directory);
  name_ = std::move(name);
  unique_ = unique;
  aborted_ = made_ = unlinked_ = closed_ = moved_ = false;
  offset_ = 0;
  missing_.clear();
  for (size_t slash = directory_.find('/', root.size() + 1); slash != std::string::npos;
       slash = directory_.find('/', slash + 1)) {
    missing_.push_back(directory_.substr(0, slash));
  }
  missing_.push_back(directory_);
  // tmp/ is the last: where it is, the others are.
  for (const char* part : {"/cur", "/new", "/tmp"}) missing_.push_back(directory_ + part);
  if (!may_repeat) return Open();
  step_ = Step::kFindNew;
  io_->FindInDirectory(&op_, directory_ + "/new", name_.substr(0, unique_));
}

void MaildirFile::Open() {
  step_ = Step::kOpen;
  io::OpenOptions options;
  options.write = options.create = options.exclusive = options.owner_only = true;
  io_->Open(&op_, In("/tmp/"), options);
}

void MaildirFile::Make() {
  at_ = 0;
  step_ = Step::kMake;
  io_->MakePrivateDirectory(&op_, missing_[at_]);
}

void MaildirFile::Rename() {
  step_ = Step::kRename;
  io_->Rename(&op_, In("/tmp/"), In("/new/"));
}

void MaildirFile::Write(std::string* text) {
  CHECK(step_ == Step::kReady && !text->empty());
  text_.clear();
  text_.swap(*text);
  written_ = 0;
  WriteRest();
}

void MaildirFile::WriteRest() {
  step_ = Step::kWrite;
  part_ = {text_.data() + written_, text_.size() - written_};
  io_->Write(&op_, file_, {&part_, 1}, offset_);
}

void MaildirFile::Commit() {
  CHECK(step_ == Step::kReady);
  step_ = Step::kSync;
  io_->Sync(&op_, file_);
}

void MaildirFile::Abort() {
  if (!busy() || moved_ || aborted_) return;
  aborted_ = true;
  // Otherwise at the end of what is in flight.
  if (!op_.in_flight) Fail(-ECANCELED, In("/tmp/"));
}

void MaildirFile::OnDone(const io::OpResult& result) {
  const bool cleaning = step_ >= Step::kCloseFailed;
  const bool moving = step_ == Step::kRename && result.result >= 0;
  if (!aborted_ || cleaning || moving || moved_) return Handle(result.result);
  if (step_ == Step::kOpen && result.result >= 0) file_ = result.result;
  if (step_ == Step::kClose) file_ = io::kNoHandle;
  Fail(-ECANCELED, In("/tmp/"));
}

void MaildirFile::Handle(int32_t result) {
  switch (step_) {
    case Step::kFindNew:
    case Step::kFindCur:
      return OnFound(result);
    case Step::kOpen:
      return OnOpened(result);
    case Step::kUnlinkOld:
      return result < 0 && result != -ENOENT ? Fail(result, In("/tmp/")) : Open();
    case Step::kMake:
    case Step::kSyncMade:
      return OnMade(result);
    case Step::kWrite:
      return OnWrote(result);
    case Step::kSync:
      if (result < 0) return Fail(result, In("/tmp/"));
      step_ = Step::kClose;
      return io_->CloseFile(&op_, file_);
    case Step::kClose:
      file_ = io::kNoHandle;
      if (result < 0) return Fail(result, In("/tmp/"));
      closed_ = true;
      return Rename();
    case Step::kRename:
      if (result == -ENOENT && !std::exchange(made_, true)) return Make();  // new/ is gone
      if (result < 0) return Fail(result, In("/new/"));
      return SyncPlace("/new");
    case Step::kSyncPlace:
      // It is there, but perhaps not for long: the next attempt finds it, or writes it again.
      return End(std::min(result, 0));
    case Step::kCloseFailed:
      file_ = io::kNoHandle;
      step_ = Step::kUnlinkFailed;
      return io_->Unlink(&op_, In("/tmp/"));
    case Step::kUnlinkFailed:
    case Step::kGiveUp:
      return End(error_);
    case Step::kNone:
    case Step::kReady:
      break;
  }
  CHECK(false);
}

// It has its name, and keeps that through a power failure when this has succeeded.
void MaildirFile::SyncPlace(const char* part) {
  moved_ = true;
  step_ = Step::kSyncPlace;
  error_path_ = directory_ + part;
  io_->SyncDirectory(&op_, error_path_);
}

void MaildirFile::OnFound(int32_t result) {
  const char* const part = step_ == Step::kFindNew ? "/new" : "/cur";
  // We have been here, but perhaps not to the end.
  if (result == 1) return SyncPlace(part);
  if (result < 0 && result != -ENOENT) return Fail(result, directory_ + part);
  if (step_ == Step::kFindCur) return Open();
  step_ = Step::kFindCur;
  io_->FindInDirectory(&op_, directory_ + "/cur", name_.substr(0, unique_));
}

void MaildirFile::OnOpened(int32_t result) {
  if (result >= 0) {
    file_ = result;
    step_ = Step::kReady;
    return owner_->OnReady();
  }
  if (result == -ENOENT && !std::exchange(made_, true)) return Make();
  if (result == -EEXIST && !std::exchange(unlinked_, true)) {
    step_ = Step::kUnlinkOld;
    return io_->Unlink(&op_, In("/tmp/"));
  }
  Fail(result, In("/tmp/"));
}

// Each directory is made, and then its parent synced, before the next one.
void MaildirFile::OnMade(int32_t result) {
  const std::string& path = missing_[at_];
  if (result < 0) return Fail(result, path);
  if (step_ == Step::kMake) {
    step_ = Step::kSyncMade;
    return io_->SyncDirectory(&op_, path.substr(0, std::max<size_t>(path.rfind('/'), 1)));
  }
  if (++at_ == missing_.size()) return closed_ ? Rename() : Open();
  step_ = Step::kMake;
  io_->MakePrivateDirectory(&op_, missing_[at_]);
}

void MaildirFile::OnWrote(int32_t result) {
  if (result <= 0) return Fail(result < 0 ? result : -EIO, In("/tmp/"));
  written_ += static_cast<size_t>(result);
  offset_ += static_cast<uint64_t>(result);
  if (written_ < text_.size()) return WriteRest();
  step_ = Step::kReady;
  owner_->OnWritten();
}

// What is in tmp/ is taken away; never from inside of a call of the owner's.
void MaildirFile::Fail(int32_t error, std::string path) {
  error_ = error;
  error_path_ = std::move(path);
  const bool has_file = file_ != io::kNoHandle;
  // A file in tmp/ is ours once it was opened, until it has been moved.
  const bool left = has_file || closed_ || step_ == Step::kClose;
  if (has_file) {
    step_ = Step::kCloseFailed;
    io_->CloseFile(&op_, file_);
  } else if (left) {
    step_ = Step::kUnlinkFailed;
    io_->Unlink(&op_, In("/tmp/"));
  } else {
    step_ = Step::kGiveUp;
    io_->RunOnHelper(&op_, [] { return 0; });
  }
}

void MaildirFile::End(int32_t result) {
  step_ = Step::kNone;
  text_ = std::string();
  owner_->OnOver(result, error_path_);  // may destroy us
}

}  // namespace outbox::queue
