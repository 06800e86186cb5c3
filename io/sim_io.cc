#include "io/sim_io.h"

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstring>
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
  const uint32_t buffers = world_->options().receive_buffers;
  lent_.resize(buffers, false);
  for (uint32_t i = 0; i < buffers; ++i) {
    buffers_.push_back(std::make_unique<char[]>(world_->options().receive_buffer_bytes));
    free_buffers_.push_back(i);
  }
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

// Nobody else is there to keep out.
void SimIo::MakePrivateDirectory(Op* op, const std::string& path) { MakeDirectory(op, path); }

void SimIo::Rename(Op* op, const std::string& from, const std::string& to) {
  StartDisk(op, {.kind = SimDiskKind::kRename, .path = from, .to = to});
}

void SimIo::Unlink(Op* op, const std::string& path) {
  StartDisk(op, {.kind = SimDiskKind::kUnlink, .path = path});
}

void SimIo::ListDirectory(Op* op, const std::string& path, std::vector<FileInfo>* out) {
  StartDisk(op, {.kind = SimDiskKind::kList, .path = path, .list = out});
}

void SimIo::FindInDirectory(Op* op, const std::string& path, const std::string& prefix) {
  StartDisk(op, {.kind = SimDiskKind::kFind, .path = path, .to = prefix});
}

void SimIo::Space(Op* op, const std::string& path, SpaceInfo* out) {
  StartDisk(op, {.kind = SimDiskKind::kSpace, .path = path, .space = out});
}

void SimIo::RunOnHelper(Op* op, std::function<int32_t()> work) {
  StartHelped(op, std::move(work), world_->options().helper);
}

void SimIo::RunLong(Op* op, std::function<int32_t()> work) {
  StartHelped(op, std::move(work), world_->options().long_helper);
}

void SimIo::StartHelped(Op* op, std::function<int32_t()> work, const SimRange& takes_ns) {
  const uint64_t id = Begin(op, kHelper, kNoHandle);
  work_[id] = std::move(work);
  world_->Schedule(world_->Draw(takes_ns), [world = world_, io_id = id_, id] {
    if (SimIo* io = world->FindIo(io_id); io != nullptr) io->Complete(id, 0);
  });
}

// --- Sockets ---

core::Result<Socket> SimIo::Listen(const core::SocketAddress& address, bool share) {
  return world_->network().Listen(this, address, share);
}

core::Result<Socket> SimIo::ListenUnix(const std::string& path, uint32_t) {
  CHECK(!path.empty() && path.size() <= kUnixPathBytes);
  return world_->network().ListenUnix(this, path);
}

core::SocketAddress SimIo::LocalAddress(Socket socket) {
  return world_->network().LocalAddress(socket);
}

core::SocketAddress SimIo::PeerAddress(Socket socket) {
  return world_->network().PeerAddress(socket);
}

void SimIo::Accept(Op* op, Socket listener) {
  world_->network().Accept(this, Begin(op, kAccept, listener), listener);
}

void SimIo::Connect(Op* op, const core::SocketAddress& peer, const core::SocketAddress* local) {
  world_->network().Connect(this, Begin(op, kConnect, kNoHandle), peer, local);
}

void SimIo::ConnectUnix(Op* op, const std::string& path) {
  CHECK(!path.empty() && path.size() <= kUnixPathBytes);
  const uint64_t id = Begin(op, kConnect, kNoHandle);
  const core::SocketAddress* behind = world_->network().FindUnixPath(path);
  if (behind == nullptr) {
    Complete(id, -ENOENT);
  } else {
    world_->network().Connect(this, id, *behind, nullptr);
  }
}

int SimIo::OpenUdp(const core::SocketAddress& peer, const core::SocketAddress* local) {
  CHECK(!abandoned_);
  return world_->network().datagrams().Open(this, peer, local);
}

void SimIo::Recv(Op* op, Socket socket) {
  world_->network().Receive(Begin(op, kRecv, socket), socket, {});
}

void SimIo::RecvInto(Op* op, Socket socket, std::span<char> into) {
  CHECK(!into.empty());
  world_->network().Receive(Begin(op, kRecvInto, socket), socket, into);
}

void SimIo::Send(Op* op, Socket socket, std::span<const iovec> parts) {
  world_->network().Send(Begin(op, kSend, socket), socket, parts);
}

void SimIo::ShutdownWrite(Socket socket) { world_->network().ShutdownWrite(socket); }

bool SimIo::InUse(Socket socket) {
  for (const Op* op = ops_.front(); op != nullptr; op = ops_.Next(const_cast<Op*>(op))) {
    const bool on_socket =
        op->kind == kAccept || op->kind == kRecv || op->kind == kRecvInto || op->kind == kSend;
    if (on_socket && op->handle == socket) return true;
  }
  return false;
}

void SimIo::CloseSocket(Socket socket, bool reset) {
  CHECK(!InUse(socket));
  world_->network().CloseSocket(socket, reset);
}

bool SimIo::TakeBuffer(Socket socket, std::span<char>* into, uint32_t* buffer) {
  const bool first = parked_.empty() || parked_.front() == socket;
  if (!first || free_buffers_.empty()) {
    if (std::find(parked_.begin(), parked_.end(), socket) == parked_.end()) {
      parked_.push_back(socket);
    }
    return false;
  }
  if (!parked_.empty()) parked_.pop_front();
  *buffer = free_buffers_.front();
  free_buffers_.pop_front();
  lent_[*buffer] = true;
  *into = {buffers_[*buffer].get(), world_->options().receive_buffer_bytes};
  return true;
}

void SimIo::ReturnBuffer(uint32_t buffer) {
  CHECK(buffer < buffers_.size() && lent_[buffer]);
  lent_[buffer] = false;
  // Whoever still looks at it should notice.
  memset(buffers_[buffer].get(), 0xdb, world_->options().receive_buffer_bytes);
  free_buffers_.push_back(buffer);
  ServeParked();
}

void SimIo::ServeParked() {
  while (!free_buffers_.empty() && !parked_.empty()) {
    const Socket socket = parked_.front();
    world_->network().RetryReceive(socket);
    CHECK(parked_.empty() || parked_.front() != socket);
  }
}

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
      // A result may still come first.
      world_->Schedule(world_->Draw(world_->options().cancel),
                       [world = world_, io_id = id_, op_id = IdOf(*op)] {
                         if (SimIo* io = world->FindIo(io_id)) io->FinishCancel(op_id);
                       });
      break;
  }
}

void SimIo::FinishCancel(uint64_t op_id) {
  const auto found = ops_by_id_.find(op_id);
  if (found == ops_by_id_.end() || found->second->scratch[1] != 0) return;
  const Op& op = *found->second;
  switch (op.kind) {
    case kAccept:
      return world_->network().CancelAccept(op.handle);
    case kConnect:
      return world_->network().CancelConnect(op_id);
    case kRecv:
    case kRecvInto:
      std::erase(parked_, op.handle);
      world_->network().CancelReceive(op.handle);
      return ServeParked();
    case kSend:
      return world_->network().CancelSend(op.handle);
    default:
      CHECK(false);
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

void SimIo::Abandon(SimDeath death) {
  while (Op* op = ops_.PopFront()) op->in_flight = false;
  ops_by_id_.clear();
  work_.clear();
  due_.clear();
  parked_.clear();
  world_->disk(node_).Forget(this);
  world_->network().Forget(this, death);
  abandoned_ = true;
}

}  // namespace outbox::io
