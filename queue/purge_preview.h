// PurgePreview: what a purge would take, before anybody gives the order.
//
// One walk (queue/queue_walk.h) counts the recipients that a filter means, their messages and
// bytes, the oldest of them, and how much each sender and each recipient domain has, so that an
// operator sees whether he means what he typed. Of either kind core::kQueueGroupsMax names are told
// apart.
//
// Made for one request, run by its shard (queue/shard_operator.h), gone when done.
#ifndef OUTBOX_QUEUE_PURGE_PREVIEW_H_
#define OUTBOX_QUEUE_PURGE_PREVIEW_H_

#include <cstdint>
#include <string>
#include <vector>

#include "core/string_map.h"
#include "queue/queue_lister.h"

namespace outbox::queue {

struct PurgeFacts {
  struct Group {
    uint64_t recipients = 0;
    uint64_t bytes = 0;  // of their messages, once for each recipient
  };
  using Groups = core::StringMap<Group>;

  uint64_t recipients = 0;
  uint64_t messages = 0;  // that they are of; with other recipients or not
  uint64_t bytes = 0;     // of these messages
  uint64_t sending = 0;   // recipients that are being sent at this moment
  int64_t oldest_ns = 0;  // its age
  Groups senders;         // by reverse-path; "" is the null one
  Groups domains;         // of the recipients
  ListGaps gaps;

  // Of another shard.
  void Add(const PurgeFacts& other);
};

class PurgePreviewSink {
 public:
  virtual ~PurgePreviewSink() = default;
  // Nobody listens any more.
  virtual bool gone() const = 0;
  // Once, on the shard's thread.
  virtual void OnPurgeFacts(PurgeFacts facts) = 0;
};

class PurgePreview : public OperatorWork, private QueueWalker {
 public:
  // `stores` are the shard's; they, home and the sink outlive it.
  PurgePreview(io::Io* io, Home* home, std::vector<Store*> stores, QueueFilter filter,
               PurgePreviewSink* sink);

  // OperatorWork
  void Tick() override;
  bool wants_turn() const override { return walk_.wants_turn(); }
  bool done() const override { return walk_.done(); }
  void Stop() override { walk_.Stop(); }

 private:
  // QueueWalker
  Interest Look(const Message& message) override;
  void Visit(Message* message, const MetaView* meta, const WalkPart& part) override;
  void OnUnreadable(Message* message, uint32_t from, const core::Status& why) override;
  bool full() const override { return false; }
  bool acts() const override { return false; }

  void Count(const QueueItem& item);

  io::Io* const io_;
  Home* const home_;
  const std::vector<Store*> stores_;
  const QueueFilter filter_;
  PurgePreviewSink* const sink_;
  QueueWalk walk_;
  PurgeFacts facts_;
  uint64_t counted_ = 0;  // the message that was counted last; its parts come one after the other
  std::string name_;      // scratch
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_PURGE_PREVIEW_H_
