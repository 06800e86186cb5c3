// Appenders: clients of a log: so many at a time, each appending a 4 KiB message, durable before
// its next, and finishing it at once. For benchmarks of the log; lives on one thread, with its Io.
#ifndef OUTBOX_BENCH_APPENDERS_H_
#define OUTBOX_BENCH_APPENDERS_H_

#include <sys/uio.h>

#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "core/check.h"
#include "io/io.h"
#include "queue/store.h"

namespace outbox::queue {

inline constexpr uint32_t kBodyBytes = 4096;

class Appenders final : public RecoverySink {
 public:
  Appenders(io::Io* io, const StoreOptions& options, size_t count)
      : io_(io), store_(io, options), body_(kBodyBytes, 'x'), slots_(count) {}

  // Appends `messages` and finishes each as soon as it is there.
  void Run(uint64_t messages) {
    left_ = messages;
    for (Slot& slot : slots_) Start(&slot);
    while (left_ > 0 || flying_ > 0) Turn();
  }
  void Open() {
    store_.Open(this);
    while (!store_.recovered() || store_.stats().segments_free < 2) Turn();
  }
  void Close() {
    bool closed = false;
    store_.Close([&](const core::Status&) { closed = true; });
    while (!closed) Turn();
  }
  // Bytes of each batch since the last call, in order.
  std::vector<uint32_t> TakeWrites() { return std::move(writes_); }

  void OnMessage(Message*, const MetaView&, const StateView&) override {}
  void OnDamage(std::string_view what) override {
    std::printf("%.*s\n", int(what.size()), what.data());
  }
  void OnWritable(const core::Status& status) override { CHECK(status.ok()); }
  void OnRecovered(const RecoveryReport&) override {}

 private:
  struct Slot {
    Appenders* owner = nullptr;
    AppendOp op;
    MetaBuilder meta;
    iovec part = {};
    void OnAppended(const core::Status& status, Message* message) {
      CHECK(status.ok());
      --owner->flying_;
      owner->store_.Done(message);
      owner->Start(this);
    }
  };
  void Start(Slot* slot) {
    if (left_ == 0) return;
    --left_;
    ++flying_;
    slot->owner = this;
    slot->meta.Start(store_.NewId(), io_->wall_ns(), 0, "sender@example.com", "192.0.2.1");
    const uint32_t retry = 900;
    slot->meta.AddGroup("example.net", "default", {&retry, 1}, {});
    slot->meta.AddRecipient("recipient@example.net");
    slot->meta.SetBody(kBodyBytes, 0);
    slot->op.meta = slot->meta.Finish();
    slot->part = {body_.data(), body_.size()};
    slot->op.body = {&slot->part, 1};
    slot->op.Bind<&Slot::OnAppended>(slot);
    store_.Append(&slot->op);
  }
  void Turn() {
    store_.Tick();
    const StoreStats before = store_.stats();
    io_->Turn(store_.NextDeadline());
    const StoreStats after = store_.stats();
    // One batch is in flight at a time.
    CHECK(after.commits <= before.commits + 1);
    if (after.commits > before.commits) {
      writes_.push_back(static_cast<uint32_t>(after.bytes_written - before.bytes_written));
    }
  }

  io::Io* io_;
  Store store_;
  std::string body_;
  std::vector<Slot> slots_;
  uint64_t left_ = 0;
  uint64_t flying_ = 0;
  std::vector<uint32_t> writes_;
};

}  // namespace outbox::queue

#endif  // OUTBOX_BENCH_APPENDERS_H_
