#include "queue/smtp_link.h"

namespace outbox::queue {
namespace {

class SmtpLink : public DeliveryLink {
 public:
  SmtpLink(const smtp::ClientContext* context, const core::SocketAddress& peer,
           const core::IpAddress* from, smtp::DeliverySource* source)
      : connection_(context, source) {
    const core::SocketAddress local = {from == nullptr ? core::IpAddress() : *from, 0};
    connection_.Start(peer, from == nullptr ? nullptr : &local);
  }

  void Poke() override { connection_.Poke(); }
  void OfferWindow(uint64_t) override { connection_.OfferWindow(); }
  void FreeWindow() override { connection_.FreeWindow(); }
  void Quit() override { connection_.Quit(); }
  void Abandon(smtp::SessionEnd why) override { connection_.Abandon(why); }
  std::string Talk() const override { return connection_.talk().Text(); }
  smtp::Dialogue Dialogue() const override { return connection_.talk().Since(); }

 private:
  smtp::ClientConnection connection_;
};

}  // namespace

std::unique_ptr<DeliveryLink> SmtpLinkFactory::Connect(const core::SocketAddress& peer,
                                                       const core::IpAddress* from,
                                                       smtp::DeliverySource* source) {
  return std::make_unique<SmtpLink>(context_, peer, from, source);
}

}  // namespace outbox::queue
