// MemoryLog: a store on a disk that is memory, and messages that go in and are finished; what the
// log itself costs.
#ifndef OUTBOX_BENCH_MEMORY_LOG_H_
#define OUTBOX_BENCH_MEMORY_LOG_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bench/memory_io.h"
#include "queue/store.h"

namespace outbox::bench {

class MemoryLog : public queue::RecoverySink {
 public:
  // `body` octets a message, in wire form; `together` of them share a batch. `finish`: each is done
  // as soon as it is there, else it stays.
  MemoryLog(size_t body, uint32_t together, bool finish);
  ~MemoryLog() override;

  void Append(uint64_t messages);
  // The store is closed, and another one opened on what is there.
  void OpenAgain();

  MemoryIo& io() { return io_; }
  const queue::Store& store() const { return *store_; }
  uint64_t recovered() const { return recovered_; }

  void OnMessage(queue::Message*, const queue::MetaView&, const queue::StateView&) override {
    ++recovered_;
  }
  void OnDamage(std::string_view what) override;
  void OnWritable(const core::Status& status) override { CHECK(status.ok()); }
  void OnRecovered(const queue::RecoveryReport&) override {}

 private:
  struct Slot {
    MemoryLog* log = nullptr;
    queue::AppendOp op;
    queue::MetaBuilder meta;
    iovec part = {};
    void OnAppended(const core::Status& status, queue::Message* message);
  };

  void Open();
  void Close();
  void Start(Slot* slot);
  void Turn();

  MemoryIo io_;
  const std::string body_;
  const bool finish_;
  std::unique_ptr<queue::Store> store_;
  std::vector<Slot> slots_;
  uint32_t in_flight_ = 0;
  uint64_t recovered_ = 0;
};

}  // namespace outbox::bench

#endif  // OUTBOX_BENCH_MEMORY_LOG_H_
