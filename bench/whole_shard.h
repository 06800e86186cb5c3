// WholeShard: one shard of the product between clients that send and servers that take
// (bench/peer_io.h): what a message costs in our own code, from its MAIL to its done entry.
#ifndef OUTBOX_BENCH_WHOLE_SHARD_H_
#define OUTBOX_BENCH_WHOLE_SHARD_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bench/peer_io.h"
#include "core/metrics.h"
#include "queue/client_limits.h"
#include "queue/shard.h"
#include "queue/shard_mail.h"
#include "queue/site.h"

namespace outbox::bench {

class WholeShard : public queue::ShardObserver {
 public:
  // So many connections of clients, which send to so many domains in turn, each with a host of its
  // own; messages of `octets`.
  WholeShard(uint32_t clients, uint32_t domains, size_t octets);
  ~WholeShard() override;
  WholeShard(const WholeShard&) = delete;
  WholeShard& operator=(const WholeShard&) = delete;

  // Until so many more have been sent, taken by their hosts, and are known to be done.
  void Relay(uint64_t messages);
  // Until so many more have been taken for hosts that refuse, and nothing is under way; no host
  // takes anything from now on.
  void Queue(uint64_t messages);

  void OnShardReady(uint32_t, const core::Status& status) override;

 private:
  std::string_view NextRecipient();
  void Turn();

  PeerIo io_;
  queue::Exchange exchange_{1};
  queue::SiteTable sites_;
  queue::ClientLimits limits_;
  queue::AuthFailures auth_failures_;
  core::ShardMetrics metrics_;
  std::unique_ptr<queue::Shard> shard_;
  const std::string wire_;
  std::vector<std::string> recipients_;
  std::vector<ClientPeer*> clients_;  // PeerIo's
  size_t next_ = 0;
  uint64_t to_send_ = 0;
  bool ready_ = false;
};

}  // namespace outbox::bench

#endif  // OUTBOX_BENCH_WHOLE_SHARD_H_
