#include "bench/memory_log.h"

#include <algorithm>
#include <cstdio>

#include "bench/sample_mail.h"
#include "core/check.h"

namespace outbox::bench {
namespace {

constexpr uint32_t kRetry = 900;
constexpr char kDestination[] = "via:10.0.0.1:25";

queue::StoreOptions Options() {
  queue::StoreOptions options;
  options.directory = "/log-0";
  options.segment_bytes = 4u << 20;
  options.hot_bytes_max = 16u << 20;
  options.batch_bytes_max = 1u << 20;
  return options;
}

}  // namespace

MemoryLog::MemoryLog(size_t body, uint32_t together, bool finish)
    : body_(SampleWire(body)), finish_(finish), slots_(together) {
  for (Slot& slot : slots_) {
    slot.log = this;
    slot.part = {const_cast<char*>(body_.data()), body_.size()};
    slot.op.Bind<&Slot::OnAppended>(&slot);
  }
  Open();
}

MemoryLog::~MemoryLog() { Close(); }

void MemoryLog::Turn() {
  store_->Tick();
  io_.Turn(store_->NextDeadline());
}

void MemoryLog::Open() {
  store_ = std::make_unique<queue::Store>(&io_, Options());
  store_->Open(this);
  while (!store_->recovered() || !store_->accepting()) Turn();
}

void MemoryLog::Close() {
  bool closed = false;
  store_->Close([&](const core::Status& status) {
    CHECK(status.ok());
    closed = true;
  });
  while (!closed) Turn();
  store_.reset();
}

void MemoryLog::OpenAgain() {
  Close();
  recovered_ = 0;
  Open();
}

void MemoryLog::OnDamage(std::string_view what) {
  std::fprintf(stderr, "%.*s\n", static_cast<int>(what.size()), what.data());
  CHECK(false);
}

void MemoryLog::Start(Slot* slot) {
  slot->meta.Start(store_->NewId(), io_.wall_ns(), 0, kSender, "192.0.2.1");
  slot->meta.AddGroup(kDestination, "default", {&kRetry, 1}, {});
  slot->meta.AddRecipient(kRecipient);
  slot->meta.SetBody(body_.size(), 0);
  slot->op.meta = slot->meta.Finish();
  slot->op.body = {&slot->part, 1};
  ++in_flight_;
  store_->Append(&slot->op);
}

void MemoryLog::Slot::OnAppended(const core::Status& status, queue::Message* message) {
  CHECK(status.ok());
  --log->in_flight_;
  if (log->finish_) log->store_->Done(message);
}

void MemoryLog::Append(uint64_t messages) {
  while (messages > 0) {
    const uint64_t now = std::min<uint64_t>(messages, slots_.size());
    for (uint64_t i = 0; i < now; ++i) Start(&slots_[i]);
    while (in_flight_ > 0) Turn();
    messages -= now;
  }
}

}  // namespace outbox::bench
