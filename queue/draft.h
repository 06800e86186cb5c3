// Draft: one message while it is being received, from MAIL to its commit.
//
// Holds the envelope, the body (in memory, or in extents once it is large), and the operation that
// makes it durable. Drafts are pooled: a session has one only during a transaction, so an idle
// session costs nothing here, and a draft's buffers are warm when it is used again.
//
//   free -> envelope -> body -> Commit -> (extents durable ->) appended -> free
//
// Shard-local. The owner (queue/reception.h) may go away while the commit is in flight; the draft
// then finishes by itself.
#ifndef OUTBOX_QUEUE_DRAFT_H_
#define OUTBOX_QUEUE_DRAFT_H_

#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/ip_address.h"
#include "core/status.h"
#include "io/io.h"
#include "queue/message_meta.h"
#include "queue/router.h"
#include "queue/store.h"
#include "smtp/body_scanner.h"
#include "smtp/reception.h"

namespace outbox::queue {

class Draft;
class DraftPool;

// Who waits for a draft: the session.
class DraftOwner {
 public:
  virtual ~DraftOwner() = default;
  // More of the body can be taken.
  virtual void OnDraftRoom() = 0;
  // Committed (message is set), or not (the status says why). The draft goes back to its pool by
  // itself.
  virtual void OnDraftDone(const core::Status& status, uint64_t id) = 0;
};

// Who hears of every committed message: home.
class DraftSink {
 public:
  virtual ~DraftSink() = default;
  // `router` has routed it; today's may be another.
  virtual void OnDraftCommitted(Store* store, Message* message, const MetaView& meta,
                                const Router* router) = 0;
};

// What is written about where a message came from.
struct DraftOrigin {
  std::string_view hostname;  // ours
  std::string_view helo;
  core::IpAddress client;
  bool extended = false;
  bool own_client = false;  // add Date and Message-ID when they are missing
};

class Draft {
 public:
  explicit Draft(DraftPool* pool);
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;

  // The draft keeps the router until it is done with it: a reload does not disturb it.
  void Start(DraftOwner* owner, std::string_view reverse_path,
             std::shared_ptr<const Router> router);
  void AddRecipient(std::string_view address) { AddRecipient(router_->Route(address)); }
  // For whom the choice says. A mailbox that is there already is not added again: one that is meant
  // by several addresses gets one copy.
  void AddRecipient(const RouteChoice& choice);
  const Router& router() const { return *router_; }
  uint32_t recipients() const { return static_cast<uint32_t>(entries_.size()); }

  smtp::BodyState Append(std::string_view bytes);
  // Where to receive into directly; empty before the body is large, or when there is no room.
  std::span<char> Space();
  smtp::BodyState Advance(size_t bytes);

  // The body could not be stored: Commit must not be called.
  bool failed() const { return failed_; }
  // REQUIRES: !failed(). The whole body has come. The owner hears OnDraftDone, never inside this
  // call.
  void Commit(const smtp::BodySummary& summary, const DraftOrigin& origin);
  // The owner is gone or no longer interested. A commit in flight goes on; otherwise the draft is
  // free.
  void Leave();

 private:
  friend class DraftPool;

  struct Entry {
    uint32_t address_at = 0;  // in text_
    uint32_t key_at = 0;      // in text_
    uint16_t address_size = 0;
    uint16_t key_size = 0;
    uint32_t choice = 0;  // in choices_
  };
  struct Choice {
    std::string_view route;
    std::span<const uint32_t> retry_s;
    Periods periods;
  };

  std::string_view Key(const Entry& entry) const {
    return std::string_view(text_).substr(entry.key_at, entry.key_size);
  }
  bool HasRecipient(std::string_view address) const;
  bool BeginStream();
  smtp::BodyState Spill(std::string_view bytes);
  void BuildMeta();
  void BuildPrefix();
  void OnRoom();
  void OnStreamFinished(const core::Status& status);
  void OnAppended(const core::Status& status, Message* message);
  void Finish(const core::Status& status, uint64_t id);
  void Reset();

  DraftPool* const pool_;
  DraftOwner* owner_ = nullptr;
  std::shared_ptr<const Router> router_;
  bool busy_ = false;    // committing
  bool failed_ = false;  // the body cannot be stored
  std::string text_;     // reverse-path, addresses and keys
  uint32_t reverse_path_size_ = 0;
  std::vector<Entry> entries_;
  std::vector<Choice> choices_;
  std::string body_;  // while it is small
  std::string
      overflow_;  // what a stream had no room for; at most a small body and what was received
  BodyStream stream_;
  smtp::BodySummary summary_;
  DraftOrigin origin_;
  std::string hostname_;
  std::string helo_;
  uint64_t id_ = 0;
  std::string prefix_;
  MetaBuilder meta_;
  std::span<const char> meta_bytes_;
  iovec body_part_ = {};
  AppendOp append_;
};

// All drafts of a shard; at most `capacity` in use, each bounded by its envelope (recipients) and
// core::kInlineBodyBytesMax of body.
class DraftPool {
 public:
  DraftPool(io::Io* io, Store* store, DraftSink* sink, uint32_t capacity);
  // REQUIRES: none in use.
  ~DraftPool();

  // A free draft, or null at the capacity.
  Draft* Take();
  uint32_t in_use() const { return in_use_; }

 private:
  friend class Draft;
  void Free(Draft* draft);

  io::Io* const io_;
  Store* const store_;
  DraftSink* const sink_;
  const uint32_t capacity_;
  uint32_t in_use_ = 0;
  std::vector<std::unique_ptr<Draft>> free_;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_DRAFT_H_
