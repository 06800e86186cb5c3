// Authenticator: whether a client is who it says, while the client waits.
//
// A password is compared with its hash away from the loop, one after the other: a shard has a line
// of core::kAuthWaitingMax, and who comes when it is full is told to try again. A user that is not
// there costs the same time as one that is. Wrong answers are held back, longer with each from the
// same address, on the timer wheel; after a number of them the address is refused for a while
// (queue/auth_failures.h), which costs nothing.
//
// Passwords are core::Secrets, and gone when they have been compared. Shard-local.
#ifndef OUTBOX_QUEUE_AUTHENTICATOR_H_
#define OUTBOX_QUEUE_AUTHENTICATOR_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/auth_mechanism.h"
#include "core/check.h"
#include "core/config.h"
#include "core/intrusive_list.h"
#include "core/ip_address.h"
#include "core/secret.h"
#include "core/timer.h"
#include "core/timer_wheel.h"
#include "core/user_list.h"
#include "io/io.h"
#include "queue/auth_failures.h"

namespace outbox::queue {

class ShardLog;

enum class AuthVerdict : uint8_t {
  kYes,
  kNo,       // no such user, or another password
  kRefused,  // too many failures from the address
  kBusy,     // too many clients wait, or there is no memory
  kStopping,
};

// One client's. Embedded in who asks, and cancelled before that goes.
class AuthQuestion {
 public:
  AuthQuestion() { timer_.Bind<&AuthQuestion::OnTimer>(this); }
  AuthQuestion(const AuthQuestion&) = delete;
  AuthQuestion& operator=(const AuthQuestion&) = delete;
  ~AuthQuestion() { CHECK(!open()); }

  // question.Bind<&Session::OnVerdict>(this), with void OnVerdict(AuthVerdict).
  template <auto Method, typename Owner>
  void Bind(Owner* owner) {
    owner_ = owner;
    done_ = [](void* target, AuthVerdict verdict) {
      (static_cast<Owner*>(target)->*Method)(verdict);
    };
  }

  // Before Ask. `users` outlives the answer.
  const core::UserList* users = nullptr;
  core::IpAddress client;
  core::AuthMechanism mechanism = core::AuthMechanism::kPlain;
  std::string user;
  // After kYes.
  const core::User* known = nullptr;

  // It waits for its answer.
  bool open() const { return authenticator_ != nullptr; }

 private:
  friend class Authenticator;
  void OnTimer();

  class Authenticator* authenticator_ = nullptr;
  std::shared_ptr<const core::Secret> password_;
  core::ListLink link_;  // in the line, or among those that are held back
  core::Timer timer_;
  void* owner_ = nullptr;
  void (*done_)(void*, AuthVerdict) = nullptr;
};

class Authenticator {
 public:
  // `failures` is shared by the shards. All of them outlive this.
  Authenticator(io::Io* io, core::TimerWheel* wheel, ShardLog* log, AuthFailures* failures);
  Authenticator(const Authenticator&) = delete;
  Authenticator& operator=(const Authenticator&) = delete;
  // REQUIRES: closed(), or nothing was ever asked.
  ~Authenticator();

  void SetConfig(const core::AuthConfig& config) { config_ = config; }

  // True: *verdict is the answer. False: it comes from the loop. `password` is copied; the caller
  // overwrites it. REQUIRES: !question->open(); 1 to core::kAuthPasswordBytes of password.
  bool Ask(AuthQuestion* question, std::string_view password, AuthVerdict* verdict);
  // It is not answered; a wrong password counts all the same. No effect on one that is not open.
  void Cancel(AuthQuestion* question);

  // What waits, and comes from now on, is answered at once.
  void Close();
  bool closed() const { return closing_ && !op_.in_flight; }
  // Until when this address is refused, steady; 0: it is not.
  int64_t RefusedUntil(const core::IpAddress& client) const;

 private:
  friend class AuthQuestion;
  using Questions = core::IntrusiveList<AuthQuestion, &AuthQuestion::link_>;

  // What the helper is given: nothing of it changes meanwhile.
  struct Work {
    std::shared_ptr<const core::Secret> password;
    std::string hash;
    bool is_known = false;
    bool matches = false;  // out

    void Run();
  };

  void StartNext();
  // REQUIRES: nothing is compared now.
  void Compare(AuthQuestion* question);
  void OnCompared(const io::OpResult& result);
  void Succeeded(AuthQuestion* question);
  void Failed(AuthQuestion* question);
  void Answer(AuthQuestion* question, AuthVerdict verdict);

  io::Io* const io_;
  core::TimerWheel* const wheel_;
  ShardLog* const log_;
  AuthFailures* const failures_;
  core::AuthConfig config_;
  Questions waiting_;
  Questions held_back_;
  uint32_t waiting_count_ = 0;
  AuthQuestion* current_ = nullptr;  // at the helper; null: its client has gone
  // Of the one at the helper, whose client may go.
  core::IpAddress client_;
  core::AuthMechanism mechanism_ = core::AuthMechanism::kPlain;
  std::string user_;
  std::shared_ptr<Work> work_;
  io::Op op_;
  bool closing_ = false;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_AUTHENTICATOR_H_
