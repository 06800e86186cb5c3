#include "queue/queue_walk.h"

#include <optional>
#include <utility>

#include "core/check.h"

namespace outbox::queue {
namespace {

// Slots looked at and messages visited in one turn: some tens of microseconds.
constexpr uint32_t kSlotsPerTurn = 256;
constexpr int kMessagesPerTurn = 32;

}  // namespace

QueueWalk::QueueWalk(std::vector<Store*> stores, QueueWalker* walker, uint64_t id)
    : stores_(std::move(stores)), walker_(walker), id_(id) {
  fetch_.Bind<&QueueWalk::OnFetched>(this);
}

QueueWalk::~QueueWalk() { CHECK(done_ && !fetch_.in_flight); }

void QueueWalk::Tick() {
  if (!wants_turn()) return;
  if (stopping_) {
    done_ = true;
    return;
  }
  if (next_in_page_ == page_.size() && !NextPage()) {
    done_ = true;
    return;
  }
  for (int visited = 0; visited < kMessagesPerTurn; ++visited) {
    if (next_in_page_ == page_.size() || walker_->full() || !VisitNext()) return;
  }
}

bool QueueWalk::NextPage() {
  page_.clear();
  next_in_page_ = 0;
  if (store_ == stores_.size()) return false;
  page_store_ = stores_[store_];
  if (id_ != 0) {
    ++store_;
    page_.push_back(id_);
    return true;
  }
  const bool more = page_store_->ForEach(&cursor_, kSlotsPerTurn, [this](Message* message) {
    if (message->home != nullptr && walker_->Look(*message) != QueueWalker::Interest::kNone) {
      page_.push_back(message->id);
    }
  });
  if (!more) {
    ++store_;
    cursor_ = 0;
  }
  return true;
}

bool QueueWalk::VisitNext() {
  const uint64_t id = page_[next_in_page_++];
  Message* message = page_store_->Find(id);
  if (message == nullptr || message->home == nullptr) return true;  // finished meanwhile
  const QueueWalker::Interest interest = walker_->Look(*message);
  if (interest == QueueWalker::Interest::kNone) return true;
  if (interest == QueueWalker::Interest::kTickets) {
    walker_->Visit(message, nullptr);
    return true;
  }
  if (const Window window = page_store_->Lease(message)) {
    Read(message, window);
    page_store_->Return(window);
    return true;
  }
  fetching_ = id;
  fetch_.message = message;
  fetch_.part = 0;
  page_store_->Fetch(&fetch_);
  return false;
}

void QueueWalk::OnFetched(const core::Status& status, Window window) {
  Message* message = page_store_->Find(fetching_);
  if (status.ok() && message != nullptr && message->home != nullptr) Read(message, window);
  if (window) page_store_->Return(window);
}

void QueueWalk::Read(Message* message, const Window& window) {
  const std::optional<MetaView> meta = MetaView::Parse(window.bytes());
  if (meta.has_value()) walker_->Visit(message, &*meta);  // else damaged: the store has said so
}

}  // namespace outbox::queue
