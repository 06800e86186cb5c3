#include "queue/queue_lister.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "core/check.h"
#include "queue/directory.h"

namespace outbox::queue {
namespace {

// Slots looked at and messages listed in one turn: some tens of microseconds.
constexpr uint32_t kSlotsPerTurn = 256;
constexpr int kMessagesPerTurn = 32;
// Lines that are handed over together.
constexpr size_t kLinesPerChunk = 64;

// The host at place `index` of a key "via:a,b,c"; empty when there is none.
std::string_view HostAt(std::string_view key, uint8_t index) {
  if (!key.starts_with("via:")) return {};
  key.remove_prefix(4);
  for (; index > 0; --index) {
    const size_t comma = key.find(',');
    if (comma == std::string_view::npos) return {};
    key.remove_prefix(comma + 1);
  }
  return key.substr(0, key.find(','));
}

}  // namespace

QueueLister::QueueLister(io::Io* io, std::vector<Store*> stores, QueueListSink* sink)
    : io_(io), stores_(std::move(stores)), sink_(sink) {
  fetch_.Bind<&QueueLister::OnFetched>(this);
}

QueueLister::~QueueLister() { CHECK(done_ && !fetch_.in_flight); }

void QueueLister::Tick() {
  if (!wants_turn()) return;
  for (int listed = 0; listed < kMessagesPerTurn; ++listed) {
    if (stopping_) {
      Finish();
      return;
    }
    if (next_in_page_ == page_.size() && !NextPage()) {
      Finish();
      return;
    }
    if (next_in_page_ == page_.size()) return;  // a page without a live message
    if (!ListNext()) return;
  }
}

bool QueueLister::NextPage() {
  page_.clear();
  next_in_page_ = 0;
  if (store_ == stores_.size()) return false;
  page_store_ = stores_[store_];
  const bool more = page_store_->ForEach(&cursor_, kSlotsPerTurn, [this](Message* message) {
    if (message->home != nullptr) page_.push_back(message->id);
  });
  if (!more) {
    ++store_;
    cursor_ = 0;
  }
  return true;
}

bool QueueLister::ListNext() {
  const uint64_t id = page_[next_in_page_++];
  Message* message = page_store_->Find(id);
  if (message == nullptr || message->home == nullptr) return true;  // finished meanwhile
  if (const Window window = page_store_->Lease(message)) {
    List(message, window);
    page_store_->Return(window);
    return true;
  }
  fetching_ = id;
  fetch_.message = message;
  fetch_.part = 0;
  page_store_->Fetch(&fetch_);
  return false;
}

void QueueLister::OnFetched(const core::Status& status, Window window) {
  Message* message = page_store_->Find(fetching_);
  if (status.ok() && message != nullptr && message->home != nullptr) List(message, window);
  if (window) page_store_->Return(window);
}

void QueueLister::List(Message* message, const Window& window) {
  const std::optional<MetaView> meta = MetaView::Parse(window.bytes());
  if (!meta.has_value()) return;  // damaged on disk: the store has reported it
  for (const HomeTicket* ticket = FirstTicket(message); ticket != nullptr;
       ticket = ticket->sibling) {
    for (uint64_t mask = ticket->pending_mask(); mask != 0; mask &= mask - 1) {
      const uint32_t index = ticket->first + static_cast<uint32_t>(std::countr_zero(mask));
      if (index < meta->recipient_count()) lines_.push_back(MakeLine(*ticket, *meta, index));
    }
  }
  if (lines_.size() >= kLinesPerChunk && !sink_->Lines(std::exchange(lines_, {}))) Stop();
}

QueueLine QueueLister::MakeLine(const HomeTicket& ticket, const MetaView& meta,
                                uint32_t recipient) const {
  QueueLine line;
  line.id = ticket.message_id;
  line.sender = std::string(meta.reverse_path());
  line.recipient = std::string(meta.Recipient(recipient));
  const size_t at = line.recipient.rfind('@');
  if (at != std::string::npos) line.domain = line.recipient.substr(at + 1);
  line.state = ticket.state.load(std::memory_order_relaxed);
  line.attempts = ticket.attempts;
  line.age_ns = std::max<int64_t>(0, io_->now_ns() - ticket.accepted_ns);
  line.size = meta.smtp_size();
  if (ticket.reply != nullptr) {
    const LastReply& reply = *ticket.reply;
    line.mailhost = reply.mailhost;
    if (reply.code > 0) line.last_reply = std::to_string(reply.code) + " ";
    if (!reply.enhanced.empty()) line.last_reply += reply.enhanced + " ";
    line.last_reply += reply.text;
  }
  const uint8_t host = ticket.host.load(std::memory_order_relaxed);
  if (host != Ticket::kNoHost) line.mailhost = HostAt(ticket.destination->key, host);
  // What waits at its destination with a failed attempt behind it is deferred in the operator's
  // words.
  if (line.state == RecipientState::kReady && ticket.attempts > 0) {
    line.state = ticket.notified ? RecipientState::kDelayed : RecipientState::kDeferred;
  }
  if (ticket.where == TicketPlace::kWaiting && ticket.next_attempt_ns > io_->now_ns()) {
    line.next_attempt_wall_ns = io_->wall_ns() + (ticket.next_attempt_ns - io_->now_ns());
  }
  return line;
}

void QueueLister::Finish() {
  if (!lines_.empty()) sink_->Lines(std::exchange(lines_, {}));
  done_ = true;
  sink_->Done();
}

}  // namespace outbox::queue
