// The paths of queue/spool/: the meta of one message, and one 4 KiB message through the log: meta,
// record, checksums, batch, index, and its done entry. The disk costs nothing.
#include <optional>

#include "bench/counted_path.h"
#include "bench/memory_log.h"
#include "bench/sample_mail.h"
#include "core/check.h"
#include "queue/message_meta.h"

namespace outbox::bench {
namespace {

class Meta : public CountedPath {
 public:
  void Run(uint64_t items) override {
    const uint32_t retry = 900;
    for (; items > 0; --items) {
      builder_.Start(++id_, 1, 0, kSender, "192.0.2.1");
      builder_.AddGroup("via:10.0.0.1:25", "default", {&retry, 1}, {});
      builder_.AddRecipient(kRecipient);
      builder_.SetPrefix(kAddedHeader);
      builder_.SetBody(4096, 0);
      const std::optional<queue::MetaView> read = queue::MetaView::Parse(builder_.Finish());
      CHECK(read.has_value() && read->id() == id_);
    }
  }

 private:
  queue::MetaBuilder builder_;
  uint64_t id_ = 0;
};

template <uint32_t kTogether>
class LogAppend : public CountedPath {
 public:
  LogAppend() { log_.io().DropWrites(); }
  void Run(uint64_t items) override { log_.Append(items); }

 private:
  MemoryLog log_{4096, kTogether, /*finish=*/true};
};

template <typename Path>
std::unique_ptr<CountedPath> Make() {
  return std::make_unique<Path>();
}

constexpr NamedPath kPaths[] = {
    {"meta_encode", 500, &Make<Meta>},
    {"log_append_1", 1024, &Make<LogAppend<1>>},
    {"log_append_16", 2048, &Make<LogAppend<16>>},
};

}  // namespace

std::span<const NamedPath> SpoolPaths() { return kPaths; }

}  // namespace outbox::bench
