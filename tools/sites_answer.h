// SitesAnswer: the sites that mail goes to and how they are, from all shards to one client of the
// control socket.
//
// Every shard tells how much waits for which site (queue/site_lister.h); the rest is read in the
// site table, here on the main thread. A site that nothing waits for is shown as well while it is
// suspended. Those that need looking at come first. Holds itself alive until every shard is
// through.
#ifndef OUTBOX_TOOLS_SITES_ANSWER_H_
#define OUTBOX_TOOLS_SITES_ANSWER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/config.h"
#include "queue/shard.h"
#include "queue/site_lister.h"
#include "tools/control_server.h"

namespace outbox::tools {

class SitesAnswer : public queue::SiteListSink, public std::enable_shared_from_this<SitesAnswer> {
 public:
  // `limit`: sites that are sent.
  SitesAnswer(ControlServer* server, std::shared_ptr<ReplyStream> reply, queue::SiteTable* table,
              std::shared_ptr<const core::Config> config,
              std::shared_ptr<const queue::SuspensionList> suspensions, uint32_t limit)
      : server_(server),
        reply_(std::move(reply)),
        table_(table),
        config_(std::move(config)),
        suspensions_(std::move(suspensions)),
        limit_(limit) {}

  // Asks all shards. To be called once.
  void Start(const std::vector<queue::Shard*>& shards);

  // queue::SiteListSink, on the shards' threads
  void OnSites(std::vector<queue::SitePart> sites) override;

 private:
  struct Row;

  void Take(const std::vector<queue::SitePart>& sites);
  // Those that no mail is at, but whose limits are not the usual ones.
  void AddQuiet(int64_t now_ns);
  void AddQuietOne(const core::SiteConfig& site, const std::string& source, int64_t now_ns);
  void EndOne();
  void Finish();

  ControlServer* const server_;
  const std::shared_ptr<ReplyStream> reply_;
  queue::SiteTable* const table_;
  const std::shared_ptr<const core::Config> config_;
  const std::shared_ptr<const queue::SuspensionList> suspensions_;
  const uint32_t limit_;
  std::map<uint64_t, queue::SitePart> sites_;  // by hash
  bool refused_ = false;
  size_t shards_left_ = 0;
  std::shared_ptr<SitesAnswer> self_;
};

// Clocks of the control plane, the same as the shards'.
int64_t SteadyClockNs();
int64_t WallClockNs();

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_SITES_ANSWER_H_
