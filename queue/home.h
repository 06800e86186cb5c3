// Home: the accepting shard's side of every message.
//
// Home owns what becomes of each recipient. It makes tickets when a message is committed or
// recovered, offers them to the shards that own their destinations, judges what comes back against
// the message's periods, writes the new state to the store, lets the Notifier tell the sender, and
// finishes the message when all recipients are final. Nobody else writes any of that down.
//
// Lifecycle: one per shard, made with it; all calls on its thread. Stopped when Close() was called
// and idle() holds.
//
// A ticket at home waits for the earliest of its three times (retry, notification, expiry) with one
// timer. A ticket that is out carries the earlier of notification and expiry with it and comes back
// then.
#ifndef OUTBOX_QUEUE_HOME_H_
#define OUTBOX_QUEUE_HOME_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "core/intrusive_list.h"
#include "core/random.h"
#include "core/slab.h"
#include "core/timer_wheel.h"
#include "queue/directory.h"
#include "queue/header_fields.h"
#include "queue/home_ticket.h"
#include "queue/notifier.h"
#include "queue/operator_order.h"
#include "queue/period_table.h"
#include "queue/redirector.h"
#include "queue/reply_table.h"
#include "queue/rerouter.h"
#include "queue/routing_table.h"
#include "queue/shard_mail.h"
#include "queue/shelf.h"
#include "queue/state_writer.h"
#include "queue/store.h"

namespace outbox::queue {

class ShardLog;     // queue/shard_log.h
class SigningLine;  // queue/signing_line.h
class Router;       // queue/router.h

struct HomeContext {
  io::Io* io = nullptr;
  core::TimerWheel* wheel = nullptr;
  core::Random* random = nullptr;
  PostOffice* post = nullptr;
  ShardLog* log = nullptr;         // events and counters
  const Router* router = nullptr;  // for DSNs
  SigningLine* signing = nullptr;  // likewise
  std::string hostname;
};

struct NameSource;  // queue/storyteller.h

// Who has asked for recipients to be removed, purged or returned. Called on home's shard.
class RemovalOwner {
 public:
  virtual ~RemovalOwner() = default;
  // The ticket is back: so many of the recipients are, the others were final before.
  virtual void OnRemoval(int removed, int kept) = 0;
  // So many were; OnRemoval follows for the rest.
  virtual void OnKept(int kept) = 0;
};

enum class RemoveAnswer : uint8_t {
  kRemoved,        // at once; or purged, or returned
  kOrdered,        // OnRemoval follows when the ticket is back, or the notice stored
  kOrderedBefore,  // it follows for who has asked before, or is not done
};

class Home : public HomeMail, private NoticeOwner, private ShelfOwner {
 public:
  explicit Home(const HomeContext& context);
  Home(const Home&) = delete;
  Home& operator=(const Home&) = delete;
  // REQUIRES: idle().
  ~Home() override;

  // A message has been committed; its tickets leave. `meta` is read during the call. `routed_by`
  // routed it; null: an earlier run or a router that is no more.
  void OnAccepted(Store* store, Message* message, const MetaView& meta, const Router* routed_by);
  // A live message that recovery has found, with its newest state.
  void OnRecovered(Store* store, Message* message, const MetaView& meta, const StateView& state);

  // HomeMail
  void OnReturn(Ticket* ticket) override;
  void OnFetch(Ticket* ticket, uint32_t part, const Extent* extent) override;
  void OnRelease(Ticket* ticket, const Window& window) override;
  void OnProgress(Ticket* ticket, uint64_t delivered) override;
  void OnStarted(Ticket* ticket) override;
  void OnLane(const LaneNotice& notice) override;

  // A timer of kind kTicketAtHome.
  void OnTimer(uint64_t cookie);
  // Once a turn, before Store::Tick.
  void Tick();
  int64_t NextDeadline() const;

  // From now on no ticket is offered; what comes back stays. Timers are dropped.
  void Close();
  // No ticket is out, no notice or state on its way to the disk.
  // `abandon_states`: states that the disk does not take are given up; the store's Close ends them.
  bool idle(bool abandon_states = false) const;

