#include "queue/client_login.h"

#include <array>
#include <utility>

#include "core/check.h"
#include "core/time.h"
#include "core/time_format.h"
#include "smtp/server_connection.h"

namespace outbox::queue {
namespace {

using smtp::MaybeReply;
using smtp::Reply;

int64_t CeilSeconds(int64_t ns) { return (ns + core::kNsPerSecond - 1) / core::kNsPerSecond; }

}  // namespace

ClientLogin::ClientLogin(io::Io* io, Authenticator* authenticator, ShardLog* log)
    : io_(io), authenticator_(authenticator), log_(log) {
  question_.Bind<&ClientLogin::OnVerdict>(this);
}

void ClientLogin::Open(const core::IpAddress& client, const core::UserList* users,
                       smtp::ServerConnection* connection) {
  CHECK(!known() && !question_.open());
  users_ = users;
  connection_ = connection;
  question_.client = client;
}

void ClientLogin::Forget() {
  EndTransaction(false);
  authenticator_->Cancel(&question_);
  user_ = nullptr;
}

ClientName ClientLogin::name() const {
  if (!known()) return {};
  return {user_->name, core::AuthMechanismName(question_.mechanism)};
}

MaybeReply ClientLogin::OnAuth(const smtp::Credentials& credentials) {
  CHECK(users_ != nullptr && !known());
  question_.users = users_;
  question_.mechanism = credentials.mechanism;
  question_.user.assign(credentials.user);
  AuthVerdict verdict = AuthVerdict::kNo;
  if (!authenticator_->Ask(&question_, credentials.password, &verdict)) return std::nullopt;
  return ReplyTo(verdict);
}

void ClientLogin::OnVerdict(AuthVerdict verdict) {
  user_ = question_.known;
  connection_->Answer(ReplyTo(verdict));
}

Reply ClientLogin::ReplyTo(AuthVerdict verdict) {
  switch (verdict) {
    case AuthVerdict::kYes:
      return {235, {2, 7, 0}, "Authentication succeeded"};
    case AuthVerdict::kNo:
      return {535, {5, 7, 8}, "The user name or the password is wrong"};
    case AuthVerdict::kRefused: {
      const int64_t left_ns = authenticator_->RefusedUntil(question_.client) - io_->now_ns();
      text_ = "Too many failed authentications from your address; try again in " +
              std::to_string(std::max<int64_t>(1, CeilSeconds(left_ns))) + " s. Closing";
      return {421, {4, 7, 0}, text_};
    }
    case AuthVerdict::kBusy:
      return {454, {4, 7, 0}, "Too many clients are being authenticated, try again later"};
    case AuthVerdict::kStopping:
      break;
  }
  return {454, {4, 7, 0}, "The server stops; try again later"};
}

std::optional<Reply> ClientLogin::OnMail(std::string_view reverse_path) {
  if (!known()) return std::nullopt;
  if (!user_->MaySendAs(reverse_path)) {
    log_->metrics().auth_in_senders_refused_total.Add();
    log_->SenderRefused(question_.client, user_->name, reverse_path);
    text_ = "User " + user_->name + " may not send as <" + std::string(reverse_path) +
            ">; ask the postmaster to add it to the user's senders";
    return Reply{553, {5, 7, 1}, text_};
  }
  return Take(&user_->use->messages, user_->messages, "messages", &messages_taken_);
}

std::optional<Reply> ClientLogin::OnRcpt() {
  if (!known()) return std::nullopt;
  return Take(&user_->use->recipients, user_->recipients, "recipients", &recipients_taken_);
}

std::optional<Reply> ClientLogin::Take(core::Allowance* allowance, const core::Rate& rate,
                                       const char* what, uint32_t* taken) {
  const int64_t lifts_ns = allowance->Take(rate, io_->now_ns());
  if (lifts_ns == 0) {
    ++*taken;
    return std::nullopt;
  }
  log_->metrics().auth_in_rate_refused_total.Add();
  const std::string limit = core::FormatRate(rate);
  log_->RateExceeded(question_.client, user_->name, what, limit);
  const int64_t wait_ns = lifts_ns - io_->now_ns();
  std::array<char, core::kRfc3339Bytes> time;
  text_ = "User " + user_->name + " has sent the " + limit + " " + what +
          " that are allowed; the next one is taken in " + std::to_string(CeilSeconds(wait_ns)) +
          " s, at " +
          std::string(core::FormatRfc3339(
              io_->wall_ns() + CeilSeconds(wait_ns) * core::kNsPerSecond, time));
  return Reply{450, {4, 7, 1}, text_};
}

void ClientLogin::EndTransaction(bool accepted) {
  const uint32_t messages = std::exchange(messages_taken_, 0);
  const uint32_t recipients = std::exchange(recipients_taken_, 0);
  if (accepted || !known()) return;
  user_->use->messages.GiveBack(user_->messages, messages);
  user_->use->recipients.GiveBack(user_->recipients, recipients);
}

}  // namespace outbox::queue
