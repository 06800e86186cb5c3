// Draft: one message while it is being received, from MAIL to its commit.
//
// Holds the envelope, the body (in memory, or in extents once it is large or said to be), and the
// operation that makes it durable. Drafts are pooled: a session has one only during a transaction,
// so an idle session costs nothing here, and a draft's buffers are warm when it is used again.
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
#include "queue/body_blocks.h"
#include "queue/client_name.h"
#include "queue/draft_signing.h"
#include "queue/header_fields.h"
#include "queue/message_meta.h"
#include "queue/router.h"
#include "queue/signing_line.h"
#include "queue/store.h"
#include "queue/utf8_header.h"
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
  // `router` has routed it; today's may be another. `user` has handed it in, if it is known.
  virtual void OnDraftCommitted(Store* store, Message* message, const MetaView& meta,
                                const Router* router, const ClientName& user) = 0;
};

// What a route says that refuses mail; nothing when `text` is empty. Views belong to the router.
struct Rejection {
  std::string_view route;
  std::string_view text;

  explicit operator bool() const { return !text.empty(); }
};

// What is written about where a message came from.
struct DraftOrigin {
  std::string_view hostname;  // ours
  std::string_view helo;
  core::IpAddress client;
  bool extended = false;
  std::string_view tls_cipher;  // empty: it came in the clear. The text lives for ever
  bool own_client = false;      // add Date and Message-ID when they are missing
  ClientName user;              // by AUTH
};

class Draft {
 public:
  explicit Draft(DraftPool* pool);
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;

  // The draft keeps the router until it is done with it: a reload does not disturb it.
  void Start(DraftOwner* owner, const smtp::MailRequest& request, const core::IpAddress& client,
             std::shared_ptr<const Router> router);
  // Whoever the table says signs the message. Before the body comes.
  void SignBy(std::shared_ptr<const dkim::SigningTable> table) { signing_ = std::move(table); }
  // The client has said SMTPUTF8. Before the body comes.
  void DeclareUtf8() { utf8_header_.Start(true); }
  // A recipient that a route refuses is not added. A mailbox that is there already is not added
  // again: one that is meant by several addresses gets one copy, and has what was asked for first.
  Rejection AddRecipient(std::string_view address, const smtp::RecipientDsn& dsn);
  // The same for one in a local domain that has no mailbox (Router::RouteNoMailbox).
  Rejection AddWithoutMailbox(std::string_view address, const smtp::RecipientDsn& dsn);
  const Router& router() const { return *router_; }
  uint32_t recipients() const { return static_cast<uint32_t>(entries_.size()); }

  // Before the body comes. False: there is no memory now for one as large as the client has said;
  // OnDraftRoom follows when there is.
  bool Prepare();
  smtp::BodyState Append(std::string_view bytes);
  // Where to receive into directly; empty while the body is small and not said to be larger, or
  // when there is no room.
  std::span<char> Space();
  smtp::BodyState Advance(size_t bytes);

  // The body could not be stored: Commit must not be called.
  bool failed() const { return failed_; }
  // The whole body has come: routes that ask for header fields or the size decide now. Whom one of
  // them refuses, it refuses the message with, for SMTP has but one answer here.
  Rejection Decide(const smtp::BodySummary& summary);
  // REQUIRES: !failed(), Decide has refused nothing. The owner hears OnDraftDone, never inside this
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
    uint32_t orcpt_at = 0;  // in text_
    uint16_t orcpt_size = 0;
    smtp::NotifyBits notify = 0;
    bool decided = true;  // by a route that needs to know no more
  };
  struct Choice {
    std::string_view route;
    std::span<const uint32_t> retry_s;
    Periods periods;
    uint32_t index = 0;  // RouteChoice::index
  };

  std::string_view Key(const Entry& entry) const {
    return std::string_view(text_).substr(entry.key_at, entry.key_size);
  }
  std::string_view body() const;
  // Takes `bytes` into memory. False: they belong into a stream.
  bool Hold(std::string_view bytes);
  bool TakeBlock();
  smtp::RecipientDsn Dsn(const Entry& entry) const {
    return {entry.notify, std::string_view(text_).substr(entry.orcpt_at, entry.orcpt_size)};
  }
  Rejection Add(const RouteChoice& choice, const smtp::RecipientDsn& dsn);
  void AddEntry(const RouteChoice& choice, const smtp::RecipientDsn& dsn);
  bool HasRecipient(std::string_view address) const;
  // The mailboxes that get a copy become recipients, each once.
  void AddCopies();
  bool BeginStream();
  RouteFacts Facts() const;
  // `before`: an entry that may share what is kept of the choice; null: none.
  void SetChoice(Entry* entry, const Entry* before, const RouteChoice& choice);
  // What goes to the disk before we have all of it: looked at for what needs it.
  void LookAt(std::string_view bytes);
  smtp::BodyState Spill(std::string_view bytes);
  // Writes to the stream what waits in memory, as far as there is room.
  void Unload();
  bool unloaded() const { return block_ == nullptr && overflow_.empty(); }
  void FreeBlock();
  void BuildMeta();
  void BuildPrefix();
  // The body is complete: the added fields, the signature (OnSigned may follow), the record.
  void Seal();
  std::unique_ptr<dkim::MessageSigner> ChooseSigner(const char** why_not);
  void OnSigned();
  void StoreRecord();
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
  std::string text_;     // reverse-path, addresses, keys, and what ORCPT said
  uint32_t reverse_path_size_ = 0;
  smtp::DsnReturn ret_ = smtp::DsnReturn::kUnspecified;
  std::string envid_;
  core::IpAddress client_;
  uint64_t draw_ = 0;       // RouteFacts::draw
  bool undecided_ = false;  // some entry
  std::vector<Entry> entries_;
  std::vector<Choice> choices_;
  uint64_t declared_bytes_ = 0;
  std::string body_;         // while it is small
  BodyBlocks::Block block_;  // then, until it is large
  size_t block_bytes_ = 0;   // in it
  size_t block_at_ = 0;      // what the stream has taken of them
  std::string overflow_;     // behind that: at most a small body and what was received
  std::string header_;       // of a large one, its beginning, when a route looks into it
  std::shared_ptr<const dkim::SigningTable> signing_;  // null: nobody signs
  std::unique_ptr<DraftSigning> signing_stream_;       // of a large one that may be signed
  std::unique_ptr<SigningJob> signing_job_;
  size_t header_bytes_ = 0;  // of the body, while it is being signed
  Utf8Header utf8_header_;
  BodyStream stream_;
  smtp::BodySummary summary_;
  DraftOrigin origin_;
  std::string hostname_;
  std::string helo_;
  std::string user_;
  uint64_t id_ = 0;
  std::string prefix_;
  MetaBuilder meta_;
  std::span<const char> meta_bytes_;
  iovec body_part_ = {};
  AppendOp append_;
};

// All drafts of a shard; at most `capacity` in use, each bounded by its envelope (recipients) and
// core::kSmallBodyBytes of body, and all together by core::kBodyBlocksMax blocks.
class DraftPool {
 public:
  DraftPool(io::Io* io, Store* store, DraftSink* sink, uint32_t capacity, SigningLine* signing);
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
  SigningLine* const signing_;
  BodyBlocks blocks_;
  uint32_t in_use_ = 0;
  uint64_t drafts_ = 0;  // ever begun
  std::vector<std::unique_ptr<Draft>> free_;
  HeaderFields header_;  // scratch: of the message that is being routed
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_DRAFT_H_
