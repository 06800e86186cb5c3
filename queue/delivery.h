// Delivery: one connection slot at work: a connection, and the attempts that go over it.
//
// Made by its Destination when it gets a slot, with an attempt to begin with. It connects to the
// host where that attempt has to go, sends one transaction after the other (with PIPELINING the
// next one's envelope goes behind the body of the one before), and takes more tickets from the
// destination as long as its host is the one that they would go to first. When an attempt must go
// on at another host it ends the session and connects there with the same slot. Idle for a while,
// told to close, or with nothing left to do it ends, and its slot goes back.
//
// A slot belongs to the site of a plan. When the destination gets another plan, a delivery whose
// host is in it goes over to it; any other is *dismissed*: it ends what it has in hand, then its
// slot goes back, or is used on if the site is still the same.
#ifndef OUTBOX_QUEUE_DELIVERY_H_
#define OUTBOX_QUEUE_DELIVERY_H_

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "core/intrusive_list.h"
#include "core/timer.h"
#include "queue/delivery_link.h"
#include "queue/site_gate.h"
#include "smtp/delivery_source.h"

namespace outbox::queue {

class Attempt;
class AttemptLog;
class Destination;
class LiveHosts;
struct HostPlan;

class Delivery : public smtp::DeliverySource, public IdleConnection {
 public:
  explicit Delivery(Destination* destination);
  ~Delivery() override;
  Delivery(const Delivery&) = delete;
  Delivery& operator=(const Delivery&) = delete;

  // Begins with the attempt: connects to its host.
  void Start(Attempt* attempt);
  // There may be work. REQUIRES: idle.
  void Poke();
  // No more transactions; ends when what is in hand is done.
  void Leave();
  // Ends what is in hand, too.
  void Abort();
  // The attempt leaves before anything was sent for it. False: it is too late for that.
  bool Drop(Attempt* attempt);
  // Home has answered a fetch of an attempt of ours.
  void OnFetched(Attempt* attempt);
  // What goes next and has not been begun.
  Attempt* next() const { return next_; }

  // The destination has another plan.
  void OnPlan();
  HostPlan* plan() const { return plan_; }
  uint8_t host() const { return host_; }
  // It has a session, and can send to its host.
  bool opened() const { return opened_; }
  bool dismissed() const { return dismissed_; }

  // IdleConnection
  void CloseIdle() override { Leave(); }

  // smtp::DeliverySource
  void OnTls(const io::TlsFacts& facts, std::string_view error) override;
  void OnAuthenticated(core::AuthMechanism mechanism) override;
  smtp::NextAnswer NextTransaction(smtp::DeliveryRequest* request) override;
  smtp::NextAnswer NextWindow(uint64_t cookie, smtp::BodyWindow* window) override;
  void ReleaseWindow(uint64_t cookie, uint64_t token) override;
  void OnResult(uint64_t cookie, uint16_t recipient, const smtp::RecipientResult& result) override;
  void OnTransactionDone(uint64_t cookie) override;
  void OnSessionEnd(smtp::SessionEnd end, smtp::Stage stage, const smtp::Reply& reply) override;

  core::ListLink link;        // the destination's list of all
  core::ListLink idle_place;  // the destination's list of idle ones

 private:
  void Connect(Attempt* attempt);
  bool IsHere(const Attempt& attempt) const;
  void SetPlan(HostPlan* plan);
  // When it was dismissed and its slot is still good for the present plan, it belongs to that.
  void MaybeReadmit();
  smtp::NextAnswer Next(smtp::DeliveryRequest* request);
  // Sets next_ if there is something to do; may set leaving_.
  void FindWork();
  void BecomeIdle();
  void BecomeBusy();
  bool ShouldYield() const;
  // Its site has more connections than a reply has left it.
  bool TooMany() const;
  // Nothing of it has been sent: what becomes of the attempt that was to go over the ended session.
  void OnNextStranded(smtp::SessionEnd end, smtp::Stage stage, const smtp::Reply& reply);
  void GoOn();
  // The host has refused something that began then: there may be a rule for that.
  void Heed(smtp::Stage stage, const smtp::Reply& reply, int64_t began_ns);
  void OnTimer();
  void WatchWindows();
  void WatchClosely();
  int64_t now_ns() const;
  LiveHosts* live_hosts() const;
  AttemptLog* log() const;
  const std::string& host_name() const;

  Destination* const destination_;
  HostPlan* plan_;
  const uint32_t live_host_;  // where its host's name is for listings
  std::unique_ptr<DeliveryLink> link_;
  Attempt* next_ = nullptr;  // goes next; nothing of it has been sent
  uint32_t in_hand_ = 0;     // transactions begun, not done
  std::array<Attempt*, smtp::ClientSession::kSlots> hand_ = {};  // theirs; null: none
  uint8_t host_ = 0;
  bool lost_ = false;     // the session ended under the transaction in hand
  bool opened_ = false;   // the session is ready
  bool leaving_ = false;  // no more transactions over this session
  bool dismissed_ = false;
  bool idle_ = false;
  bool in_call_ = false;        // the link is calling us: it must not be called now
  bool told_to_close_ = false;  // somebody wants the slot, or it was idle for long
  bool aborted_ = false;
  bool resting_ = false;  // the timer is a long one: there is nothing to watch
  bool short_ = false;    // its session has ended for want of something of our own
  io::TlsFacts tls_;          // of this session
  uint32_t served_ = 0;       // transactions of this session
  int64_t connected_ns_ = 0;  // when the connection was begun
  int64_t last_done_ns_ = 0;  // when the last transaction began or ended
  core::Timer timer_;         // idle; or looks after the windows of who waits for the host
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_DELIVERY_H_
