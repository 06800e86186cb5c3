#include "queue/smtp_link.h"

#include "queue/maildir_link.h"

namespace outbox::queue {
namespace {

class SmtpLink : public DeliveryLink {
 public:
  // To the unix socket `path`, or to `peer` when that is empty.
  SmtpLink(const smtp::ClientContext* context, const core::SocketAddress& peer,
           const core::IpAddress* from, const std::string& path, smtp::DeliverySource* source)
      : connection_(context, source) {
    const core::SocketAddress local = {from == nullptr ? core::IpAddress() : *from, 0};
    if (path.empty()) {
      connection_.Start(peer, from == nullptr ? nullptr : &local);
    } else {
      connection_.StartUnix(path);
    }
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
  return std::make_unique<SmtpLink>(context_, peer, from, std::string(), source);
}

std::unique_ptr<DeliveryLink> SmtpLinkFactory::ConnectLmtp(const core::SocketAddress& peer,
                                                           const std::string& path,
                                                           smtp::DeliverySource* source) {
  CHECK(lmtp_ != nullptr);
  return std::make_unique<SmtpLink>(lmtp_, peer, nullptr, path, source);
}

std::unique_ptr<DeliveryLink> SmtpLinkFactory::OpenMaildir(const std::string& maildir,
                                                           smtp::DeliverySource* source) {
  return std::make_unique<MaildirLink>(lmtp_->io, maildir, hostname_, source);
}

}  // namespace outbox::queue
