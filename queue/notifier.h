// Notifier: tells senders, and makes final what they were told, in one record.
//
// A Notice is one DSN in the making: the recipients of one message that failed, expired or are
// late. It reads the original's headers back from the store, composes the DSN (queue/bounce.h) and
// commits, as one atomic record, the DSN as a new message together with the original's new state
// (or its end). So a recipient never becomes final without its notice, and is never told twice. A
// commit that fails is tried again; the recipients stay pending meanwhile.
//
// What a sender does not want to hear (NOTIFY, RFC 3461) is left out; a notice about nobody is
// committed without a DSN. Recipients of a message that become final close together share one
// notice; a message has one notice in the making at a time. The null reverse-path gets none: home
// finishes those recipients itself. One per shard, home's.
#ifndef OUTBOX_QUEUE_NOTIFIER_H_
#define OUTBOX_QUEUE_NOTIFIER_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "core/intrusive_list.h"
#include "core/timer_wheel.h"
#include "io/io.h"
#include "queue/bounce.h"
#include "queue/header_fields.h"
#include "queue/home_ticket.h"
#include "queue/state_writer.h"
#include "queue/store.h"

namespace outbox::queue {

class Router;
class ShardLog;
class SigningLine;

// Who hears what came of a notice: home.
class NoticeOwner {
 public:
  virtual ~NoticeOwner() = default;
  // The notice about this ticket is durable. kDelayed: it is marked as notified and may go on; else
  // its recipients are final, the state is written. `gone`: the record also ended the
  // message, whose last tickets these are: the store has freed it, OnNoticeEndedMessage follows.
  // `told`: there is a DSN; else its sender wants none of this kind. `meta`: the message's; null:
  // it could not be read.
  virtual void OnNoticeCommitted(HomeTicket* ticket, DsnAction action, bool gone, bool told,
                                 const MetaView* meta) = 0;
  virtual void OnNoticeEndedMessage(uint64_t id) = 0;
  // The DSN about the message `about` is a message of ours now.
  virtual void OnNoticeMessage(Store* store, Message* message, const MetaView& meta,
                               uint64_t about) = 0;
};

class Notifier {
 public:
  Notifier(io::Io* io, core::TimerWheel* wheel, StateWriter* states, NoticeOwner* owner,
           ShardLog* log, SigningLine* signing, std::string hostname);
  Notifier(const Notifier&) = delete;
  Notifier& operator=(const Notifier&) = delete;
  // REQUIRES: idle().
  ~Notifier();

  void SetRouter(const Router* router) { router_ = router; }
  // Of a message up to this size all comes back with a failure when its sender has asked for that
  // (RET=FULL, RFC 3461 4.3).
  void SetReturnFullMax(uint64_t bytes) { return_full_max_ = bytes; }

  // Puts all recipients of `ticket` into a notice; it stays with the notifier until
  // OnNoticeCommitted. What is said of them is ticket->reply and ticket->expired. REQUIRES: the
  // ticket is at home, the reverse-path is not null.
  void Add(HomeTicket* ticket, DsnAction action);
  // Starts what waits. Once a turn.
  void Tick();
  bool idle() const { return notices_.empty(); }
  // Starts nothing from now on and gives up what is not in flight: the tickets stay pending on disk
  // and come back after a restart.
  void Close();

 private:
  struct Notice;

  void Start(Notice* notice);
  void Fetch(Notice* notice, uint32_t part);
  // True: OnFetched follows.
  bool FetchBeginning(Notice* notice);
  // Of the original; nothing if it cannot be read.
  static std::optional<MetaView> MetaOf(const Notice& notice);
  void OnFetched(Notice* notice, const core::Status& status, Window window);
  void ComposeAndSign(Notice* notice);
  // True: OnSigned follows.
  bool Sign(Notice* notice);
  // `told`: the DSN is part of it.
  void Commit(Notice* notice, bool told);
  bool Compose(Notice* notice, const MetaView& meta);
  void BuildMeta(Notice* notice, uint64_t dsn_id);
  void OnCommitted(Notice* notice, const core::Status& status);
  void Retry(Notice* notice);
  void End(Notice* notice);
  // Gives up a notice that is not active, and those behind it.
  void Drop(Notice* notice);

  io::Io* const io_;
  core::TimerWheel* const wheel_;
  StateWriter* const states_;
  NoticeOwner* const owner_;
  ShardLog* const log_;
  SigningLine* const signing_;  // null: nothing is signed
  const Router* router_ = nullptr;
  const std::string hostname_;
  uint64_t return_full_max_ = 0;
  // The notice in the making of each message; a further one waits behind it.
  absl::flat_hash_map<const Message*, Notice*> notices_;
  std::deque<Notice*> ready_;  // to be started by Tick, when there is room
  HeaderFields header_;  // scratch: of a DSN that is being routed
  uint32_t active_ = 0;  // started, at most kNoticesActiveMax
  bool closing_ = false;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_NOTIFIER_H_
