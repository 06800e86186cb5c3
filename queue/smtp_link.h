// SmtpLinkFactory: DeliveryLinks that speak SMTP over the shard's Io. One per shard.
#ifndef OUTBOX_QUEUE_SMTP_LINK_H_
#define OUTBOX_QUEUE_SMTP_LINK_H_

#include <memory>

#include "core/ip_address.h"
#include "queue/delivery_link.h"
#include "smtp/client_connection.h"

namespace outbox::queue {

class SmtpLinkFactory : public LinkFactory {
 public:
  // `context` outlives all links. Its idle limit should be above that of the deliveries
  // (OwnerContext::idle_timeout_ns), which know who else waits for the connection's slot.
  explicit SmtpLinkFactory(const smtp::ClientContext* context) : context_(context) {}

  std::unique_ptr<DeliveryLink> Connect(const core::SocketAddress& peer,
                                        const core::IpAddress* from,
                                        smtp::DeliverySource* source) override;

 private:
  const smtp::ClientContext* const context_;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_SMTP_LINK_H_
