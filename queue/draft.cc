#include "queue/draft.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "core/limits.h"
#include "dkim/header_section.h"
#include "queue/added_headers.h"
#include "queue/destination_key.h"
#include "queue/message_id.h"

namespace outbox::queue {
namespace {

// Drafts that are kept warm.
constexpr size_t kWarmDrafts = 256;

}  // namespace

Draft::Draft(DraftPool* pool) : pool_(pool) {
  append_.Bind<&Draft::OnAppended>(this);
  stream_.Bind<&Draft::OnRoom, &Draft::OnStreamFinished>(this);
}

void Draft::Start(DraftOwner* owner, const smtp::MailRequest& request,
                  const core::IpAddress& client, std::shared_ptr<const Router> router) {
  CHECK(owner_ == nullptr && !busy_);
  owner_ = owner;
  declared_bytes_ = request.declared_size;
  router_ = std::move(router);
  client_ = client;
  draw_ = DrawOf(++pool_->drafts_);
  text_.assign(request.reverse_path.mailbox);
  reverse_path_size_ = static_cast<uint32_t>(text_.size());
  ret_ = request.ret;
  envid_.assign(request.envid);
}

// --- The body ------------------------------------------------------------------------------------

std::string_view Draft::body() const {
  return block_ == nullptr ? std::string_view(body_) : std::string_view(block_.get(), block_bytes_);
}

bool Draft::Hold(std::string_view bytes) {
  if (declared_bytes_ > core::kInlineBodyBytesMax) return false;
  if (block_ == nullptr) {
    if (body_.size() + bytes.size() <= core::kSmallBodyBytes) {
      body_.append(bytes);
      return true;
    }
    if (body_.size() + bytes.size() > BodyBlocks::kBytes || !TakeBlock()) return false;
  }
  if (block_bytes_ + bytes.size() > BodyBlocks::kBytes) return false;
  bytes.copy(block_.get() + block_bytes_, bytes.size());
  block_bytes_ += bytes.size();
  return true;
}

bool Draft::TakeBlock() {
  block_ = pool_->blocks_.Take();
  if (block_ == nullptr) return false;
  body_.copy(block_.get(), body_.size());
  block_bytes_ = body_.size();
  block_at_ = 0;
  body_.clear();
  return true;
}

bool Draft::BeginStream() {
  if (!pool_->store_->BeginStream(&stream_, declared_bytes_)) return false;
  LookAt(body());
  overflow_.assign(body_);
  body_.clear();
  return true;
}

void Draft::LookAt(std::string_view bytes) {
  utf8_header_.Append(bytes);
  if (signing_ != nullptr) {
    if (signing_stream_ == nullptr) {
      const std::string_view sender = std::string_view(text_).substr(0, reverse_path_size_);
      signing_stream_ = std::make_unique<DraftSigning>(pool_->signing_, signing_, sender);
    }
    signing_stream_->Append(bytes);
  }
  // The routes that look into the header.
  if (!undecided_ || !router_->needs_header()) return;
  header_.append(bytes.substr(0, core::kRouteHeaderBytes - header_.size()));
}

bool Draft::Prepare() {
  if (declared_bytes_ <= core::kInlineBodyBytesMax) return true;
  if (!stream_.active() && !BeginStream()) return true;  // Append will say so
  return !stream_.room().empty();
}

void Draft::Unload() {
  if (block_ != nullptr) {
    const std::string_view waits(block_.get() + block_at_, block_bytes_ - block_at_);
    block_at_ = block_bytes_ - stream_.Write(waits).size();
    if (block_at_ < block_bytes_) return;
    FreeBlock();
  }
  if (!overflow_.empty()) overflow_.erase(0, overflow_.size() - stream_.Write(overflow_).size());
}

void Draft::FreeBlock() {
  if (block_ != nullptr) pool_->blocks_.Give(std::move(block_));
  block_bytes_ = block_at_ = 0;
}

smtp::BodyState Draft::Spill(std::string_view bytes) {
  Unload();
  if (unloaded()) {
    overflow_.assign(stream_.Write(bytes));
  } else {
    overflow_.append(bytes);
  }
  if (stream_.failed()) return smtp::BodyState::kFailed;
  return unloaded() && !stream_.room().empty() ? smtp::BodyState::kMore : smtp::BodyState::kWait;
}

smtp::BodyState Draft::Append(std::string_view bytes) {
  if (failed_) return smtp::BodyState::kFailed;
  if (!stream_.active()) {
    if (Hold(bytes)) return smtp::BodyState::kMore;
    if (!BeginStream()) {
      failed_ = true;
      return smtp::BodyState::kFailed;
    }
  }
  LookAt(bytes);
  const smtp::BodyState state = Spill(bytes);
  failed_ = state == smtp::BodyState::kFailed;
  return state;
}

std::span<char> Draft::Space() {
  if (failed_) return {};
  if (!stream_.active() && block_ == nullptr) {
    // What will need a block has it from its first octet on.
    if (declared_bytes_ <= core::kSmallBodyBytes || !TakeBlock()) return {};
  }
  if (stream_.active()) return unloaded() ? stream_.room() : std::span<char>();
  return {block_.get() + block_bytes_, BodyBlocks::kBytes - block_bytes_};
}

smtp::BodyState Draft::Advance(size_t bytes) {
  if (failed_) return smtp::BodyState::kFailed;
  if (!stream_.active()) {
    block_bytes_ += bytes;
    return smtp::BodyState::kMore;
  }
  LookAt({stream_.room().data(), bytes});
  if (bytes > 0) stream_.Advance(bytes);
  if (stream_.failed()) {
    failed_ = true;
    return smtp::BodyState::kFailed;
  }
  return stream_.room().empty() ? smtp::BodyState::kWait : smtp::BodyState::kMore;
}

void Draft::OnRoom() {
  if (stream_.failed()) {
    failed_ = true;
    overflow_.clear();
    FreeBlock();
  } else {
    Unload();
    if (!unloaded() || (stream_.room().empty() && !busy_)) return;
  }
  if (busy_) {
    // Commit has been called and waited for the rest to fit.
    if (!failed_) {
      stream_.Finish();
    } else {
      const core::Status why = pool_->store_->status();  // a full spool is 452, a failing one 451
      Finish(why.ok() ? core::Status(core::StatusCode::kIoError, "the message could not be stored")
                      : why,
             0);
    }
    return;
  }
  if (owner_ != nullptr) owner_->OnDraftRoom();
}

// --- The commit ----------------------------------------------------------------------------------

void Draft::BuildPrefix() {
  AddedHeaderFacts facts;
  facts.hostname = hostname_;
  facts.helo = helo_;
  facts.client = origin_.client;
  facts.extended = origin_.extended;
  facts.utf8 = utf8_header_.declared();
  facts.tls_cipher = origin_.tls_cipher;
  facts.authenticated = !user_.empty();
  char id_text[kMessageIdChars];
  facts.id = FormatMessageId(id_, id_text);
  if (entries_.size() == 1) {
    facts.recipient =
        std::string_view(text_).substr(entries_[0].address_at, entries_[0].address_size);
  }
  facts.now_wall_ns = pool_->io_->wall_ns();
  facts.add_date = origin_.own_client && !summary_.has_date;
  facts.add_message_id = origin_.own_client && !summary_.has_message_id;
  prefix_.clear();
  AppendAddedHeaders(facts, &prefix_);
}

void Draft::BuildMeta() {
  if (router_->archives()) AddCopies();
  if (entries_.size() > 1) {
    // By destination, then by route (which has the periods), otherwise as the client gave them.
    std::sort(entries_.begin(), entries_.end(), [this](const Entry& a, const Entry& b) {
      int order = Key(a).compare(Key(b));
      if (order == 0) order = choices_[a.choice].route.compare(choices_[b.choice].route);
      return order != 0 ? order < 0 : a.address_at < b.address_at;
    });
  }
  uint8_t flags = 0;
  if (summary_.has_8bit) flags |= kFlagEightBit;
  if (!stream_.active()) utf8_header_.Append(body());
  utf8_header_.AppendFields(prefix_);
  if (utf8_header_.found()) flags |= kFlagUtf8Header | kFlagEightBit;
  if (reverse_path_size_ == 0) flags |= kFlagNullSender;
  const std::string_view reverse_path = std::string_view(text_).substr(0, reverse_path_size_);
  meta_.Start(id_, pool_->io_->wall_ns(), flags, reverse_path, origin_.client.ToString());
  meta_.SetDsn(ret_, envid_);
  for (size_t i = 0; i < entries_.size(); ++i) {
    const Entry& entry = entries_[i];
    const Choice& choice = choices_[entry.choice];
    if (i == 0 || Key(entry) != Key(entries_[i - 1]) ||
        choice.route != choices_[entries_[i - 1].choice].route) {
      meta_.AddGroup(Key(entry), choice.route, choice.retry_s, choice.periods);
    }
    meta_.AddRecipient(std::string_view(text_).substr(entry.address_at, entry.address_size),
                       Dsn(entry));
  }
  meta_.SetPrefix(prefix_);
}

void Draft::Commit(const smtp::BodySummary& summary, const DraftOrigin& origin) {
  CHECK(!busy_ && !entries_.empty());
  busy_ = true;
  summary_ = summary;
  origin_ = origin;
  hostname_.assign(origin.hostname);
  helo_.assign(origin.helo);
  user_.assign(origin.user.user);
  if (stream_.active()) {
    if (unloaded()) stream_.Finish();  // else when it has fitted: OnRoom
    return;
  }
  Seal();
}

// --- The signature -------------------------------------------------------------------------------

void Draft::Seal() {
  id_ = pool_->store_->NewId();
  BuildPrefix();
  if (signing_ != nullptr) {
    const char* why_not = nullptr;
    std::unique_ptr<dkim::MessageSigner> signer = ChooseSigner(&why_not);
    if (why_not != nullptr) pool_->signing_->NotSigned(id_, why_not);
    if (signer != nullptr) {
      signing_job_ = std::make_unique<SigningJob>();
      signing_job_->Bind<&Draft::OnSigned>(this);
      signing_job_->signer = std::move(signer);
      if (!stream_.active()) signing_job_->body = dkim::BodyBehind(body(), header_bytes_);
      signing_job_->added = prefix_;
      signing_job_->id = id_;
      if (!pool_->signing_->Sign(signing_job_.get())) return;
      prefix_.insert(0, signing_job_->fields);
    }
  }
  StoreRecord();
}

std::unique_ptr<dkim::MessageSigner> Draft::ChooseSigner(const char** why_not) {
  if (stream_.active()) return signing_stream_->TakeSigner(why_not);
  const std::string_view sender = std::string_view(text_).substr(0, reverse_path_size_);
  const std::string_view section = body().substr(0, core::kDkimHeaderBytes + 2);
  header_bytes_ = 0;
  const bool ends = dkim::FindHeaderEnd(section, &header_bytes_);
  std::unique_ptr<dkim::MessageSigner> signer =
      pool_->signing_->Choose(signing_, section.substr(0, header_bytes_), sender, why_not);
  if (ends || signer == nullptr) return signer;
  *why_not = kHeaderTooLong;
  return nullptr;
}

void Draft::OnSigned() {
  prefix_.insert(0, signing_job_->fields);
  StoreRecord();
}

void Draft::StoreRecord() {
  BuildMeta();
  const auto stuffed_dots = static_cast<uint32_t>(summary_.stuffed_dots);
  append_.stream = stream_.active() ? &stream_ : nullptr;
  append_.body = {};
  if (stream_.active()) {
    meta_.SetExtents(stream_.bytes(), stuffed_dots, stream_.extents());
  } else {
    meta_.SetBody(body().size(), stuffed_dots);
    body_part_ = {const_cast<char*>(body().data()), body().size()};
    append_.body = {&body_part_, 1};
  }
  meta_bytes_ = meta_.Finish();
  append_.meta = meta_bytes_;
  pool_->store_->Append(&append_);
}

void Draft::OnStreamFinished(const core::Status& status) {
  CHECK(busy_);
  if (!status.ok()) {
    Finish(status, 0);
    return;
  }
  Seal();
}

void Draft::OnAppended(const core::Status& status, Message* message) {
  if (status.ok()) {
    const std::optional<MetaView> meta = MetaView::Parse(meta_bytes_);
    CHECK(meta.has_value());
    pool_->sink_->OnDraftCommitted(pool_->store_, message, *meta, router_.get(),
                                   {user_, origin_.user.mechanism});
  }
  Finish(status, id_);
}

void Draft::Finish(const core::Status& status, uint64_t id) {
  DraftOwner* owner = std::exchange(owner_, nullptr);
  Reset();
  pool_->Free(this);
  if (owner != nullptr) owner->OnDraftDone(status, id);
}

void Draft::Leave() {
  owner_ = nullptr;
  if (busy_) return;
  Reset();
  pool_->Free(this);
}

void Draft::Reset() {
  if (stream_.active()) stream_.Abort();
  busy_ = false;
  failed_ = false;
  undecided_ = false;
  utf8_header_.Start(false);
  if (!header_.empty()) std::string().swap(header_);
  text_.clear();
  entries_.clear();
  choices_.clear();
  router_.reset();
  if (signing_ != nullptr) {
    signing_.reset();
    signing_stream_.reset();
    signing_job_.reset();
  }
  body_.clear();
  FreeBlock();
  overflow_.clear();
  overflow_.shrink_to_fit();
  append_.stream = nullptr;
}

// --- The pool ------------------------------------------------------------------------------------

DraftPool::DraftPool(io::Io* io, Store* store, DraftSink* sink, uint32_t capacity,
                     SigningLine* signing)
    : io_(io), store_(store), sink_(sink), capacity_(capacity), signing_(signing) {}

DraftPool::~DraftPool() { CHECK(in_use_ == 0); }

Draft* DraftPool::Take() {
  if (in_use_ >= capacity_) return nullptr;
  ++in_use_;
  if (free_.empty()) return new Draft(this);
  Draft* draft = free_.back().release();
  free_.pop_back();
  return draft;
}

void DraftPool::Free(Draft* draft) {
  CHECK(in_use_ > 0);
  --in_use_;
  if (free_.size() < kWarmDrafts) {
    free_.emplace_back(draft);
  } else {
    delete draft;
  }
}

}  // namespace outbox::queue
