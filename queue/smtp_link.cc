#include "queue/smtp_link.h"

#include <utility>

#include "queue/maildir_link.h"

namespace outbox::queue {
namespace {

class SmtpLink : public DeliveryLink {
 public:
  SmtpLink(const smtp::ClientContext* context, smtp::DeliverySource* source)
      : connection_(context, source) {}

  void Connect(const LinkTarget& target, smtp::ClientCredentials credentials) {
    connection_.SayHelo(target.helo);
    const core::SocketAddress local = {target.from == nullptr ? core::IpAddress() : *target.from,
                                       0};
    connection_.Start(target.peer, target.from == nullptr ? nullptr : &local,
                      {target.tls, std::string(target.tls_name)}, std::move(credentials));
  }
  void ConnectUnix(const std::string& path) { connection_.StartUnix(path); }

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

std::unique_ptr<DeliveryLink> SmtpLinkFactory::Connect(const LinkTarget& target,
                                                       smtp::DeliverySource* source) {
  auto link = std::make_unique<SmtpLink>(context_, source);
  smtp::ClientCredentials credentials;
  if (target.key != nullptr) {
    credentials.user = target.key->user;
    if (credentials_ != nullptr) credentials = credentials_->For(*target.key);
  }
  link->Connect(target, std::move(credentials));
  return link;
}

std::unique_ptr<DeliveryLink> SmtpLinkFactory::ConnectLmtp(const core::SocketAddress& peer,
                                                           const std::string& path,
                                                           smtp::DeliverySource* source) {
  CHECK(lmtp_ != nullptr);
  auto link = std::make_unique<SmtpLink>(lmtp_, source);
  if (path.empty()) {
    LinkTarget target;
    target.peer = peer;
    link->Connect(target, {});
  } else {
    link->ConnectUnix(path);
  }
  return link;
}

std::unique_ptr<DeliveryLink> SmtpLinkFactory::OpenMaildir(const std::string& maildir,
                                                           smtp::DeliverySource* source) {
  return std::make_unique<MaildirLink>(lmtp_->io, maildir, hostname_, source);
}

}  // namespace outbox::queue