  // --- The operator's commands (home_commands.cc) ---
  // What waits here goes now; what waits at its destination is there already. The ticket may end
  // (its deadline may have passed). False: there was nothing to hurry.
  bool Retry(HomeTicket* ticket);
  // All shards look again at the destination with this key, whatever its site has done to us.
  // `ask_again`: and ask the DNS, whatever it has said.
  void Lift(const std::string& key, uint64_t hash, bool ask_again);
  // The recipients in `mask` come to this end, now or when the ticket is back (home_purge.cc).
  // `meta`: the message's, if at hand. REQUIRES: `mask` is not empty and within the ticket's
  // pending_mask().
  RemoveAnswer Order(FinalOrder order, HomeTicket* ticket, uint64_t mask, RemovalOwner* owner,
                     const std::shared_ptr<const OrderDetails>& details, const MetaView* meta);
  // Of the recipients in `mask`, those that are purged go on as before. The ticket may end. Returns
  // how many that were.
  int Undo(HomeTicket* ticket, uint64_t mask, const OrderDetails& details, const MetaView* meta);
  // The recipients in `mask` stay in the queue until they are released (home_holds.cc); those that
  // are being sent, if that attempt leaves them. False: too late. REQUIRES: as Order.
  bool Hold(HomeTicket* ticket, uint64_t mask);
  // Of the recipients in `mask`, those that are held go their way, by the routes of today; their
  // periods begin anew. Those that are to be held when they come back are not. The ticket may end.
  // Returns how many that were.
  int Release(HomeTicket* ticket, uint64_t mask);
  // The owner goes: what it has ordered is done all the same.
  void ForgetRemovals(RemovalOwner* owner);

  // --- `clear` and `reroute` (home_redirect.cc) ---
  Redirector* redirector() { return &redirector_; }
  // Routes the ticket as the order says, and it goes its way; it may end. `body`: the beginning, if
  // NeedsBody(). `owner` may be null. REQUIRES: it is at home, and in nobody's hands.
  void RouteAs(HomeTicket* ticket, const MetaView& meta, std::string_view body,
               const RouteOrder& order, RedirectOwner* owner);
  // That would change nothing.
  bool IsRoutedAs(const HomeTicket& ticket, uint64_t mask, const MetaView& meta,
                  const RouteOrder& order);
  // OnDestination, if mail goes there.
  void TellDestination(std::string_view key, RedirectOwner* owner);
  // Of a ticket at home, with the same history; its timer is off.
  HomeTicket* TakeApart(HomeTicket* ticket, uint64_t mask);
  // The Redirector's: recalls what is out. What it had is home's again; false: that was removed. It
  // goes on as it was. Its recipients are replaced by a message that is committed: `gone`, and with
  // that the whole old one is. The new one.
  void CallBack(HomeTicket* ticket);
  bool TakeBack(HomeTicket* ticket);
  void GoOn(HomeTicket* ticket) { OfferOrWait(ticket); }
  void EndReplaced(HomeTicket* ticket, bool gone, const MetaView& meta, uint64_t new_id);
  void EndedReplaced(uint64_t id);
  void TakeNew(Store* store, Message* message, const MetaView& meta, std::span<const char> state,
               uint64_t instead_of);
  // All that is queued of the message, if it is still there.
  void HoldAll(Store* store, uint64_t id);
  void ReportTooLarge(uint64_t id);
  const Router& router() const;
  // Who does something to very much mail should wait for the event log.
  bool log_crowded() const;
  // The present changes of states, for StatesWritten: whether they are on the disk.
  uint64_t StatesMark() { return states_.Milestone(); }
  bool StatesWritten(uint64_t mark) { return states_.Written(mark); }
  // Recipients that are purged, and the first steady time at which some of them are final (to the
  // second; kNever: there are none).
  uint64_t purged() const;
  int64_t purged_until_ns() const;

  // --- Messages on shelves (queue/shelf.h), for who goes through the queue ---
  // What the ticket of the message would be, in `ticket`. REQUIRES: message->shelved().
  void Show(Message* message, HomeTicket* ticket) const;
  // Gives the message its ticket, at home, for something to be done with it; Settle follows.
  // REQUIRES: message->shelved().
  HomeTicket* TakeOffShelf(Message* message);
  // Whatever became of the message: a ticket that is left at home without a time goes its way.
  void Settle(Store* store, uint64_t id);

