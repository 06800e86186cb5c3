// RouteAnswer: where a message would go, for one client of the control socket.
//
// The first shard's router says which route and its resolver which hosts; why other routes do not
// match is found on the main thread. Holds itself alive until the last word.
#ifndef OUTBOX_TOOLS_ROUTE_ANSWER_H_
#define OUTBOX_TOOLS_ROUTE_ANSWER_H_

#include <memory>

#include "core/config.h"
#include "queue/host_lookup.h"
#include "queue/shard.h"
#include "tools/control_server.h"
#include "tools/route_question.h"

namespace outbox::tools {

class RouteAnswer : public std::enable_shared_from_this<RouteAnswer>,
                    private queue::HostLookupSink {
 public:
  RouteAnswer(ControlServer* server, std::shared_ptr<ReplyStream> reply,
              std::shared_ptr<const core::Config> config, RouteQuestion question)
      : server_(server),
        reply_(std::move(reply)),
        config_(std::move(config)),
        question_(std::move(question)) {}

  // To be called once.
  void Ask(queue::Shard* shard);

 private:
  // On the shard's thread.
  void AskShard(queue::Shard* shard);
  void OnHosts(queue::FoundHosts found) override;
  // On the main thread.
  void Finish(const queue::FoundHosts& found, const queue::SitePolicy& policy);

  ControlServer* const server_;
  const std::shared_ptr<ReplyStream> reply_;
  const std::shared_ptr<const core::Config> config_;
  const RouteQuestion question_;
  std::shared_ptr<RouteAnswer> self_;
  queue::Shard* shard_ = nullptr;
  RouteVerdict verdict_;
};

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_ROUTE_ANSWER_H_
