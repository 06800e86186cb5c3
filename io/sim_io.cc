#include "io/sim_io.h"

#include <algorithm>
#include <cinttypes>
#include <utility>

#include "core/check.h"
#include "io/sim_world.h"

namespace outbox::io {
namespace {

// Op::scratch: [0] the operation's id, unique in the world; [1] is 1 once its last result is there.
uint64_t IdOf(const Op& op) { return op.scratch[0]; }

}  // namespace

SimIo::SimIo(SimWorld* world, int node, std::function<void()> run_once)
    : world_(world), node_(node), id_(world->NextId()), run_once_(std::move(run_once)) {
  now_ns_ = world_->now_ns();
  wall_ns_ = world_->wall_ns();
  world_->Join(this);
}

SimIo::~SimIo() {
  CHECK(ops_.empty());
  if (!abandoned_) Abandon();
  world_->Leave(this);
}

uint64_t SimIo::RandomU64() { return world_->random().Next(); }

uint64_t SimIo::Begin(Op* op, Kind kind, int handle) {
  CHECK(!op->in_flight && op->done != nullptr && !abandoned_);
  op->in_flight = true;
  op->cancelled = false;
  op->kind = kind;
  op->handle = handle;
  op->scratch[0] = world_->NextId();
  op->scratch[1] = 0;
  ops_.PushBack(op);
  ops_by_id_[IdOf(*op)] = op;
  return IdOf(*op);
}

void SimIo::Complete(uint64_t op_id, const OpResult& result) {
  const auto found = ops_by_id_.find(op_id);
  if (found == ops_by_id_.end()) return;
  if (!result.more) found->second->scratch[1] = 1;
  due_.push_back({op_id, result});
}

void SimIo::Complete(uint64_t op_id, int32_t result) {
  OpResult full;
  full.result = result;
  Complete(op_id, full);
}

// --- Files ---

void SimIo::StartDisk(Op* op, SimDiskRequest request) {
  request.io = this;
  request.op_id = Begin(op, kDisk, request.file);
  world_->disk(node_).Start(std::move(request));
}

void SimIo::Open(Op* op, const std::string& path, const OpenOptions& options) {
  StartDisk(op, {.kind = SimDiskKind::kOpen, .path = path, .options = options});
}

void SimIo::CloseFile(Op* op, File file) {
  StartDisk(op, {.kind = SimDiskKind::kClose, .file = file});
}

void SimIo::Read(Op* op, File file, std::span<char> into, uint64_t offset) {
  StartDisk(op, {.kind = SimDiskKind::kRead, .file = file, .offset = offset, .into = into});
}

void SimIo::Write(Op* op, File file, std::span<const iovec> parts, uint64_t offset) {
  StartDisk(op, {.kind = SimDiskKind::kWrite, .file = file, .offset = offset, .parts = parts});
}

void SimIo::Fill(Op* op, File file, uint64_t bytes) {
  StartDisk(op, {.kind = SimDiskKind::kFill, .file = file, .bytes = bytes});
}

void SimIo::Sync(Op* op, File file) { StartDisk(op, {.kind = SimDiskKind::kSync, .file = file}); }

void SimIo::SyncDirectory(Op* op, const std::string& path) {
  StartDisk(op, {.kind = SimDiskKind::kSyncDirectory, .path = path});
}

void SimIo::MakeDirectory(Op* op, const std::string& path) {
  StartDisk(op, {.kind = SimDiskKind::kMakeDirectory, .path = path});
}

void SimIo::Rename(Op* op, const std::string& from, const std::string& to) {
  StartDisk(op, {.kind = SimDiskKind::kRename, .path = from, .to = to});
}

void SimIo::Unlink(Op* op, const std::string& path) {
  StartDisk(op, {.kind = SimDiskKind::kUnlink, .path = path});
}

void SimIo::ListDirectory(Op* op, const std::string& path, std::vector<FileInfo>* out) {
  StartDisk(op, {.kind = SimDiskKind::kList, .path = path, .list = out});
}

void SimIo::Space(Op* op, const std::string& path, SpaceInfo* out) {
  StartDisk(op, {.kind = SimDiskKind::kSpace, .path = path, .space = out});
}

void SimIo::RunOnHelper(Op* op, std::function<int32_t()> work) {
  const uint64_t id = Begin(op, kHelper, kNoHandle);
  work_[id] = std::move(work);
  world_->Schedule(world_->Draw(world_->options().helper), [world = world_, io_id = id_, id] {
    if (SimIo* io = world->FindIo(io_id); io != nullptr) io->Complete(id, 0);
  });
}

// --- Sockets: there is no network in this world ---

core::Result<Socket> SimIo::Listen(const core::SocketAddress& /*address*/, bool /*share*/) {
  return core::Status(core::StatusCode::kUnavailable, "the simulated world has no network");
}

core::SocketAddress SimIo::LocalAddress(Socket /*socket*/) { return {}; }
core::SocketAddress SimIo::PeerAddress(Socket /*socket*/) { return {}; }

void SimIo::Accept(Op* op, Socket listener) { Complete(Begin(op, kAccept, listener), -EBADF); }

void SimIo::Connect(Op* op, const core::SocketAddress& /*peer*/,
                    const core::SocketAddress* /*local*/) {
  Complete(Begin(op, kConnect, kNoHandle), -ENETUNREACH);
}

void SimIo::Recv(Op* op, Socket socket) { Complete(Begin(op, kRecv, socket), -EBADF); }

void SimIo::ReturnBuffer(uint32_t /*buffer*/) { CHECK(false); }

void SimIo::RecvInto(Op* op, Socket socket, std::span<char> /*into*/) {
  Complete(Begin(op, kRecvInto, socket), -EBADF);
}

void SimIo::Send(Op* op, Socket socket, std::span<const iovec> /*parts*/) {
  Complete(Begin(op, kSend, socket), -EBADF);
}

void SimIo::ShutdownWrite(Socket /*socket*/) { CHECK(false); }
void SimIo::CloseSocket(Socket /*socket*/, bool /*reset*/) { CHECK(false); }

// --- The loop ---

void SimIo::Cancel(Op* op) {
  if (!op->in_flight || op->scratch[1] != 0) return;
  CHECK(ops_by_id_.contains(IdOf(*op)));
  op->cancelled = true;
  switch (op->kind) {
    case kDisk:
      world_->disk(node_).TryCancel(IdOf(*op));
      break;
    case kHelper:
      // Work that has not begun can be taken back.
      if (world_->random().Chance(1, 2)) {
        work_.erase(IdOf(*op));
        Complete(IdOf(*op), -ECANCELED);
      }
      break;
    default:
      break;
  }
}

size_t SimIo::Deliver() {
  // Most often everything that is there, sometimes a part, so that the owner sees them apart.
  size_t count = due_.size();
  if (count > 1 && world_->random().Chance(1, 4)) count = 1 + world_->random().Below(count);
  std::vector<Due> batch(due_.begin(), due_.begin() + static_cast<ptrdiff_t>(count));
  due_.erase(due_.begin(), due_.begin() + static_cast<ptrdiff_t>(count));
  for (Due& due : batch) {
    const auto found = ops_by_id_.find(due.op_id);
    CHECK(found != ops_by_id_.end());
    Op* op = found->second;
    if (!due.result.more) {
      ops_by_id_.erase(found);
      op->link.Unlink();
      op->in_flight = false;
    }
    if (op->kind == kHelper) {
      if (auto work = work_.extract(due.op_id); !work.empty()) due.result.result = work.mapped()();
    }
    Trace(*op, due.result);
    op->done(op, due.result);
  }
  return count;
}

void SimIo::Trace(const Op& op, const OpResult& result) {
  world_->Fold(static_cast<uint64_t>(world_->now_ns()));
  world_->Fold(id_ << 8 | op.kind);
  world_->Fold(static_cast<uint64_t>(static_cast<int64_t>(result.result)) << 1 | result.more);
  const uint64_t bytes = SimHash(result.data.data(), result.data.size());
  world_->Fold(bytes);
  if (world_->trace() != nullptr) {
    static constexpr const char* kNames[] = {"disk",    "helper", "accept", "connect",
                                             "receive", "body",   "send"};
    fprintf(world_->trace(), "%14" PRId64 " io %" PRIu64 " %s #%" PRIu64 " handle %d: %d%s\n",
            world_->now_ns(), id_, kNames[op.kind], IdOf(op), op.handle, result.result,
            result.more ? " and more" : "");
  }
}

void SimIo::Turn(int64_t until_ns) {
  CHECK(!abandoned_);
  if (!world_->in_turn()) world_->RunFor(this, until_ns);
  now_ns_ = world_->now_ns();
  wall_ns_ = world_->wall_ns();
  const size_t delivered = Deliver();
  // The loop goes on at once after a turn that brought something; otherwise it sleeps here.
  const bool awake = delivered > 0 || woken_ || until_ns <= now_ns_;
  until_ns_ = awake ? 0 : until_ns;
  if (awake) announced_ = false;
  woken_ = false;
}

int64_t SimIo::NextTurn() const {
  if (abandoned_) return core::kNever;
  if (HasWork()) return std::max(ready_ns_, world_->now_ns());
  return until_ns_ == core::kNever ? core::kNever
                                   : std::max({until_ns_, ready_ns_, world_->now_ns()});
}

void SimIo::RunOnce() {
  announced_ = false;
  ready_ns_ = world_->now_ns() + world_->Draw(world_->options().turn);
  if (run_once_) {
    run_once_();
  } else {
    Turn(core::kNever);
  }
}

void SimIo::Wake(Io* other) {
  SimIo* target = static_cast<SimIo*>(other);
  if (!target->announced_) return;
  world_->Schedule(world_->Draw(world_->options().wake), [world = world_, io_id = target->id_] {
    if (SimIo* io = world->FindIo(io_id); io != nullptr) io->woken_ = true;
  });
}

void SimIo::Abandon() {
  while (Op* op = ops_.PopFront()) op->in_flight = false;
  ops_by_id_.clear();
  work_.clear();
  due_.clear();
  world_->disk(node_).Forget(this);
  abandoned_ = true;
}

}  // namespace outbox::io