  // --- After a reload (home_routes.cc) ---
  // The ticket gets another destination if its route is gone, now or when it is back. It may end.
  void MaybeReroute(HomeTicket* ticket, const MetaView& meta);
  // The tickets of the message that wait for a new route get it; null: it cannot be read. `body`:
  // its beginning; null: not at hand.
  void RouteAgain(Message* message, const MetaView* meta, const std::string_view* body);
  // Somebody has to read more than the meta to find a route.
  bool NeedsBody() const;
  // Close was called.
  bool closing() const { return closing_; }
  // An operator's command or a reload cannot do what it should with the message.
  void ReportUnreadable(uint64_t id, const core::Status& why);
  // Tickets that are to come back for that.
  uint32_t rerouting() const { return rerouting_; }

  // Its tickets for the destination with this key.
  uint32_t TicketsFor(std::string_view key);

  // Of them, those on shelves are none that anybody could meet, but count as what they were.
  uint32_t tickets() const { return tickets_.in_use() + shelves_.messages(); }
  uint32_t shelved() const { return shelves_.messages(); }
  uint32_t tickets_out() const { return out_; }
  const Directory& directory() const { return directory_; }
  void SetRouter(const Router* router);
  void SetReturnFullMax(uint64_t bytes) { notifier_.SetReturnFullMax(bytes); }

 private:
  struct FetchRequest;
  struct Removal {
    FinalOrder order = FinalOrder::kRemove;
    bool returned = false;  // the notice to the sender is being stored
    uint64_t mask = 0;
    uint64_t owned = 0;  // of it, what the owner has asked for
    RemovalOwner* owner = nullptr;
    std::shared_ptr<const OrderDetails> details = nullptr;
  };

  // Makes the tickets of one group part and chains them to the message.
  HomeTicket* MakeTicket(Store* store, Message* message, const MetaView& meta,
                         const GroupView& group, uint16_t group_index, uint16_t first,
                         uint64_t mask);
  // Splits `mask` off into a ticket of its own, at home, with the same history.
  HomeTicket* Split(HomeTicket* ticket, uint64_t mask);
  // The tickets of a message that has a state.
  void TakeUp(Store* store, Message* message, const MetaView& meta, const StateView& state);
  void FreeTicket(HomeTicket* ticket);
  // Unchains and frees; finishes the message when it was the last one.
  void EndTicket(HomeTicket* ticket);
  void OfferOrWait(HomeTicket* ticket);
  // To the destination's owner, or onto a shelf; who is there is no ticket any more.
  void Offer(HomeTicket* ticket, bool lease);
  void OfferNow(HomeTicket* ticket, bool lease);
  // Tickets of the destination are back: as many as may be out now leave the shelf.
  void OfferShelved(DirectoryEntry* entry);
  // What an attempt says of how many may be out.
  static void SetWindow(DirectoryEntry* entry, const TicketResult& result);
  void WaitAtHome(HomeTicket* ticket);
  int64_t DeadlineOf(const HomeTicket& ticket) const;
  // Notification or expiry is due: true when the ticket has gone into a notice.
  bool HandleDeadline(HomeTicket* ticket);

  // The ticket may end in it.
  void HandleReturn(HomeTicket* ticket, TicketResult* result);
  void HandleAttempt(HomeTicket* ticket, const TicketResult& result);
  void CountDelivered(HomeTicket* ticket, uint64_t mask);
  void HandleDelivered(HomeTicket* ticket, uint64_t mask, const TicketResult& result);
  void HandleDeferred(HomeTicket* ticket, uint64_t mask, const RecipientResult& outcome,
                      const TicketResult& result);
  void HandleBounced(HomeTicket* ticket, uint64_t mask, const RecipientResult& outcome,
                     const TicketResult& result);
  void SetReply(HomeTicket* ticket, const RecipientResult& result, const std::string& mailhost);
  // The recipients of a ticket are final without any word to the sender.
  void FinishSilently(HomeTicket* ticket);

