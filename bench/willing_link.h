// WillingLink: a connection to a host that takes everything at once, without SMTP; so that what the
// destination's side of a message costs can be counted alone.
#ifndef OUTBOX_BENCH_WILLING_LINK_H_
#define OUTBOX_BENCH_WILLING_LINK_H_

#include "core/check.h"
#include "queue/delivery_link.h"

namespace outbox::bench {

class WillingLink : public queue::DeliveryLink {
 public:
  explicit WillingLink(smtp::DeliverySource* source) : source_(source) {}

  // Everything that it has to do; may delete it.
  void Work() {
    if (ended_) return End();
    smtp::DeliveryRequest request;
    for (;;) {
      const smtp::NextAnswer answer = source_->NextTransaction(&request);
      if (answer == smtp::NextAnswer::kNo) return End();
      if (answer == smtp::NextAnswer::kLater) return;
      smtp::BodyWindow window;
      CHECK(source_->NextWindow(request.cookie, &window) == smtp::NextAnswer::kYes && window.last);
      source_->ReleaseWindow(request.cookie, window.token);
      smtp::RecipientResult result;
      result.stage = smtp::Stage::kFinalDot;
      result.reply = {250, {2, 0, 0}, "Ok: queued as 4Abcdef"};
      for (size_t i = 0; i < request.envelope.recipients.size(); ++i) {
        source_->OnResult(request.cookie, static_cast<uint16_t>(i), result);
      }
      source_->OnTransactionDone(request.cookie);
    }
  }

  void Poke() override { OnDue(); }
  void OfferWindow(uint64_t) override { CHECK(false); }  // it never had to wait for one
  void Quit() override { Abandon(smtp::SessionEnd::kQuit); }
  void Abandon(smtp::SessionEnd) override {
    ended_ = true;
    OnDue();
  }

 protected:
  // It has something to do: Work is wanted, from the loop.
  virtual void OnDue() = 0;

 private:
  void End() { source_->OnSessionEnd(smtp::SessionEnd::kQuit, smtp::Stage::kQuit, {}); }

  smtp::DeliverySource* const source_;
  bool ended_ = false;
};

}  // namespace outbox::bench

#endif  // OUTBOX_BENCH_WILLING_LINK_H_
