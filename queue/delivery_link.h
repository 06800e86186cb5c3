// DeliveryLink: one outbound connection as delivery sees it.
//
// Delivery decides what is sent where; the link is the one who speaks. In the product it is
// smtp/client_connection.h (queue/smtp_link.h); a test puts a scripted peer in its place, so that
// scheduling is tested without SMTP. The link asks its smtp::DeliverySource for transactions and
// windows and reports what became of them.
#ifndef OUTBOX_QUEUE_DELIVERY_LINK_H_
#define OUTBOX_QUEUE_DELIVERY_LINK_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/check.h"
#include "core/config.h"
#include "core/ip_address.h"
#include "queue/destination_key.h"
#include "smtp/delivery_source.h"
#include "smtp/talk.h"

namespace outbox::queue {

// Where a connection goes, and how.
struct LinkTarget {
  core::SocketAddress peer;
  const core::IpAddress* from = nullptr;  // of ours; null: the system's choice
  core::TlsMode tls = core::TlsMode::kNone;
  std::string_view tls_name;  // PlannedHost's
  const DestinationKey* key = nullptr;  // whose credentials are said; null: none are
  std::string_view helo;                // said in EHLO; empty: the relay's own name
};

class DeliveryLink {
 public:
  // REQUIRES: OnSessionEnd has come. May be called from within it.
  virtual ~DeliveryLink() = default;
  // A transaction may be had now where NextTransaction said kLater. May ask for it at once.
  virtual void Poke() = 0;
  // NextWindow(cookie) has said kLater and would now say something else. May ask at once.
  // REQUIRES: it has, and this was not called since.
  virtual void OfferWindow(uint64_t cookie) = 0;
  // The host has read nothing for a while: a window that is being sent should go back if that can
  // be. May release it at once or later.
  virtual void FreeWindow() {}
  // QUIT, after what is in hand; OnSessionEnd follows.
  virtual void Quit() = 0;
  // At once, whatever is in hand; OnSessionEnd follows, from the loop.
  virtual void Abandon(smtp::SessionEnd why) = 0;
  // The newest lines of the dialogue (smtp/talk.h); empty when nothing was said.
  virtual std::string Talk() const { return {}; }
  // Of it, what belongs to the transaction that OnTransactionDone is about, or, in OnSessionEnd, to
  // none. Valid during that call.
  virtual smtp::Dialogue Dialogue() const { return {}; }
};

class LinkFactory {
 public:
  virtual ~LinkFactory() = default;
  // Connects, and calls `source` from the loop, never from here. `source` outlives the link.
  virtual std::unique_ptr<DeliveryLink> Connect(const LinkTarget& target,
                                                smtp::DeliverySource* source) = 0;
  // The same by LMTP: to `peer`, or to the unix socket `path` unless that is empty.
  virtual std::unique_ptr<DeliveryLink> ConnectLmtp(const core::SocketAddress& /*peer*/,
                                                    const std::string& /*path*/,
                                                    smtp::DeliverySource* /*source*/) {
    CHECK(false);
    return nullptr;
  }
  // To the Maildirs of this path (core/mailbox_name.h).
  virtual std::unique_ptr<DeliveryLink> OpenMaildir(const std::string& /*maildir*/,
                                                    smtp::DeliverySource* /*source*/) {
    CHECK(false);
    return nullptr;
  }
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_DELIVERY_LINK_H_