  void CancelTimer(HomeTicket* ticket);
  // A route of this name leads mail from this sender to the destination today.
  bool StillRoutes(DirectoryEntry* entry, std::string_view route, std::string_view sender) const;
  bool HasRoute(const HomeTicket& ticket, const MetaView& meta) const;
  void RouteTicket(HomeTicket* ticket, const MetaView& meta, const std::string_view* body);
  // home_redirect.cc
  const Routing* RoutingOf(const HomeTicket& ticket, const MetaView& meta,
                           const RouteChoice& choice, bool pinned);
  void SetRouting(HomeTicket* ticket, std::string_view key, const Routing* routing,
                  const PeriodSet* periods);
  void RoutePart(HomeTicket* part, const MetaView& meta, const RouteChoice& choice, bool was_held,
                 const RouteOrder& order, RedirectOwner* owner);
  // home_holds.cc: the tickets of a new message that go nowhere.
  void SetApart(Message* message);
  // False: the ticket is held, or has come to its end.
  bool GoesOn(HomeTicket* ticket);
  void WaitHeld(HomeTicket* ticket);
  void FinishDiscarded(HomeTicket* ticket);
  void Refuse(HomeTicket* ticket);
  // home_purge.cc
  bool CarryOut(HomeTicket* ticket, Removal removal, const NameSource& names);
  void FinishRemoved(HomeTicket* ticket, const OrderDetails* details, const NameSource& names);
  bool ReturnToSender(HomeTicket* ticket, Removal removal, const NameSource& names);
  // An ordered ticket is back, `delivered` of its recipients are: carries it out for the others
  // that are meant. False: these were all.
  bool SettleRemoval(HomeTicket* ticket, TicketResult* result);
  void NoteAttempt(HomeTicket* ticket, const TicketResult& result);
  const OrderDetails* DetailsOf(HomeTicket* ticket) const;
  void EndOrder(HomeTicket* ticket);
  void CountPurged(const HomeTicket& ticket, int count);
  int64_t FinalTime(int64_t final_ns);
  void BeginPurge(HomeTicket* ticket, const OrderDetails& details, const NameSource& names);
  void WaitPurged(HomeTicket* ticket);
  void RecoverPurge(HomeTicket* ticket, const StatePart& part);

  // home_delivered.cc: of the delivered ones in `mask`, those whose sender is to hear of it go into
  // a notice. Returns them; the ticket itself may be one.
  uint64_t Confirm(HomeTicket* ticket, uint64_t mask, const TicketResult& result);
  void TellDelivered(HomeTicket* ticket);
  void FinishDelivered(HomeTicket* ticket, bool gone);

  // ShelfOwner
  void OnShelfDeadline(Message* message) override;

  // NoticeOwner
  void OnNoticeCommitted(HomeTicket* ticket, DsnAction action, bool gone, bool told,
                         const MetaView* meta) override;
  void OnNoticeEndedMessage(uint64_t id) override;
  void OnNoticeMessage(Store* store, Message* message, const MetaView& meta,
                       uint64_t about) override;

  void OnFetched(FetchRequest* request, const core::Status& status, Window window);
  FetchRequest* NewFetchRequest();

  HomeContext context_;
  Directory directory_;
  PeriodTable periods_;
  RoutingTable routings_{&periods_};
  ReplyTable replies_;
  Shelves shelves_;
  core::Slab<HomeTicket> tickets_;
  StateWriter states_;
  Notifier notifier_;
  Rerouter rerouter_;
  Redirector redirector_;
  HeaderFields header_;  // scratch: of a message that is routed again
  uint32_t rerouting_ = 0;                              // tickets
  std::vector<HomeTicket*> recovered_;                  // scratch: of one message
  absl::flat_hash_map<HomeTicket*, Removal> removals_;  // of the tickets that are `ordered`
  int64_t last_final_ns_ = 0;                // of what was purged last
  std::map<int64_t, int64_t> purged_until_;  // recipients by the second in which they are final
  std::vector<std::unique_ptr<FetchRequest>> fetch_pool_;
  std::vector<FetchRequest*> fetch_free_;
  uint32_t fetches_ = 0;  // in flight
  uint32_t out_ = 0;      // tickets that are out
  uint64_t routers_ = 0;  // routers that there have been
  bool closing_ = false;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_HOME_H_
