// SmtpLinkFactory: DeliveryLinks over the shard's Io: they speak SMTP or LMTP, or write into
// Maildirs. One per shard.
#ifndef OUTBOX_QUEUE_SMTP_LINK_H_
#define OUTBOX_QUEUE_SMTP_LINK_H_

#include <memory>
#include <string>
#include <utility>

#include "core/ip_address.h"
#include "queue/delivery_link.h"
#include "queue/route_credentials.h"
#include "smtp/client_connection.h"

namespace outbox::queue {

class SmtpLinkFactory : public LinkFactory {
 public:
  // `context` outlives all links. Its idle limit should be above that of the deliveries
  // (OwnerContext::idle_timeout_ns), which know who else waits for the connection's slot.
  // `lmtp` is the same in LMTP mode; it and `hostname` are for local mail.
  explicit SmtpLinkFactory(const smtp::ClientContext* context,
                           const smtp::ClientContext* lmtp = nullptr, std::string hostname = {})
      : context_(context), lmtp_(lmtp), hostname_(std::move(hostname)) {}

  // From now on; null: nobody is known anywhere.
  void SetCredentials(std::shared_ptr<const RouteCredentials> credentials) {
    credentials_ = std::move(credentials);
  }

  std::unique_ptr<DeliveryLink> Connect(const LinkTarget& target,
                                        smtp::DeliverySource* source) override;
  std::unique_ptr<DeliveryLink> ConnectLmtp(const core::SocketAddress& peer,
                                            const std::string& path,
                                            smtp::DeliverySource* source) override;
  std::unique_ptr<DeliveryLink> OpenMaildir(const std::string& maildir,
                                            smtp::DeliverySource* source) override;

 private:
  const smtp::ClientContext* const context_;
  const smtp::ClientContext* const lmtp_;
  const std::string hostname_;
  std::shared_ptr<const RouteCredentials> credentials_;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_SMTP_LINK_H_
