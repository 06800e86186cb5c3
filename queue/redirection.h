// Redirection: one message that is being routed again by an order (queue/redirector.h), with all
// that its record needs until it is on the disk. Only for those who carry it out.
#ifndef OUTBOX_QUEUE_REDIRECTION_H_
#define OUTBOX_QUEUE_REDIRECTION_H_

#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <string>

#include "core/intrusive_list.h"
#include "core/timer.h"
#include "queue/message_meta.h"
#include "queue/message_state.h"
#include "queue/redirector.h"
#include "queue/store.h"

namespace outbox::queue {

struct Redirector::Redirection {
  enum class Step : uint8_t { kWaiting, kFetching, kCommitting, kPausing };

  Redirector* redirector = nullptr;
  Store* store = nullptr;
  Message* message = nullptr;  // from its start on, while it has tickets
  uint64_t id = 0;             // the message's
  std::shared_ptr<const RouteOrder> order;
  RedirectOwner* owner = nullptr;  // null: nobody wants to know any more
  Step step = Step::kWaiting;
  bool complete = false;      // no more tickets are added
  bool ends_message = false;  // nothing is left of it but what is here
  bool held = false;          // by an operator: the new message is as well
  uint32_t out = 0;           // tickets that are not at home yet
  int reads = 0;              // that failed
  uint64_t new_id = 0;        // the same in every try, so that no two records could both count
  uint64_t replaced = 0;      // recipients
  RedirectCounts counts;
  core::IntrusiveList<HomeTicket, &HomeTicket::notice_link> tickets;  // at home
  std::string record;  // the meta, when the window has a part of the body
  Window window;
  FetchOp fetch;
  CommitOp commit;
  CommitOp::State state;
  CommitOp::NewMessage fresh;
  Message* done = nullptr;
  StateBuilder old_state;
  StateBuilder new_state;
  MetaBuilder meta;
  iovec body_part = {};
  core::Timer timer;

  void OnFetched(const core::Status& status, Window fetched) {
    redirector->OnFetched(this, status, fetched);
  }
  void OnCommitted(const core::Status& status) { redirector->OnCommitted(this, status); }
  void OnTimer() {
    step = Step::kWaiting;
    redirector->MaybeReady(this);
  }
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_REDIRECTION_H_
