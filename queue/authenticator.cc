#include "queue/authenticator.h"

#include <algorithm>
#include <utility>

#include "core/limits.h"
#include "core/password_hash.h"
#include "queue/shard_log.h"

namespace outbox::queue {

static_assert(core::kAuthPasswordBytes <= core::kConfigSecretBytes);

void AuthQuestion::OnTimer() {
  link_.Unlink();
  authenticator_->Answer(this, AuthVerdict::kNo);
}

Authenticator::Authenticator(io::Io* io, core::TimerWheel* wheel, ShardLog* log,
                             AuthFailures* failures)
    : io_(io), wheel_(wheel), log_(log), failures_(failures) {
  op_.Bind<&Authenticator::OnCompared>(this);
}

Authenticator::~Authenticator() {
  CHECK(waiting_.empty() && held_back_.empty() && current_ == nullptr);
}

int64_t Authenticator::RefusedUntil(const core::IpAddress& client) const {
  return failures_->RefusedUntil(client, config_, io_->now_ns());
}

bool Authenticator::Ask(AuthQuestion* question, std::string_view password, AuthVerdict* verdict) {
  CHECK(!question->open() && question->users != nullptr && !password.empty());
  question->known = nullptr;
  *verdict = AuthVerdict::kStopping;
  if (closing_) return true;
  if (RefusedUntil(question->client) != 0) {
    *verdict = AuthVerdict::kRefused;
  } else if (waiting_count_ >= core::kAuthWaitingMax) {
    *verdict = AuthVerdict::kBusy;
  } else {
    question->password_ = core::Secret::Copy(password);
    if (question->password_ == nullptr) *verdict = AuthVerdict::kBusy;
  }
  if (*verdict != AuthVerdict::kStopping) {
    log_->metrics().auth_in_refused_total.Add();
    return true;
  }
  question->authenticator_ = this;
  if (!op_.in_flight) {
    Compare(question);
  } else {
    waiting_.PushBack(question);
    ++waiting_count_;
  }
  return false;
}

void Authenticator::Cancel(AuthQuestion* question) {
  if (!question->open()) return;
  if (question == current_) {
    current_ = nullptr;
  } else {
    if (!question->timer_.set()) --waiting_count_;
    question->link_.Unlink();
    question->timer_.Cancel();
  }
  question->password_ = nullptr;
  question->authenticator_ = nullptr;
}

// Those whose address has been refused meanwhile are not compared any more.
void Authenticator::StartNext() {
  while (!op_.in_flight && !waiting_.empty()) {
    AuthQuestion* const next = waiting_.PopFront();
    --waiting_count_;
    if (RefusedUntil(next->client) != 0) {
      log_->metrics().auth_in_refused_total.Add();
      Answer(next, AuthVerdict::kRefused);
      continue;
    }
    Compare(next);
  }
}

// Answers later, whatever another shard learns of the address meanwhile.
void Authenticator::Compare(AuthQuestion* question) {
  current_ = question;
  client_ = question->client;
  mechanism_ = question->mechanism;
  user_ = question->user;
  work_ = std::make_shared<Work>();
  work_->password = std::move(question->password_);
  question->known = question->users->Find(question->user);
  work_->is_known = question->known != nullptr && !question->known->hash.empty();
  work_->hash = work_->is_known ? question->known->hash : question->users->DecoyFor(question->user);
  io_->RunLong(&op_, [work = work_] {
    work->Run();
    return 0;
  });
}

// On the helper thread.
void Authenticator::Work::Run() {
  matches = core::IsPasswordOf(password->text(), hash) && is_known;
  password = nullptr;
}

void Authenticator::OnCompared(const io::OpResult&) {
  AuthQuestion* const question = std::exchange(current_, nullptr);
  const std::shared_ptr<Work> work = std::exchange(work_, nullptr);
  if (!work->matches) {
    Failed(question);
  } else if (question != nullptr) {
    Succeeded(question);
  }
  StartNext();
}

void Authenticator::Succeeded(AuthQuestion* question) {
  log_->metrics().auth_in_total.Add();
  log_->Authenticated(question->client, question->user,
                      core::AuthMechanismName(question->mechanism));
  Answer(question, AuthVerdict::kYes);
}

// `question` is null when the client has not waited for the answer.
void Authenticator::Failed(AuthQuestion* question) {
  log_->metrics().auth_in_failed_total.Add();
  log_->AuthFailed(client_, user_, core::AuthMechanismName(mechanism_));
  const AuthFailures::Counted counted = failures_->Count(client_, config_, io_->now_ns());
  if (counted.refused_now) {
    log_->AddressRefused(client_, user_, counted.failures, config_.refuse_for_ns);
  }
  if (question == nullptr) return;
  const int64_t delay_ns = std::min(
      core::kAuthDelayMaxNs, core::kAuthDelayNs << std::min<uint32_t>(counted.failures - 1, 16));
  // A full wheel holds nothing back.
  if (closing_ || !question->timer_.Set(wheel_, io_->now_ns() + delay_ns)) {
    return Answer(question, AuthVerdict::kNo);
  }
  held_back_.PushBack(question);
}

void Authenticator::Answer(AuthQuestion* question, AuthVerdict verdict) {
  if (verdict != AuthVerdict::kYes) question->known = nullptr;
  question->password_ = nullptr;
  question->authenticator_ = nullptr;
  question->done_(question->owner_, verdict);  // which may ask again
}

// The one at the helper is answered when it comes back.
void Authenticator::Close() {
  closing_ = true;
  while (!waiting_.empty()) {
    --waiting_count_;
    Answer(waiting_.PopFront(), AuthVerdict::kStopping);
  }
  while (!held_back_.empty()) {
    AuthQuestion* const question = held_back_.PopFront();
    question->timer_.Cancel();
    Answer(question, AuthVerdict::kNo);
  }
}

}  // namespace outbox::queue
