#include "queue/queue_counter.h"

#include <algorithm>
#include <utility>

#include "core/limits.h"
#include "core/time.h"
#include "queue/destination_key.h"
#include "queue/directory.h"
#include "queue/home.h"
#include "queue/ticket_view.h"

namespace outbox::queue {

size_t QueueAgeBucket(int64_t age_ns) {
  const int64_t minutes = age_ns / core::kNsPerMinute;
  size_t bucket = 0;
  while (bucket < kQueueAgeMinutes.size() && minutes >= int64_t{kQueueAgeMinutes[bucket]}) ++bucket;
  return bucket;
}

std::string QueueAgeName(size_t bucket) {
  if (bucket == kQueueAgeMinutes.size()) return std::to_string(kQueueAgeMinutes.back()) + "m+";
  const uint32_t from = bucket == 0 ? 0 : kQueueAgeMinutes[bucket - 1];
  return std::to_string(from) + "-" + std::to_string(kQueueAgeMinutes[bucket]) + "m";
}

void QueueGroup::Add(uint64_t more, uint64_t size, int64_t age_ns) {
  recipients += more;
  bytes += more * size;
  oldest_ns = std::max(oldest_ns, age_ns);
  ages[QueueAgeBucket(age_ns)] += more;
}

QueueGroup& QueueGroup::operator+=(const QueueGroup& other) {
  recipients += other.recipients;
  bytes += other.bytes;
  oldest_ns = std::max(oldest_ns, other.oldest_ns);
  for (size_t i = 0; i < kQueueAges; ++i) ages[i] += other.ages[i];
  return *this;
}

QueueCounter::QueueCounter(io::Io* io, Home* home, std::vector<Store*> stores, QueueFilter filter,
                           std::optional<QueueColumn> by, QueueCensusSink* sink)
    : io_(io),
      home_(home),
      stores_(stores),
      filter_(std::move(filter)),
      by_(by),
      sink_(sink),
      walk_(io, home, std::move(stores), this, filter_.id) {
  by_name_.reserve(core::kQueueGroupsMax);  // no turn is to move them all
}

void QueueCounter::Tick() {
  if (walk_.done()) return;
  if (sink_->gone()) Stop();
  walk_.Tick();
  if (!walk_.done()) return;
  NoteUnseen(*io_, *home_, stores_, filter_, &census_.gaps);
  sink_->OnCensus(std::move(census_));
}

QueueWalker::Interest QueueCounter::Look(const Message& message) {
  return LookFor(message, filter_, by_.has_value() ? ColumnBit(*by_) : QueueColumns{0},
                 io_->now_ns());
}

void QueueCounter::Visit(Message* message, const MetaView* meta, const WalkPart& part) {
  ForEachMatch(*message, meta, part, filter_, io_->now_ns(),
               [this](const QueueItem& item) { Count(item); });
}

void QueueCounter::Count(const QueueItem& item) {
  ++census_.gaps.found;
  const int64_t age_ns = std::max<int64_t>(0, io_->now_ns() - item.ticket->accepted_ns);
  GroupOf(item, age_ns)->Add(1, item.ticket->size_bytes, age_ns);
}

QueueGroup* QueueCounter::GroupOf(const QueueItem& item, int64_t age_ns) {
  uint32_t rank = 0;
  if (!by_.has_value()) {
    key_.text.clear();
  } else if (*by_ == QueueColumn::kAge) {
    rank = static_cast<uint32_t>(QueueAgeBucket(age_ns));
    key_.text = QueueAgeName(rank);
  } else if (*by_ == QueueColumn::kReply) {  // as it was said
    key_.text = item.ticket->reply == nullptr ? std::string() : ReplyText(*item.ticket->reply);
  } else if (*by_ == QueueColumn::kSource) {
    key_.text = SourceOf(item.ticket->destination->key);
  } else if (*by_ == QueueColumn::kRoute) {
    key_.text = item.recipient == nullptr ? std::string()
                                          : std::string(RouteName(*item.ticket, *item.recipient));
  } else {
    MakeSortKey(item, *by_, *io_, filter_.live, &key_);
    rank = static_cast<uint32_t>(key_.number);
    if (*by_ == QueueColumn::kState) {
      key_.text = RecipientStateName(static_cast<RecipientState>(rank));
    } else if (*by_ == QueueColumn::kTries) {
      key_.text = std::to_string(rank);
    }
  }
  if (key_.text.size() > core::kQueueGroupNameBytes) key_.text.resize(core::kQueueGroupNameBytes);
  const auto found = by_name_.find(key_.text);
  if (found != by_name_.end()) return found->second;
  if (census_.groups.size() == core::kQueueGroupsMax) return &census_.others;
  QueueGroup* const fresh = &census_.groups.emplace_back();
  fresh->name = key_.text;
  fresh->rank = rank;
  by_name_.emplace(fresh->name, fresh);
  return fresh;
}

void QueueCounter::OnUnreadable(Message* message, uint32_t from, const core::Status& why) {
  home_->ReportUnreadable(message->id, why);
  census_.gaps.unreadable += filter_.MayMatchFrom(*message, from, io_->now_ns());
}

}  // namespace outbox::queue
