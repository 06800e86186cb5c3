// ClientLogin: who a client is, once it has said so by AUTH, and what it may send as that user.
//
// Part of a reception's session: opened with it, asks the shard's Authenticator, and then answers
// for the user's senders and rates. What a transaction has taken of a rate goes back when no
// message has come of it. Shard-local; the user's rates are shared.
#ifndef OUTBOX_QUEUE_CLIENT_LOGIN_H_
#define OUTBOX_QUEUE_CLIENT_LOGIN_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/config.h"
#include "core/ip_address.h"
#include "core/user_list.h"
#include "io/io.h"
#include "queue/authenticator.h"
#include "queue/client_name.h"
#include "queue/shard_log.h"
#include "smtp/reception.h"
#include "smtp/reply.h"

namespace outbox::queue {

class ClientLogin {
 public:
  ClientLogin(io::Io* io, Authenticator* authenticator, ShardLog* log);
  ClientLogin(const ClientLogin&) = delete;
  ClientLogin& operator=(const ClientLogin&) = delete;

  // A client has come to a listener with these users (null: it has no AUTH), who outlive it.
  void Open(const core::IpAddress& client, const core::UserList* users,
            smtp::ServerConnection* connection);
  // It is nobody any more: it is gone, or TLS begins.
  void Forget();

  // As smtp::ReceptionSession::OnAuth.
  smtp::MaybeReply OnAuth(const smtp::Credentials& credentials);

  bool known() const { return user_ != nullptr; }
  // Empty when it is not known.
  ClientName name() const;

  // A refusal, or nothing: also when it is not known. The text is valid until the next call.
  std::optional<smtp::Reply> OnMail(std::string_view reverse_path);
  std::optional<smtp::Reply> OnRcpt();
  // The transaction is over; `accepted`: there is a message.
  void EndTransaction(bool accepted);

 private:
  void OnVerdict(AuthVerdict verdict);
  smtp::Reply ReplyTo(AuthVerdict verdict);
  std::optional<smtp::Reply> Take(core::Allowance* allowance, const core::Rate& rate,
                                  const char* what, uint32_t* taken);

  io::Io* const io_;
  Authenticator* const authenticator_;
  ShardLog* const log_;
  smtp::ServerConnection* connection_ = nullptr;
  const core::UserList* users_ = nullptr;
  const core::User* user_ = nullptr;
  uint32_t messages_taken_ = 0;  // by the transaction in hand
  uint32_t recipients_taken_ = 0;
  AuthQuestion question_;
  std::string text_;  // of the reply in hand
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_CLIENT_LOGIN_H_
