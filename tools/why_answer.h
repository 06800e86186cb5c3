// WhyAnswer: why mail is where it is, put together from all shards for one client of the control
// socket.
//
// About a message, or a recipient's address: every shard is asked for its facts (queue/explain.h),
// then for the destinations that these name. About a domain, and a recipient with nothing queued:
// the first shard is asked where its mail goes, then all for that destination. Holds itself alive
// until the last word.
#ifndef OUTBOX_TOOLS_WHY_ANSWER_H_
#define OUTBOX_TOOLS_WHY_ANSWER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "queue/explain.h"
#include "queue/shard.h"
#include "tools/control_server.h"

namespace outbox::tools {

class WhyAnswer : public std::enable_shared_from_this<WhyAnswer> {
 public:
  WhyAnswer(ControlServer* server, std::shared_ptr<ReplyStream> reply,
            std::vector<queue::Shard*> shards,
            std::shared_ptr<const queue::SuspensionList> suspensions)
      : server_(server),
        reply_(std::move(reply)),
        shards_(std::move(shards)),
        suspensions_(std::move(suspensions)) {}

  // One of them, once.
  void AskMessage(uint64_t id);
  void AskRecipient(const std::string& address);
  void AskDomain(const std::string& domain);

 private:
  struct Part : queue::MessageFactsSink {
    void OnMessageFacts(queue::MessageFacts facts) override;
    WhyAnswer* answer = nullptr;
  };

  void AskHomes(const queue::QueueFilter& filter);
  void TakeMessage(queue::MessageFacts facts);
  // Where mail goes today.
  void FindRoute();
  // Asks all shards for the next few destinations; when all are known, the end.
  void AskDestinations();
  void TakeDestinations(std::vector<queue::DestinationFacts> facts);
  // What an operator has suspended of it, whether or not a shard has mail ready there; else null.
  const queue::Suspension* SuspensionOf(const std::string& key) const;
  nlohmann::json Recipients() const;
  bool About(const queue::AttemptFact& fact) const;
  void Finish();

  ControlServer* const server_;
  const std::shared_ptr<ReplyStream> reply_;
  const std::vector<queue::Shard*> shards_;
  const std::shared_ptr<const queue::SuspensionList> suspensions_;
  std::shared_ptr<WhyAnswer> self_;
  std::vector<std::unique_ptr<Part>> parts_;
  uint64_t id_ = 0;
  std::string recipient_;
  std::string domain_;
  std::string route_;  // of the domain
  std::vector<std::string> asked_;  // keys that are still to be asked for, the last first
  size_t left_ = 0;    // shards that have not answered the present question
  queue::MessageFacts message_;
  std::map<std::string, std::vector<queue::DestinationFacts>> destinations_;  // by key
  std::set<std::string> others_;  // of them, those that are shown if there is mail
};

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_WHY_ANSWER_H_
