// Redirector: messages whose recipients are to be routed again by an operator's order, from the
// moment at which the order finds them to the one at which it is carried out.
//
// A *redirection* is about one message. It waits until all of its tickets are at home (what an
// attempt has come to by then counts: who is delivered keeps that), reads the message, and then
//   - when the envelope stays: routes them again (Home::RouteAs). That is a change of their state,
//     which is written like any other one.
//   - when it changes: writes *another message* in their place. Body, headers and time of
//     acceptance are those of the old one, and so is what happened to it (told, held); the envelope
//     is new, and the original one is kept in it. It is committed in one record with the new state
//     of the old message, or its end. So after a crash each recipient is either old or new. What a
//     recipient's index or group means never changes in a message, and an id never means two
//     envelopes.
// A commit that makes a message is never given up (queue/store.h), but for one that is too large
// for a record: then everything stays as it was. One per shard, home's.
#ifndef OUTBOX_QUEUE_REDIRECTOR_H_
#define OUTBOX_QUEUE_REDIRECTOR_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "core/timer_wheel.h"
#include "io/io.h"
#include "queue/header_fields.h"
#include "queue/home_ticket.h"
#include "queue/route_order.h"
#include "queue/state_writer.h"
#include "queue/store.h"

namespace outbox::queue {

class Home;

// In recipients of the old envelope; `made` in those of the new one.
struct RedirectCounts {
  uint64_t done = 0;    // are routed again
  uint64_t kept = 0;    // had come to their end before, by delivery or otherwise
  uint64_t failed = 0;  // stay as they were: the message cannot be read, or would be too large
  uint64_t made = 0;
};

// Who has given the order. Called on home's shard.
class RedirectOwner {
 public:
  virtual ~RedirectOwner() = default;
  // The end of a redirection.
  virtual void OnRedirected(const RedirectCounts& counts) = 0;
  // Mail is on its way to this destination by the order.
  virtual void OnDestination(const std::string& key, uint64_t hash) = 0;
};

class Redirector {
 public:
  struct Redirection;

  Redirector(io::Io* io, core::TimerWheel* wheel, StateWriter* states, Home* home);
  Redirector(const Redirector&) = delete;
  Redirector& operator=(const Redirector&) = delete;
  // REQUIRES: idle().
  ~Redirector();

  // Of the message with this id. Add follows, and Complete. REQUIRES: Close was not called.
  Redirection* Begin(Store* store, uint64_t id, std::shared_ptr<const RouteOrder> order,
                     RedirectOwner* owner);
  // The recipients in `mask` belong to it, now or when their ticket is at home. False: another
  // order has them. REQUIRES: `mask` is not empty and within the ticket's pending_mask().
  bool Add(Redirection* redirection, HomeTicket* ticket, uint64_t mask);
  // No more is added: it goes on by itself. No effect after Close.
  void Complete(Redirection* redirection);
  // The owner goes: what it has ordered is done all the same.
  void Forget(const RedirectOwner* owner);

  // A ticket with `diverted` is at home, those in `delivered` are final: its redirection takes the
  // others. False: that is all of the ticket.
  bool Settle(HomeTicket* ticket, TicketResult* result);
  // Such a ticket ends in another way.
  void Leave(HomeTicket* ticket);

  // Once a turn: starts what is ready.
  void Tick();
  bool wants_turn() const { return poked_; }
  // What is not on its way to the disk is given up: it stays as it was. Owners hear nothing more.
  void Close();
  bool idle() const { return all_.empty(); }

 private:
  struct Diversion {
    Redirection* redirection = nullptr;
    uint64_t mask = 0;
  };

  void Take(Redirection* redirection, HomeTicket* part);
  void MaybeReady(Redirection* redirection);
  void Start(Redirection* redirection);
  void Fetch(Redirection* redirection, uint32_t part);
  void OnFetched(Redirection* redirection, const core::Status& status, Window window);
  void OnRecord(Redirection* redirection, std::span<const char> record);
  void Act(Redirection* redirection, const MetaView& meta, std::string_view body);
  void RouteAgain(Redirection* redirection, const MetaView& meta, std::string_view body);
  void Replace(Redirection* redirection, const MetaView& meta, std::string_view body);
  void MakeMeta(Redirection* redirection, const MetaView& meta, std::string_view body,
                bool carries_original);
  static void ShareBody(Redirection* redirection, const MetaView& meta);
  void MakeState(Redirection* redirection);
  void OnCommitted(Redirection* redirection, const core::Status& status);
  void OnReplaced(Redirection* redirection);
  // The tickets go back to home as they were.
  void GiveUp(Redirection* redirection);
  void Pause(Redirection* redirection);
  void End(Redirection* redirection);
  void Drop(Redirection* redirection);

  io::Io* const io_;
  core::TimerWheel* const wheel_;
  StateWriter* const states_;
  Home* const home_;
  absl::flat_hash_map<const HomeTicket*, Diversion> diverted_;  // that are not at home yet
  absl::flat_hash_set<Redirection*> all_;  // bounded by core::kRecallsMax for each command
  std::vector<Redirection*> ready_;        // to be started by the next Tick
  std::vector<Redirection*> starting_;     // scratch
  HeaderFields header_;                    // scratch: of a message that is being routed
  uint32_t active_ = 0;                    // started
  bool poked_ = false;
  bool closing_ = false;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_REDIRECTOR_H_
