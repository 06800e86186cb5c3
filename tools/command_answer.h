// CommandAnswer: one retry, purge or the like, from all shards to one client of the control socket.
//
// Each shard counts on its own thread; the counts are posted to the main thread and added up there.
// When everything was looked at and some recipients wait for the end of their attempt, the client
// is told so once; the last line comes when all shards are through. The command goes on when the
// client leaves. Holds itself alive until every shard is through.
#ifndef OUTBOX_TOOLS_COMMAND_ANSWER_H_
#define OUTBOX_TOOLS_COMMAND_ANSWER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "queue/queue_command.h"
#include "queue/shard.h"
#include "tools/control_server.h"

namespace outbox::tools {

class CommandAnswer : public std::enable_shared_from_this<CommandAnswer> {
 public:
  CommandAnswer(ControlServer* server, std::shared_ptr<ReplyStream> reply)
      : server_(server), reply_(std::move(reply)) {}

  // Posts the command to all shards. To be called once.
  void Start(const std::vector<queue::Shard*>& shards, queue::QueueOrder order,
             const queue::QueueFilter& filter, const queue::OrderDetails& details = {});
  // The same for `clear` and `reroute`, which count more.
  void StartRedirect(const std::vector<queue::Shard*>& shards,
                     const std::shared_ptr<const queue::RouteOrder>& order,
                     const queue::QueueFilter& filter);

 private:
  struct Part : queue::CommandSink {
    void OnCommandWaits(const queue::CommandCounts& counts) override;
    void OnCommandDone(const queue::CommandCounts& counts) override;

    CommandAnswer* answer = nullptr;
    // The main thread's:
    queue::CommandCounts counts;
    bool walked = false;
    bool done = false;
  };

  // Posts `give` to all shards; it is false where too much is going on.
  void Post(const std::vector<queue::Shard*>& shards,
            const std::function<bool(queue::Shard*, queue::CommandSink*)>& give);
  void Report(Part* part, const queue::CommandCounts& counts, bool done);
  void Refuse(Part* part);
  void Update();

  ControlServer* const server_;
  const std::shared_ptr<ReplyStream> reply_;
  std::vector<std::unique_ptr<Part>> parts_;
  std::shared_ptr<CommandAnswer> self_;
  bool told_ = false;
  bool refused_ = false;
  bool redirect_ = false;
  int64_t undo_ns_ = 0;  // for how long it can be undone
};

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_COMMAND_ANSWER_H_
