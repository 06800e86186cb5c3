// Queues and staging; writer_room.cc finds the room, writer_commit.cc has the disk's side.
#include "queue/spool/writer.h"

#include <algorithm>
#include <cstring>

#include "core/crc32c.h"
#include "core/limits.h"
#include "core/time.h"
#include "queue/spool/coding.h"
#include "queue/spool/log.h"

namespace outbox::queue {
namespace {

uint32_t EntryRoom(size_t data) { return Align8(kEntryHeaderBytes + static_cast<uint32_t>(data)); }

size_t BytesOf(std::span<const iovec> parts) {
  size_t bytes = 0;
  for (const iovec& part : parts) bytes += part.iov_len;
  return bytes;
}

// Copies meta and body to where their entry's data goes; returns their size.
uint32_t Put(char* at, std::span<const char> meta, std::span<const iovec> body) {
  char* out = at;
  std::memcpy(out, meta.data(), meta.size());
  out += meta.size();
  for (const iovec& part : body) {
    if (part.iov_len > 0) std::memcpy(out, part.iov_base, part.iov_len);
    out += part.iov_len;
  }
  return static_cast<uint32_t>(out - at);
}

uint64_t IdOf(std::span<const char> meta) { return Get<uint64_t>(meta.data() + 8); }

}  // namespace

Writer::Writer(Log* log) : log_(log) {
  const StoreOptions& options = log->options;
  // The index repeats a message's meta: in the worst case a record takes its size twice.
  const uint64_t by_segment = (options.segment_bytes - kSegmentDataAt - 4 * kBlock) / 2;
  const uint64_t by_batch = options.batch_bytes_max - kBatchHeaderBytes - kRecordHeaderBytes;
  record_max_ = static_cast<uint32_t>(
      std::min<uint64_t>({core::kRecordBytesMax, by_segment, by_batch}) & ~uint64_t{7});
  op_.Bind<&Writer::OnWritten>(this);
}

Writer::~Writer() {
  CHECK(!in_flight_);
  CHECK(!gather_->open);
}

void Writer::Append(AppendOp* op) {
  CHECK(!op->in_flight);
  op->in_flight = true;
  op->scratch[1] = 0;
  appends_.PushBack(op);
}

void Writer::Commit(CommitOp* op) {
  CHECK(!op->in_flight);
  op->in_flight = true;
  op->scratch[1] = 0;
  for (const CommitOp::State& state : op->states) {
    CHECK(state.message->queued < UINT8_MAX);
    ++state.message->queued;
  }
  for (Message* message : op->done) {
    CHECK(message->queued < UINT8_MAX);
    ++message->queued;
  }
  if (op->lazy) {
    if (lazy_since_ns_ == 0) lazy_since_ns_ = log_->io->now_ns();
  } else {
    ++urgent_waiting_;
  }
  commits_.PushBack(op);
}

void Writer::Done(Message* message) {
  if (lazy_since_ns_ == 0) lazy_since_ns_ = log_->io->now_ns();
  dones_.push_back(message);
}

void Writer::Ghost(uint64_t id, uint32_t segment, uint64_t generation) {
  if (lazy_since_ns_ == 0) lazy_since_ns_ = log_->io->now_ns();
  ghosts_.push_back({id, segment, generation});
}

void Writer::AddMove(const Move& move) {
  ++moves_waiting_;
  moves_.push_back(move);
}

bool Writer::idle() const {
  return !in_flight_ && !gather_->open && appends_.empty() && commits_.empty() && dones_.empty() &&
         ghosts_.empty() && moves_.empty();
}

void Writer::Tick(int64_t now_ns) {
  if (!log_->writable) return;
  if (resting_until_ns_ != 0) {
    if (now_ns < resting_until_ns_) return;
    resting_until_ns_ = 0;
  }
  if (idle()) {
    lazy_since_ns_ = 0;
    return;
  }
  Stage();
  if (blocked_for_space_ && !log_->pool.above_reserve()) {
    // Mail does not wait behind a commit that waits for space.
    const core::Status full(core::StatusCode::kResourceExhausted, "the spool is full");
    AppendList failed;
    while (AppendOp* op = appends_.PopFront()) failed.PushBack(op);
    while (AppendOp* op = failed.PopFront()) FailAppend(op, full);
  }
  if (in_flight_ || !gather_->open) return;
  const bool due =
      lazy_since_ns_ != 0 && now_ns - lazy_since_ns_ >= core::kLazyCommitDelayMs * core::kNsPerMs;
  if (!gather_->urgent && !gather_->full && !hurry_ && !due) return;
  if (WaitsForMore(now_ns)) return;
  StartWrite();
  Stage();
}

int64_t Writer::NextDeadline() const {
  if (in_flight_ || !log_->writable) return core::kNever;
  if (resting_until_ns_ != 0) return idle() ? core::kNever : resting_until_ns_;
  if (!gather_->open) return core::kNever;
  if (gather_until_ns_ != 0) return gather_until_ns_;
  if (lazy_since_ns_ == 0) return core::kNever;
  return lazy_since_ns_ + core::kLazyCommitDelayMs * core::kNsPerMs;
}

void Writer::Stage() {
  blocked_for_space_ = false;
  if (gather_->full) return;
  // At the bound of suspects, only what frees one of them.
  if (log_->segments.suspects().size() < core::kSuspectSegmentsMax) {
    if (!StageCommits() || !StageDones() || !StageAppends()) return;
  }
  StageMoves();
}

// Each returns false when the batch is full or no segment is there: whatever comes behind waits,
// too.
bool Writer::StageCommits() {
  while (CommitOp* op = commits_.front()) {
    if (WaitsForItself(*op)) {
      if (!op->lazy && gather_->open) gather_->urgent = true;
      return true;
    }
    const Room room = StageCommit(op);
    if (room != Room::kOk) return false;
  }
  return true;
}

// An entry of one of its messages is on its way already. The two must not share a batch: of a torn
// one any records may survive, and a state without the DSN that an earlier record had would be a
// loss.
bool Writer::WaitsForItself(const CommitOp& op) const {
  for (const CommitOp::State& state : op.states) {
    if (state.message->staged > 0) return true;
  }
  for (const Message* message : op.done) {
    if (message->staged > 0) return true;
  }
  return false;
}

bool Writer::StageAppends() {
  while (AppendOp* op = appends_.front()) {
    switch (StageAppend(op)) {
      case Room::kOk:
        break;
      case Room::kLater:
        return false;
      case Room::kNoSpace:
        appends_.Remove(op);
        FailAppend(op, core::Status(core::StatusCode::kResourceExhausted, "the spool is full"));
        break;
    }
  }
  return true;
}

Writer::Room Writer::StageAppend(AppendOp* op) {
  const size_t data = op->meta.size() + BytesOf(op->body);
  const uint32_t room = EntryRoom(data);
  if (data > record_max_ || room > record_max_) {
    appends_.Remove(op);
    FailAppend(op, core::Status(core::StatusCode::kInvalidArgument,
                                "message envelope too large for one record"));
    return Room::kOk;
  }
  const Room made = MakeRoom(room, static_cast<uint32_t>(op->meta.size()), /*for_mail=*/true);
  if (made != Room::kOk) return made;
  RecordWriter record = BeginRecord();
  const uint32_t bytes = Put(EntryData(&record), op->meta, op->body);
  const RecordPlace place = AddEntry(&record, EntryType::kMessage, IdOf(op->meta), bytes,
                                     static_cast<uint32_t>(op->meta.size()));
  EndRecord(record);
  op->scratch[0] = place.offset();
  op->scratch[2] = place.length();
  appends_.Remove(op);
  gather_->appends.PushBack(op);
  ++gather_->mails;
  gather_->urgent = true;
  return Room::kOk;
}

Writer::Room Writer::StageCommit(CommitOp* op) {
  size_t total = 0;
  uint32_t index = 0;
  for (const CommitOp::NewMessage& fresh : op->messages) {
    total += EntryRoom(fresh.meta.size() + BytesOf(fresh.body));
    index += IndexBuilder::BytesFor(static_cast<uint32_t>(fresh.meta.size()));
    if (fresh.state.empty()) continue;
    total += EntryRoom(fresh.state.size());
    index += IndexBuilder::BytesFor(static_cast<uint32_t>(fresh.state.size()));
  }
  for (const CommitOp::State& state : op->states) {
    total += EntryRoom(state.state.size());
    index += IndexBuilder::BytesFor(static_cast<uint32_t>(state.state.size()));
  }
  total += op->done.size() * EntryRoom(GuardBytesMax());
  index += static_cast<uint32_t>(op->done.size()) * IndexBuilder::BytesFor(GuardBytesMax());
  if (total > record_max_) {
    commits_.Remove(op);
    if (!op->lazy) --urgent_waiting_;
    FailCommit(op, core::Status(core::StatusCode::kInvalidArgument, "commit too large"));
    return Room::kOk;
  }
  const Room made = MakeRoom(static_cast<uint32_t>(total), index, /*for_mail=*/false);
  if (made != Room::kOk) return Room::kLater;
  RecordWriter record = BeginRecord();
  op->scratch[0] = record.offset + kRecordHeaderBytes;
  for (const CommitOp::NewMessage& fresh : op->messages) StageNew(&record, fresh);
  for (const CommitOp::NewMessage& fresh : op->messages) {
    if (fresh.state.empty()) continue;
    const uint32_t bytes = Put(EntryData(&record), fresh.state, {});
    AddEntry(&record, EntryType::kState, IdOf(fresh.meta), bytes, bytes);
  }
  for (const CommitOp::State& state : op->states) {
    const uint32_t bytes = Put(EntryData(&record), state.state, {});
    AddEntry(&record, EntryType::kState, state.message->id, bytes, bytes);
    ++state.message->staged;
  }
  for (Message* message : op->done) {
    const uint32_t bytes = PutGuards(EntryData(&record), *message);
    AddEntry(&record, EntryType::kDone, message->id, bytes, bytes);
    ++message->staged;
  }
  EndRecord(record);
  commits_.Remove(op);
  if (!op->lazy) {
    --urgent_waiting_;
    gather_->urgent = true;
  }
  gather_->commits.PushBack(op);
  return Room::kOk;
}

// The extents are those of this moment: reclaim may have moved the body since the meta was made.
// From now on they live for the new message, too, whatever becomes of this record.
void Writer::StageNew(RecordWriter* record, const CommitOp::NewMessage& fresh) {
  char* at = EntryData(record);
  const uint32_t bytes = Put(at, fresh.meta, fresh.body);
  const uint64_t id = IdOf(fresh.meta);
  if (fresh.body_of != nullptr) {
    ReplaceExtents({at, fresh.meta.size()}, log_->ShareExtents(id, fresh.body_of->id));
  }
  AddEntry(record, EntryType::kMessage, id, bytes, static_cast<uint32_t>(fresh.meta.size()));
}

bool Writer::StageDones() {
  if (dones_.empty() && ghosts_.empty()) return true;
  const uint32_t each = EntryRoom(GuardBytesMax());
  const uint32_t most = std::clamp<uint32_t>(record_max_ / each, 1, core::kDoneEntriesPerRecord);
  size_t next = 0;
  size_t kept = 0;
  bool room = true;
  while (true) {
    // Those with a commit of their state before them wait for it.
    while (next < dones_.size() && dones_[next]->queued > 0) dones_[kept++] = dones_[next++];
    if (next == dones_.size() && ghosts_.empty()) break;
    const uint32_t count =
        static_cast<uint32_t>(std::min<size_t>(most, dones_.size() - next + ghosts_.size()));
    if (MakeRoom(count * each, count * IndexBuilder::BytesFor(GuardBytesMax()), false) !=
        Room::kOk) {
      room = false;
      break;
    }
    RecordWriter record = BeginRecord();
    while (record.entries < count && next < dones_.size()) {
      Message* message = dones_[next++];
      if (message->queued > 0) {
        dones_[kept++] = message;
        continue;
      }
      const uint32_t bytes = PutGuards(EntryData(&record), *message);
      AddEntry(&record, EntryType::kDone, message->id, bytes, bytes);
      ++message->staged;
      gather_->dones.push_back(message);
    }
    while (record.entries < count && !ghosts_.empty()) {
      const GhostEntry ghost = ghosts_.back();
      ghosts_.pop_back();
      queue::Put<uint64_t>(EntryData(&record), ghost.generation);
      AddEntry(&record, EntryType::kDone, ghost.id, 8, 8);
      gather_->guards.push_back({ghost.segment, ghost.generation});
      gather_->ghosts.push_back(ghost);
      ++ghosts_staged_;
    }
    EndRecord(record);
  }
  while (next < dones_.size()) dones_[kept++] = dones_[next++];
  dones_.resize(kept);
  return room;
}

uint32_t Writer::GuardBytesMax() const {
  return static_cast<uint32_t>(8 * (2 + log_->segments.suspects().size()));
}

// A done entry names every use of a segment in which a copy of the message may be, but its own.
uint32_t Writer::PutGuards(char* at, const Message& message) {
  uint32_t bytes = 0;
  const auto add = [&](const Segment& segment) {
    if (segment.number == gather_->segment->number) return;
    for (uint32_t i = 0; i < bytes; i += 8) {
      if (Get<uint64_t>(at + i) == segment.use.generation) return;
    }
    queue::Put<uint64_t>(at + bytes, segment.use.generation);
    bytes += 8;
    gather_->guards.push_back({segment.number, segment.use.generation});
  };
  add(log_->segments[message.place.segment()]);
  for (const uint32_t suspect : log_->segments.suspects()) add(log_->segments[suspect]);
  // Reclaim may be moving it with the batch in flight.
  if (in_flight_) add(*flight_->segment);
  if (!log_->recovery.finished()) log_->recovery.NoteDone(message.id, {at, bytes});
  return bytes;
}

bool Writer::StageMoves() {
  size_t next = 0;
  for (; next < moves_.size(); ++next) {
    Move& move = moves_[next];
    if (gather_->move_bytes >= core::kReclaimBytesPerBatch) break;
    if (!MoveNeeded(move)) {
      --moves_waiting_;
      continue;
    }
    uint32_t index_bytes = static_cast<uint32_t>(move.data.size());
    if (IsMessage(move.type)) index_bytes = Get<uint32_t>(move.data.data());
    if (MakeRoom(EntryRoom(move.data.size()), IndexBuilder::BytesFor(index_bytes), false) !=
        Room::kOk) {
      break;
    }
    RecordWriter record = BeginRecord();
    const uint32_t bytes = Put(EntryData(&record), move.data, {});
    if (IsMessage(move.type)) {
      const bool touched = log_->messages.Find(move.id)->state.set();
      move.type = touched ? EntryType::kMovedMessage : EntryType::kMessage;
    }
    move.to = AddEntry(&record, move.type, move.id, bytes, index_bytes);
    EndRecord(record);
    if (move.type == EntryType::kDone) {
      for (uint32_t i = 0; i + 8 <= bytes; i += 8) {
        const uint64_t generation = Get<uint64_t>(move.data.data() + i);
        const Segment* guarded = log_->segments.ByGeneration(generation);
        if (guarded != nullptr) gather_->guards.push_back({guarded->number, generation});
      }
    }
    gather_->move_bytes += bytes;
    gather_->urgent = true;
    gather_->moves.push_back(move);
  }
  moves_.erase(moves_.begin(), moves_.begin() + static_cast<ptrdiff_t>(next));
  return moves_.empty();
}

// Whether the entry is still what counts. What has a newer entry staged must not be written behind
// it.
bool Writer::MoveNeeded(const Move& move) {
  if (move.type == EntryType::kDone) return true;
  const Message* message = log_->messages.Find(move.id);
  if (message == nullptr || message->staged > 0) return false;
  return (IsMessage(move.type) ? message->place : message->state) == move.from;
}

Writer::RecordWriter Writer::BeginRecord() {
  RecordWriter record;
  record.start = gather_->at + gather_->bytes;
  record.offset = gather_->offset + gather_->bytes;
  return record;
}

char* Writer::EntryData(RecordWriter* record) const {
  return record->start + kRecordHeaderBytes + record->used + kEntryHeaderBytes;
}

RecordPlace Writer::AddEntry(RecordWriter* record, EntryType type, uint64_t id, uint32_t bytes,
                             uint32_t index_data_bytes) {
  const uint32_t at = kRecordHeaderBytes + record->used;
  char* header = record->start + at;
  const uint32_t offset = record->offset + at;
  EntryHeader entry;
  entry.type = type;
  entry.bytes = bytes;
  entry.id = id;
  EncodeEntryHeader(gather_->segment->use, offset, entry, header);
  record->crc = core::Crc32cExtend(record->crc, {header, kEntryHeaderBytes});
  const uint32_t length = kEntryHeaderBytes + bytes;
  std::memset(header + length, 0, Align8(length) - length);
  record->used += Align8(length);
  ++record->entries;
  index_.Add(type, id, offset, length, {header + kEntryHeaderBytes, index_data_bytes});
  return {gather_->segment->number, offset, length};
}

void Writer::EndRecord(const RecordWriter& record) {
  RecordHeader header;
  header.bytes = record.used;
  header.entry_count = record.entries;
  header.entries_crc = record.crc;
  EncodeRecordHeader(gather_->segment->use, record.offset, header, record.start);
  gather_->bytes += kRecordHeaderBytes + record.used;
  ++gather_->records;
}

}  // namespace outbox::queue
