// Attempt: a ticket while it is being sent: its bytes, the hosts it has been at, its results so
// far.
//
// Made when a destination takes a ticket out of its ready list, ends when the ticket goes home. It
// wanders from delivery to delivery when it has to go on at another host.
//
// It borrows home's memory piece by piece, and for no longer than it takes to send it. What it says
// of the envelope is copied (queue/attempt_mail.h). Part 0, with an inline body inside, is in hand
// when a transaction begins, so that a quick peer gets it at once; a peer that lets us wait for its
// replies gets it when it wants it, fetched again (OnPatience). Extents are fetched one ahead.
#ifndef OUTBOX_QUEUE_ATTEMPT_H_
#define OUTBOX_QUEUE_ATTEMPT_H_

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "core/intrusive_list.h"
#include "queue/ascii_envelope.h"
#include "queue/attempt_mail.h"
#include "queue/outcome.h"
#include "queue/seven_bit_body.h"
#include "queue/ticket.h"
#include "smtp/delivery_source.h"

namespace outbox::queue {

class AttemptLog;
class Delivery;
class DeliveryLink;
class PostOffice;
struct HostPlan;

class Attempt {
 public:
  // Takes the ticket, with its lease if it has one.
  // `log` may be null.
  Attempt(Ticket* ticket, PostOffice* post, AttemptLog* log, int64_t now_ns);
  // REQUIRES: the ticket has been returned.
  ~Attempt();
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;

  // --- The message's bytes ---
  // The envelope is known: a transaction can begin. Otherwise asks home for part 0; OnFetched
  // follows.
  bool Readable();
  // It can be had no more (damaged, or not readable): the attempt must end.
  bool broken() const { return broken_; }
  // Windows that are not being sent go back; what is needed is fetched again.
  void GiveUpLease();
  // Called now and then while it is at a host: the second time without anything sent in between
  // the windows that it keeps for later are given up. True when one has been out for some times
  // more: whoever sends it should free it.
  bool OnPatience();
  // Memory of home's is in its hands, or on its way.
  bool KeepsWindows() const { return lent_ > 0 || part0_ || ahead_ || ticket->fetching; }
  void OnFetched(uint32_t part, const Window& window);
  smtp::NextAnswer NextWindow(smtp::BodyWindow* window);
  // NextWindow has said kLater and has something now. True once.
  bool TakeWindowDue();
  void ReleaseWindow(uint64_t token);

  // --- Transactions ---
  // Fills the request for all recipients that are due. REQUIRES: Readable().
  void BeginTransaction(smtp::DeliveryRequest* request);
  void OnResult(uint16_t index, const smtp::RecipientResult& result, std::string_view host,
                const io::TlsFacts& tls);
  void EndTransaction();
  // Recipients that go into another transaction with the same host.
  bool again() const { return again_ != 0; }
  // The host is another one from here on: the next transaction has all that are undecided.
  void ForgetHost() {
    again_ = 0;
    by_data_ = false;
    as_ascii_ = false;
    EndConversion();
  }
  // Recipients that no host has decided yet.
  bool undecided() const { return undecided_ != 0; }
  // The host would not even listen: what the undecided ones get if no other host does better.
  void OnSessionEnd(smtp::SessionEnd end, smtp::Stage stage, const smtp::Reply& reply,
                    std::string_view at, std::string_view user);
  // Writes down what was said at the host.
  void TellTalk(const DeliveryLink& session, std::string_view host);
  // The bytes cannot be had: the undecided ones are deferred.
  void OnUnreadable();
  // The undecided ones get `verdict`; the result is complete. The ticket can go home when Quiet().
  void Finish(ReturnReason reason, Verdict verdict);
  bool finished() const { return finished_; }
  // No window is being read and none is on its way.
  bool Quiet() const { return lent_ == 0 && !ticket->fetching; }
  // Gives back all windows and returns the ticket. REQUIRES: finished() and Quiet().
  void Return();
  // Nothing was sent and nothing is decided: it can be as if it had never been, no host tried.
  bool Undoable() const { return !began_ && tried_count == 0 && undecided_ == ticket->mask; }
  // Instead of Finish and Return: the ticket waits once more. REQUIRES: Undoable(), outside of a
  // transaction.
  void Undo();
  bool undone() const { return undone_; }
  // REQUIRES: undone() and Quiet().
  void GiveUpTicket();

