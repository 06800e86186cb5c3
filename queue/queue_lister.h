// QueueLister: shows the queue of one shard, a bounded piece a turn, while the mail goes on.
//
// Home lists: it knows every live message of its logs, and each pending recipient is in exactly one
// of its tickets, so a recipient that is queued throughout the listing is shown exactly once. What
// the owner of the destination is doing with a ticket that is out is read from the ticket's
// atomics. The strings are read from the hot tail or from disk, one message at a time.
//
// Made by the control plane for one request, run by its shard, gone when done. At most a few at a
// time.
#ifndef OUTBOX_QUEUE_QUEUE_LISTER_H_
#define OUTBOX_QUEUE_QUEUE_LISTER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "io/io.h"
#include "queue/home_ticket.h"
#include "queue/message_meta.h"
#include "queue/store.h"

namespace outbox::queue {

// One queued recipient.
struct QueueLine {
  uint64_t id = 0;
  std::string sender;
  std::string recipient;
  std::string domain;
  std::string mailhost;    // that it is being sent to, or that spoke last; may be empty
  std::string last_reply;  // "450 4.2.1 mailbox busy"; empty: none
  RecipientState state = RecipientState::kReady;
  uint32_t attempts = 0;
  int64_t next_attempt_wall_ns = 0;  // 0: nothing is to be waited for
  int64_t age_ns = 0;
  uint64_t size = 0;
};

// What the lines go to. Called on the shard's thread.
class QueueListSink {
 public:
  virtual ~QueueListSink() = default;
  // Some lines. False: nobody listens any more.
  virtual bool Lines(std::vector<QueueLine> lines) = 0;
  // The receiver is behind: call Tick again later.
  virtual bool full() const = 0;
  virtual void Done() = 0;
};

class QueueLister {
 public:
  // `stores` are the shard's; they and the sink outlive the lister.
  QueueLister(io::Io* io, std::vector<Store*> stores, QueueListSink* sink);
  QueueLister(const QueueLister&) = delete;
  QueueLister& operator=(const QueueLister&) = delete;
  // REQUIRES: done().
  ~QueueLister();

  // A piece of work. Once a turn; the loop must not sleep while wants_turn().
  void Tick();
  bool wants_turn() const { return !done_ && !fetch_.in_flight && (stopping_ || !sink_->full()); }
  bool done() const { return done_; }
  // Ends as soon as nothing is in flight.
  void Stop() { stopping_ = true; }

 private:
  // Takes up to a page of ids at the cursor. False when all stores are through.
  bool NextPage();
  // Lists the message at the front of the page; true if it was done at once.
  bool ListNext();
  void List(Message* message, const Window& window);
  QueueLine MakeLine(const HomeTicket& ticket, const MetaView& meta, uint32_t recipient) const;
  void OnFetched(const core::Status& status, Window window);
  void Finish();

  io::Io* const io_;
  const std::vector<Store*> stores_;
  QueueListSink* const sink_;
  size_t store_ = 0;
  uint32_t cursor_ = 0;
  Store* page_store_ = nullptr;
  std::vector<uint64_t> page_;
  size_t next_in_page_ = 0;
  uint64_t fetching_ = 0;  // id
  FetchOp fetch_;
  std::vector<QueueLine> lines_;
  bool stopping_ = false;
  bool done_ = false;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_QUEUE_LISTER_H_
