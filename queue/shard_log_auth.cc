// ShardLog's lines about clients that say who they are (RFC 4954), and what they may not send.
#include "core/time.h"
#include "queue/shard_log.h"

namespace outbox::queue {

using core::LogLevel;

void ShardLog::Authenticated(const core::IpAddress& client, std::string_view user,
                             std::string_view mechanism) {
  if (!events_->Wants(LogLevel::kDebug)) return;
  events_->Write(LogLevel::kDebug, io_->wall_ns(), "authenticated")
      .Field("client", client.ToString())
      .Field("user", user)
      .Field("mechanism", mechanism);
}

void ShardLog::AuthFailed(const core::IpAddress& client, std::string_view user,
                          std::string_view mechanism) {
  if (!events_->Wants(LogLevel::kInfo)) return;
  events_->Write(LogLevel::kInfo, io_->wall_ns(), "auth_failed")
      .Field("client", client.ToString())
      .Field("user", user)
      .Field("mechanism", mechanism);
}

void ShardLog::AddressRefused(const core::IpAddress& client, std::string_view user,
                              uint32_t failures, int64_t for_ns) {
  events_->Write(LogLevel::kWarning, io_->wall_ns(), "auth_address_refused")
      .Field("client", client.ToString())
      .Field("user", user)
      .Field("failures", failures)
      .Field("refused_for_s", for_ns / core::kNsPerSecond);
}

void ShardLog::SenderRefused(const core::IpAddress& client, std::string_view user,
                             std::string_view sender) {
  if (!events_->Wants(LogLevel::kInfo)) return;
  events_->Write(LogLevel::kInfo, io_->wall_ns(), "sender_refused")
      .Field("client", client.ToString())
      .Field("user", user)
      .Field("sender", sender)
      .Field("why", "the user may not send as this address");
}

void ShardLog::RateExceeded(const core::IpAddress& client, std::string_view user,
                            std::string_view what, std::string_view rate) {
  if (!events_->Wants(LogLevel::kInfo)) return;
  events_->Write(LogLevel::kInfo, io_->wall_ns(), "rate_exceeded")
      .Field("client", client.ToString())
      .Field("user", user)
      .Field("what", what)
      .Field("rate", rate);
}

}  // namespace outbox::queue
