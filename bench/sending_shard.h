// SendingShard: the destination's side of one shard, as the product puts it together, between a
// home that makes tickets and hosts that take everything at once (bench/willing_link.h).
#ifndef OUTBOX_BENCH_SENDING_SHARD_H_
#define OUTBOX_BENCH_SENDING_SHARD_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bench/memory_io.h"
#include "bench/willing_link.h"
#include "core/random.h"
#include "core/timer_wheel.h"
#include "queue/destination_table.h"
#include "queue/directory.h"
#include "queue/message_meta.h"
#include "queue/shard_mail.h"
#include "queue/site.h"

namespace outbox::bench {

class SendingShard : public queue::HomeMail, public queue::ControlMail, public queue::LinkFactory {
 public:
  // `destinations` with hosts of their own (at most 65,536), or `one_site`: with the same host,
  // which takes one connection at a time.
  SendingShard(uint32_t destinations, bool one_site);
  ~SendingShard() override;

  // Offers `together` tickets, each to the next destination in turn, and runs until they are back;
  // until `items` have been sent in all.
  void Send(uint64_t items, uint32_t together);
  uint64_t connects() const { return connects_; }

  // HomeMail
  void OnReturn(queue::Ticket* ticket) override;
  void OnFetch(queue::Ticket* ticket, uint32_t part, const queue::Extent*) override;
  void OnRelease(queue::Ticket*, const queue::Window& window) override;
  void OnLane(const queue::LaneNotice&) override {}
  // ControlMail
  void OnCommand(uint8_t, void*) override {}
  void OnReply(uint8_t, void*) override {}
  // LinkFactory
  std::unique_ptr<queue::DeliveryLink> Connect(const queue::LinkTarget& target,
                                               smtp::DeliverySource* source) override;

 private:
  struct Link;

  void Offer(queue::Ticket* ticket);
  // The record of the ticket's message, lent.
  queue::Window Lend(const queue::Ticket& ticket);
  void Turn();

  MemoryIo io_;
  core::TimerWheel wheel_;
  core::Random random_{1};
  queue::Exchange exchange_{1};
  queue::PostOffice post_{&exchange_, 0};
  queue::SiteTable sites_;
  std::unique_ptr<queue::DestinationTable> table_;
  std::vector<std::unique_ptr<queue::DirectoryEntry>> directory_;
  std::vector<std::string> records_;  // by destination: what home lends
  std::vector<std::unique_ptr<queue::Ticket>> tickets_;
  std::vector<Link*> due_;  // links with something to do
  std::vector<Link*> working_;
  uint64_t links_ = 0;
  size_t next_ = 0;  // destination
  uint64_t out_ = 0;
  uint64_t lent_ = 0;
  uint64_t connects_ = 0;
};

}  // namespace outbox::bench

#endif  // OUTBOX_BENCH_SENDING_SHARD_H_