  // It is with no delivery, and is being sent to nobody.
  void LeaveDelivery() {
    delivery = nullptr;
    ticket->host.store(LiveHosts::kNone, std::memory_order_relaxed);
  }

  // --- For the deliveries, which alone set these ---
  Ticket* const ticket;
  const int64_t started_ns;
  Delivery* delivery = nullptr;  // that has it, if any
  HostPlan* plan = nullptr;      // its hosts; null when finished
  uint64_t tried = 0;            // mask of them that are done with
  uint32_t tried_count = 0;
  uint32_t refused_count = 0;      // of them, that refuse to talk for good
  uint32_t unreachable_count = 0;  // of them, that could not be reached or would not talk
  uint32_t unfit_count = 0;        // of them, that do not do what the route asks for
  bool unknown = false;            // one of these would not have our user
  uint8_t host = 0;                // where it is, or goes next
  bool in_transaction = false;
  bool replied = false;     // the host has answered something about this transaction
  bool lost_early = false;  // the session ended before it had
  bool forgiven = false;    // a connection found dead was not held against the host once
  bool may_convert = true;  // 8-bit content for a host without 8BITMIME
  core::ListLink link;      // the destination's list of attempts that look for a connection

 private:
  struct Lent {
    Window window;
    bool out = false;
  };

  // The one that it is sent with.
  std::string_view ReturnPath();
  RecipientResult* Failed(uint64_t bit);
  void Forget(uint64_t bit);
  void ReadMail();
  void FetchPart(uint32_t part);
  void Address(smtp::ClientEnvelope* envelope);
  bool GoesAsAscii(const smtp::RecipientResult& result, std::string_view recipient);
  bool Converts(const smtp::RecipientResult& result);
  void EndConversion();
  void ReleaseConverted(uint64_t token);
  smtp::NextAnswer LendConverted(smtp::BodyWindow* window);
  smtp::NextAnswer Lend(smtp::BodyWindow* window);
  smtp::NextAnswer LendInline(smtp::BodyWindow* window, Window* lent);
  smtp::NextAnswer LendExtent(smtp::BodyWindow* window, Window* lent);

  PostOffice* const post_;
  AttemptLog* const log_;
  AttemptMail mail_;
  Window part0_;
  Window ahead_;             // the next extent, fetched before it is needed
  uint32_t ahead_part_ = 0;  // 0: none
  uint32_t next_part_ = 0;   // that the link asks for next
  Extent wanted_;            // of the fetch that is on its way
  std::array<Lent, 4> lent_windows_;
  uint32_t lent_ = 0;
  std::unique_ptr<std::string> verp_;  // null: not made, or the plain return path has to do
  std::unique_ptr<SevenBitBody> seven_bit_;  // for a host without 8BITMIME, else null
  // Of hosts that have answered before they had read what they were sent.
  std::vector<std::unique_ptr<SevenBitBody>> still_lent_;
  std::unique_ptr<AsciiEnvelope> ascii_;  // of the transaction, for a host without SMTPUTF8
  bool as_ascii_ = false;                 // the next one needs it
  bool window_wanted_ = false;            // NextWindow has said kLater
  uint32_t waited_ = 0;  // times that OnPatience has been called since something moved
  bool asked_ = false;   // the peer wants the body of this transaction
  bool by_data_ = false;  // the host does no BDAT, though it says so
  bool slow_ = false;    // and takes so long that nothing is fetched ahead
  bool broken_ = false;
  bool finished_ = false;
  bool undone_ = false;
  bool began_ = false;        // a host has been asked to take it
  bool talk_failed_ = false;  // something has, and what was said is not written down
  uint64_t told_ = 0;         // delivered recipients that home knows of already
  uint64_t undecided_ = 0;    // masks as Ticket::mask
  uint64_t again_ = 0;
  // Of the transaction; those of most mail cost no allocation.
  absl::InlinedVector<std::string_view, 4> recipients_;
  absl::InlinedVector<uint8_t, 16> bits_;  // theirs in the mask
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_ATTEMPT_H_
