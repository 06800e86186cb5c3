#include "tools/queue_answer.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/time.h"
#include "tools/queue_json.h"

namespace outbox::tools {
namespace {

// Lines that are written together.
constexpr size_t kLinesAtOnce = 64;

}  // namespace

QueueAnswer::QueueAnswer(ControlServer* server, std::shared_ptr<ReplyStream> reply, uint32_t shards,
                         const queue::QueueQuery& query, std::function<void()> wake)
    : server_(server),
      reply_(std::move(reply)),
      query_(query),
      wake_(std::move(wake)),
      shards_left_(shards) {}

void QueueAnswer::HoldUntilDone() {
  self_ = shared_from_this();
  reply_->WhenGone([weak = weak_from_this()] {
    if (const std::shared_ptr<QueueAnswer> self = weak.lock()) self->OnGone();
  });
}

void QueueAnswer::OnGone() {
  gone_.store(true, std::memory_order_relaxed);
  lines_.clear();
  sorted_.clear();
  waiting_.store(0, std::memory_order_relaxed);
  if (wake_ && held_.exchange(false)) wake_();
}

bool QueueAnswer::full() const {
  if (gone() || waiting_.load(std::memory_order_relaxed) < kLinesMax) return false;
  held_.store(true);
  // The last of them may have been written before it could be seen that somebody waits.
  return waiting_.load() >= kLinesMax / 2;
}

bool QueueAnswer::Lines(std::vector<queue::QueueLine> lines) {
  if (gone()) return false;
  waiting_.fetch_add(lines.size(), std::memory_order_relaxed);
  server_->Post([self = shared_from_this(), chunk = std::move(lines)]() mutable {
    if (!self->gone()) self->Take(std::move(chunk));
  });
  return true;
}

void QueueAnswer::Take(std::vector<queue::QueueLine> lines) {
  if (!query_.sort.has_value()) {
    std::move(lines.begin(), lines.end(), std::back_inserter(lines_));
    return Pump();
  }
  waiting_.fetch_sub(lines.size(), std::memory_order_relaxed);
  std::move(lines.begin(), lines.end(), std::back_inserter(sorted_));
  if (sorted_.size() >= 2 * size_t{query_.limit}) Cut(/*end=*/false);
}

void QueueAnswer::Cut(bool end) {
  const auto before = [this](const queue::QueueLine& a, const queue::QueueLine& b) {
    return a.key.Before(b.key, query_.descending);
  };
  if (sorted_.size() > query_.limit) {
    const auto last = sorted_.begin() + static_cast<ptrdiff_t>(query_.limit);
    std::nth_element(sorted_.begin(), last, sorted_.end(), before);
    sorted_.erase(last, sorted_.end());
  }
  if (end) std::sort(sorted_.begin(), sorted_.end(), before);
}

void QueueAnswer::Pump() {
  if (paused_ || gone()) return;
  while (!lines_.empty()) {
    if (reply_->full()) {
      paused_ = true;
      reply_->WhenReady([self = shared_from_this()] {
        self->paused_ = false;
        self->Pump();
      });
      return;
    }
    text_.clear();
    size_t written = 0;
    for (; written < kLinesAtOnce && !lines_.empty(); ++written) {
      if (query_.limit == 0 || shown_ < query_.limit) {
        AppendQueueLine(lines_.front(), query_.columns, &text_);
        ++shown_;
      }
      lines_.pop_front();
    }
    const size_t left = waiting_.fetch_sub(written) - written;
    if (!reply_->SendText(text_)) return OnGone();
    if (left < kLinesMax / 2 && wake_ && held_.exchange(false)) wake_();
  }
  if (shards_left_ == 0) Finish();
}

void QueueAnswer::Finish() {
  if (refused_) {
    reply_->Fail("too many commands at once; the list is not complete");
    return;
  }
  reply_->Finish({{"end", true},
                  {"shown", shown_},
                  {"found", std::max(gaps_.found, shown_)},
                  {"cut", query_.limit > 0 && gaps_.found > shown_},
                  {"unreadable", gaps_.unreadable},
                  {"recovering", gaps_.recovering},
                  {"purged", gaps_.purged},
                  {"purged_until", gaps_.purged_until_wall_ns / core::kNsPerSecond}});
}

void QueueAnswer::Done(const queue::ListGaps& gaps) {
  server_->Post([self = shared_from_this(), gaps] { self->EndOne(gaps); });
}

void QueueAnswer::Refuse() {
  server_->Post([self = shared_from_this()] {
    self->refused_ = true;
    self->EndOne({});
  });
}

void QueueAnswer::EndOne(const queue::ListGaps& gaps) {
  gaps_ += gaps;
  if (--shards_left_ > 0) return;
  const std::shared_ptr<QueueAnswer> self = std::move(self_);
  if (query_.sort.has_value() && !gone()) {
    Cut(/*end=*/true);
    waiting_.fetch_add(sorted_.size(), std::memory_order_relaxed);
    std::move(sorted_.begin(), sorted_.end(), std::back_inserter(lines_));
    sorted_.clear();
  }
  Pump();
}

}  // namespace outbox::tools
