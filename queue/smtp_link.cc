#include "queue/smtp_link.h"

namespace outbox::queue {
namespace {

class SmtpLink : public DeliveryLink {
 public:
  SmtpLink(const smtp::ClientContext* context, const core::SocketAddress& peer,
           smtp::DeliverySource* source)
      : connection_(context, source) {
    connection_.Start(peer, nullptr);
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
                                                       smtp::DeliverySource* source) {
  return std::make_unique<SmtpLink>(context_, peer, source);
}

}  // namespace outbox::queue
