// The disk's side of the writer: a batch is written, applied or failed.
#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/limits.h"
#include "core/time.h"
#include "queue/spool/coding.h"
#include "queue/spool/log.h"
#include "queue/spool/writer.h"

namespace outbox::queue {

// Where some messages came together last time, more are on their way: waiting for them for no
// longer than that write took spares some of the writes that would follow. One that comes alone
// finds that the last one did, too, and does not wait.
bool Writer::WaitsForMore(int64_t now_ns) {
  const bool wait = last_mails_ > 1 && gather_->mails < core::kGatherMails &&
                    !gather_->full && !hurry_;
  if (wait && gather_until_ns_ == 0) {
    gather_until_ns_ = now_ns + std::min(last_write_ns_, core::kGatherNsMax);
  }
  if (wait && now_ns < gather_until_ns_) return true;
  gather_until_ns_ = 0;
  return false;
}

void Writer::StartWrite() {
  CHECK(!in_flight_ && gather_->open && gather_->segment == active_);
  std::swap(gather_, flight_);
  Batch& batch = *flight_;
  BatchHeader header;
  header.use = batch.segment->use;
  header.log_id = log_->options.log_id;
  header.offset = batch.offset;
  header.bytes = batch.bytes;
  header.record_count = batch.records;
  header.durable_generation = durable_generation_;
  header.durable_offset = durable_offset_;
  header.next_id = log_->next_id();
  EncodeBatchHeader(header, batch.at);
  const uint32_t padded = Align(batch.bytes, kBlock);
  std::memset(batch.at + batch.bytes, 0, padded - batch.bytes);
  batch.arena->filled += padded;
  next_offset_ = batch.offset + padded;
  active_->data_end = next_offset_;
  ++batch.segment->pins;
  in_flight_ = true;
  // What was lazy and staged goes with this one; what still waits starts its delay anew.
  const bool waiting = !commits_.empty() || !dones_.empty() || !ghosts_.empty();
  lazy_since_ns_ = waiting ? log_->io->now_ns() : 0;
  part_ = {batch.at, padded};
  write_began_ns_ = log_->io->now_ns();
  last_mails_ = batch.mails;
  log_->io->Write(&op_, batch.segment->file, {&part_, 1}, batch.offset);
}

void Writer::OnWritten(const io::OpResult& result) {
  CHECK(in_flight_);
  Batch& batch = *flight_;
  --batch.segment->pins;
  last_write_ns_ = log_->io->now_ns() - write_began_ns_;
  // Segments may have waited for the ghosts.
  if (batch.segment->dead() || !batch.ghosts.empty()) log_->segments.set_may_be_dead(true);
  if (result.result == static_cast<int32_t>(part_.iov_len)) {
    errors_in_row_ = 0;
    log_->last_error = core::Status();
    durable_generation_ = batch.segment->use.generation;
    durable_offset_ = batch.offset + static_cast<uint32_t>(part_.iov_len);
    batch.segment->durable_end = durable_offset_;
    ++log_->stats.commits;
    if (log_->options.commit_time != nullptr) {
      log_->options.commit_time->Add(last_write_ns_);
    }
    log_->stats.records += batch.records;
    log_->stats.bytes_written += part_.iov_len;
    if (to_seal_ != nullptr && to_seal_ == batch.segment) {
      to_seal_ = nullptr;
      log_->pool.Seal(batch.segment, &seal_index_);
    }
    Apply();
  } else {
    Fail(result.result < 0 ? result.result : -EIO);
  }
}

void Writer::CloseBatch(Batch* batch) {
  CHECK(batch->appends.empty() && batch->commits.empty());
  if (batch->open) --batch->arena->users;
  batch->open = batch->urgent = batch->full = false;
  batch->arena = nullptr;
  batch->segment = nullptr;
  ghosts_staged_ -= static_cast<uint32_t>(batch->ghosts.size());
  batch->dones.clear();
  batch->ghosts.clear();
  batch->guards.clear();
  batch->moves.clear();
}

// Callbacks may start new operations: these only queue until the next Tick. A Batch is not touched
// by them.
void Writer::Apply() {
  Batch& batch = *flight_;
  const uint32_t segment = batch.segment->number;
  for (const Guarded& guarded : batch.guards) {
    log_->segments.AddGuard(guarded.segment, guarded.generation, segment);
  }
  for (const GhostEntry& ghost : batch.ghosts) log_->DropExtents(ghost.id);
  for (const Move& move : batch.moves) ApplyMove(move);
  moves_waiting_ -= static_cast<uint32_t>(batch.moves.size());
  for (Message* message : batch.dones) {
    --message->staged;
    log_->Drop(message);
  }
  in_flight_ = false;
  while (CommitOp* op = batch.commits.PopFront()) ApplyCommit(op, segment);
  while (AppendOp* op = batch.appends.PopFront()) {
    Message* message = ApplyNew(
        op->meta,
        {segment, static_cast<uint32_t>(op->scratch[0]), static_cast<uint32_t>(op->scratch[2])},
        /*shares_body=*/false);
    if (op->stream != nullptr) log_->streams.Claimed(op->stream);
    op->in_flight = false;
    op->done(op, core::Status(), message);
  }
  CloseBatch(&batch);
}

void Writer::ApplyCommit(CommitOp* op, uint32_t segment) {
  uint32_t offset = static_cast<uint32_t>(op->scratch[0]);
  const auto next = [&](size_t data) {
    const RecordPlace place = {segment, offset, kEntryHeaderBytes + static_cast<uint32_t>(data)};
    offset += Align8(place.length());
    return place;
  };
  for (CommitOp::NewMessage& fresh : op->messages) {
    size_t data = fresh.meta.size();
    for (const iovec& part : fresh.body) data += part.iov_len;
    fresh.message = ApplyNew(fresh.meta, next(data), fresh.body_of != nullptr);
  }
  for (CommitOp::NewMessage& fresh : op->messages) {
    if (!fresh.state.empty()) ApplyState(fresh.message, next(fresh.state.size()));
  }
  for (const CommitOp::State& state : op->states) {
    --state.message->staged;
    ApplyState(state.message, next(state.state.size()));
  }
  for (Message* message : op->done) --message->staged;
  Release(op);
  op->in_flight = false;
  // The span is the owner's and may go with the callback: what is to be freed is freed before,
  // since home has forgotten the messages already.
  for (Message* message : op->done) log_->Drop(message);
  op->callback(op, core::Status());
}

Message* Writer::ApplyNew(std::span<const char> meta, const RecordPlace& place, bool shares_body) {
  const auto view = MetaView::Parse(meta);
  CHECK(view.has_value());
  Message* message = log_->messages.Add(view->id());
  CHECK(message != nullptr);
  message->flags = view->flags();
  message->pending = static_cast<uint16_t>(view->recipient_count());
  message->place = place;
  message->meta_units = MetaUnits(*view);
  log_->segments.AddMessage(*message);
  // Extents are counted in their segments already, by the stream that wrote them; those that it
  // shares are noted as well.
  if (view->extent_count() > 0 && !shares_body) log_->AddExtents(*view);
  return message;
}

void Writer::ApplyState(Message* message, const RecordPlace& place) {
  if (message->state.set()) {
    log_->segments.DropState(*message);
  }
  message->state = place;
  log_->segments.AddState(*message);
}

void Writer::ApplyMove(const Move& move) {
  if (move.type == EntryType::kDone) return;
  Message* message = log_->messages.Find(move.id);
  // Nothing of a message with a move in flight is written behind the move.
  CHECK(move.extents == nullptr || (message != nullptr && message->place == move.from));
  if (message == nullptr) return;
  if (IsMessage(move.type)) {
    if (!(message->place == move.from)) return;
    log_->segments.DropMessage(*message);
    message->place = move.to;
    log_->segments.AddMessage(*message);
    if (move.extents != nullptr) log_->MoveExtents(move.id, move.extents);
  } else {
    if (!(message->state == move.from)) return;
    log_->segments.DropState(*message);
    message->state = move.to;
    log_->segments.AddState(*message);
  }
  log_->stats.moved_bytes += move.to.length();
}

void Writer::Release(CommitOp* op) {
  for (const CommitOp::State& state : op->states) --state.message->queued;
  for (Message* message : op->done) --message->queued;
}

void Writer::FailAppend(AppendOp* op, const core::Status& status) {
  op->in_flight = false;
  op->done(op, status, nullptr);
}

void Writer::FailCommit(CommitOp* op, const core::Status& status) {
  Release(op);
  op->in_flight = false;
  op->callback(op, status);
}

// Puts everything of a batch that was staged back in front of what waits.
void Writer::Unstage(Batch* batch) {
  while (CommitOp* op = batch->commits.back()) {
    batch->commits.Remove(op);
    for (const CommitOp::State& state : op->states) --state.message->staged;
    for (Message* message : op->done) --message->staged;
    if (!op->lazy) ++urgent_waiting_;
    commits_.PushFront(op);
  }
  while (AppendOp* op = batch->appends.back()) {
    batch->appends.Remove(op);
    appends_.PushFront(op);
  }
  for (Message* message : batch->dones) --message->staged;
  dones_.insert(dones_.begin(), batch->dones.begin(), batch->dones.end());
  ghosts_.insert(ghosts_.end(), batch->ghosts.begin(), batch->ghosts.end());
  for (const Move& move : batch->moves) {
    if (move.extents != nullptr) log_->KeepExtents(move.id, move.extents);
  }
  moves_waiting_ -= static_cast<uint32_t>(batch->moves.size());
  if (!batch->moves.empty()) ++move_failures_;
  if (lazy_since_ns_ == 0) lazy_since_ns_ = log_->io->now_ns();
  CloseBatch(batch);
}

void Writer::Fail(int32_t result) {
  Segment* segment = flight_->segment;
  in_flight_ = false;
  log_->NoteWriteError(result);
  const core::Status status = log_->last_error;
  // Nothing is written to this segment again, and what this batch left there may be whole.
  segment->failed = true;
  log_->segments.MarkSuspect(segment);
  if (gather_->open && gather_->segment == segment) Unstage(gather_);
  if (active_ == segment) {
    if (arena_ != nullptr) --arena_->users;
    arena_ = nullptr;
    active_ = nullptr;
    index_.Clear();
    log_->pool.Seal(segment, &index_);
  } else if (to_seal_ == segment) {
    to_seal_ = nullptr;
    log_->pool.Seal(segment, &seal_index_);
  }
  constexpr uint32_t kErrorsBeforeRest = 3;
  if (++errors_in_row_ >= kErrorsBeforeRest) {
    resting_until_ns_ = log_->io->now_ns() + core::kSpoolRetryMs * core::kNsPerMs;
  }
  // Appends and commits that have had their tries fail; the rest is staged again. Callbacks come
  // last.
  AppendList failed_appends;
  CommitList failed_commits;
  while (AppendOp* op = flight_->appends.PopFront()) {
    const uint64_t id = Get<uint64_t>(op->meta.data() + 8);
    Ghost(id, segment->number, segment->use.generation);
    // Its record may be whole on the disk: its body must stay as long as it could come back.
    if (op->stream != nullptr) log_->extents[id] = log_->streams.TakeExtents(op->stream);
    failed_appends.PushBack(op);
  }
  for (CommitOp* op = flight_->commits.front(); op != nullptr;) {
    CommitOp* next = flight_->commits.Next(op);
    // A commit that makes a message is tried until it succeeds or the log closes: were it given up,
    // its record might still be whole on the disk, and say of another message that it is done.
    if (op->messages.empty() && ++op->scratch[1] >= core::kCommitTries) {
      flight_->commits.Remove(op);
      for (const CommitOp::State& state : op->states) --state.message->staged;
      for (Message* message : op->done) --message->staged;
      failed_commits.PushBack(op);
    }
    op = next;
  }
  Unstage(flight_);
  while (CommitOp* op = failed_commits.PopFront()) FailCommit(op, status);
  while (AppendOp* op = failed_appends.PopFront()) FailAppend(op, status);
}

void Writer::Abandon() {
  in_flight_ = false;
  for (Batch& batch : batches_) {
    while (batch.appends.PopFront() != nullptr) {
    }
    while (batch.commits.PopFront() != nullptr) {
    }
    CloseBatch(&batch);
  }
  while (appends_.PopFront() != nullptr) {
  }
  while (commits_.PopFront() != nullptr) {
  }
}

void Writer::FailWaiting(const core::Status& status) {
  while (AppendOp* op = appends_.PopFront()) FailAppend(op, status);
  while (CommitOp* op = commits_.PopFront()) {
    if (!op->lazy) --urgent_waiting_;
    FailCommit(op, status);
  }
  dones_.clear();
  ghosts_.clear();
  moves_waiting_ -= static_cast<uint32_t>(moves_.size());
  moves_.clear();
}

}  // namespace outbox::queue
