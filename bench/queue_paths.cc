// The paths of queue/: mail between shards, and a ticket from its offer to its return.

#include "bench/counted_path.h"
#include "bench/sending_shard.h"
#include "core/check.h"
#include "queue/shard_mail.h"

namespace outbox::bench {
namespace {

// Posted by one shard, drained by another; a batch each.
class Mail : public CountedPath, private queue::ControlMail {
 public:
  Mail() { to_.SetHandlers(nullptr, nullptr, this); }
  void Run(uint64_t items) override {
    const uint64_t end = commands_ + items;
    while (commands_ < end) {
      from_.Command(1, nullptr);
      from_.Flush();
      to_.Drain();
    }
  }

 private:
  void OnCommand(uint8_t, void*) override { ++commands_; }
  void OnReply(uint8_t, void*) override {}

  queue::Exchange exchange_{2};
  queue::PostOffice from_{&exchange_, 0};
  queue::PostOffice to_{&exchange_, 1};
  uint64_t commands_ = 0;
};

// Offered, given to an open connection, sent, judged, returned.
class TicketSent : public CountedPath {
 public:
  void Run(uint64_t items) override {
    shard_.Send(items, 1);
    CHECK(shard_.connects() == 1);
  }

 private:
  SendingShard shard_{1, /*one_site=*/false};
};

// The same with sixteen to sixteen destinations at a time.
class TicketsSent : public CountedPath {
 public:
  void Run(uint64_t items) override { shard_.Send(items, 16); }

 private:
  SendingShard shard_{16, /*one_site=*/false};
};

// Every ticket has to ask for the site's only slot, which another destination gives up.
class TicketGranted : public CountedPath {
 public:
  void Run(uint64_t items) override {
    const uint64_t before = shard_.connects();
    shard_.Send(items, 1);
    CHECK(shard_.connects() == before + items);
  }

 private:
  SendingShard shard_{2, /*one_site=*/true};
};

template <typename Path>
std::unique_ptr<CountedPath> Make() {
  return std::make_unique<Path>();
}

constexpr NamedPath kPaths[] = {
    {"mail_between_shards", 1000, &Make<Mail>},
    {"ticket_sent", 500, &Make<TicketSent>},
    {"ticket_sent_16", 1024, &Make<TicketsSent>},
    {"ticket_granted", 200, &Make<TicketGranted>},
};

}  // namespace

std::span<const NamedPath> QueuePaths() { return kPaths; }

}  // namespace outbox::bench
