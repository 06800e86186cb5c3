#include "queue/draft.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "core/limits.h"
#include "queue/added_headers.h"
#include "queue/message_id.h"

namespace outbox::queue {
namespace {

// Drafts that are kept warm, and the body capacity that a warm one may keep.
constexpr size_t kWarmDrafts = 256;
constexpr size_t kWarmBodyBytes = 16 * 1024;

}  // namespace

Draft::Draft(DraftPool* pool) : pool_(pool) {
  append_.Bind<&Draft::OnAppended>(this);
  stream_.Bind<&Draft::OnRoom, &Draft::OnStreamFinished>(this);
}

void Draft::Start(DraftOwner* owner, std::string_view reverse_path,
                  std::shared_ptr<const Router> router) {
  CHECK(owner_ == nullptr && !busy_);
  owner_ = owner;
  router_ = std::move(router);
  text_.assign(reverse_path);
  reverse_path_size_ = static_cast<uint32_t>(reverse_path.size());
}

void Draft::AddRecipient(const RouteChoice& choice) {
  const std::string_view address = choice.recipient;
  if (choice.local && HasRecipient(address)) return;
  Entry entry;
  entry.address_at = static_cast<uint32_t>(text_.size());
  entry.address_size = static_cast<uint16_t>(address.size());
  text_.append(address);
  if (!entries_.empty() && Key(entries_.back()) == choice.destination &&
      choices_.back().retry_s.data() == choice.retry_s.data()) {
    entry.key_at = entries_.back().key_at;
    entry.key_size = entries_.back().key_size;
    entry.choice = entries_.back().choice;
  } else {
    entry.key_at = static_cast<uint32_t>(text_.size());
    entry.key_size = static_cast<uint16_t>(choice.destination.size());
    text_.append(choice.destination);
    entry.choice = static_cast<uint32_t>(choices_.size());
    choices_.push_back({choice.route, choice.retry_s, choice.periods});
  }
  entries_.push_back(entry);
}

bool Draft::HasRecipient(std::string_view address) const {
  return std::any_of(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    return std::string_view(text_).substr(entry.address_at, entry.address_size) == address;
  });
}

// --- The body ------------------------------------------------------------------------------------

bool Draft::BeginStream() {
  if (!pool_->store_->BeginStream(&stream_)) return false;
  const std::string_view rest = stream_.Write(body_);
  overflow_.assign(rest);
  body_.clear();
  return true;
}

smtp::BodyState Draft::Spill(std::string_view bytes) {
  if (!overflow_.empty()) {
    overflow_.append(bytes);
    return smtp::BodyState::kWait;
  }
  overflow_.assign(stream_.Write(bytes));
  if (stream_.failed()) return smtp::BodyState::kFailed;
  return overflow_.empty() && !stream_.room().empty() ? smtp::BodyState::kMore
                                                      : smtp::BodyState::kWait;
}

smtp::BodyState Draft::Append(std::string_view bytes) {
  if (failed_) return smtp::BodyState::kFailed;
  if (!stream_.active()) {
    if (body_.size() + bytes.size() <= core::kInlineBodyBytesMax) {
      // At once, instead of twice as much again and again, each time with a copy.
      if (body_.size() + bytes.size() > std::max(body_.capacity(), kWarmBodyBytes)) {
        body_.reserve(core::kInlineBodyBytesMax);
      }
      body_.append(bytes);
      return smtp::BodyState::kMore;
    }
    if (!BeginStream()) {
      failed_ = true;
      return smtp::BodyState::kFailed;
    }
  }
  const smtp::BodyState state = Spill(bytes);
  failed_ = state == smtp::BodyState::kFailed;
  return state;
}

std::span<char> Draft::Space() {
  if (failed_ || !stream_.active() || !overflow_.empty()) return {};
  return stream_.room();
}

smtp::BodyState Draft::Advance(size_t bytes) {
  if (failed_) return smtp::BodyState::kFailed;
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
  } else if (!overflow_.empty()) {
    std::string rest(stream_.Write(overflow_));
    overflow_.swap(rest);
    if (!overflow_.empty() || (stream_.room().empty() && !busy_)) return;
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
  id_ = pool_->store_->NewId();
  BuildPrefix();
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
  if (reverse_path_size_ == 0) flags |= kFlagNullSender;
  const std::string_view reverse_path = std::string_view(text_).substr(0, reverse_path_size_);
  meta_.Start(id_, pool_->io_->wall_ns(), flags, reverse_path, origin_.client.ToString());
  for (size_t i = 0; i < entries_.size(); ++i) {
    const Entry& entry = entries_[i];
    const Choice& choice = choices_[entry.choice];
    if (i == 0 || Key(entry) != Key(entries_[i - 1]) ||
        choice.route != choices_[entries_[i - 1].choice].route) {
      meta_.AddGroup(Key(entry), choice.route, choice.retry_s, choice.periods);
    }
    meta_.AddRecipient(std::string_view(text_).substr(entry.address_at, entry.address_size));
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
  if (stream_.active()) {
    if (overflow_.empty()) stream_.Finish();  // else when it has fitted: OnRoom
    return;
  }
  BuildMeta();
  meta_.SetBody(body_.size(), static_cast<uint32_t>(summary_.stuffed_dots));
  meta_bytes_ = meta_.Finish();
  body_part_ = {body_.data(), body_.size()};
  append_.meta = meta_bytes_;
  append_.body = {&body_part_, 1};
  append_.stream = nullptr;
  pool_->store_->Append(&append_);
}

void Draft::OnStreamFinished(const core::Status& status) {
  CHECK(busy_);
  if (!status.ok()) {
    Finish(status, 0);
    return;
  }
  BuildMeta();
  meta_.SetExtents(stream_.bytes(), static_cast<uint32_t>(summary_.stuffed_dots),
                   stream_.extents());
  meta_bytes_ = meta_.Finish();
  append_.meta = meta_bytes_;
  append_.body = {};
  append_.stream = &stream_;
  pool_->store_->Append(&append_);
}

void Draft::OnAppended(const core::Status& status, Message* message) {
  if (status.ok()) {
    const std::optional<MetaView> meta = MetaView::Parse(meta_bytes_);
    CHECK(meta.has_value());
    pool_->sink_->OnDraftCommitted(pool_->store_, message, *meta, router_.get());
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
  text_.clear();
  entries_.clear();
  choices_.clear();
  router_.reset();
  body_.clear();
  if (body_.capacity() > kWarmBodyBytes) body_.shrink_to_fit();
  overflow_.clear();
  append_.stream = nullptr;
}

// --- The pool ------------------------------------------------------------------------------------

DraftPool::DraftPool(io::Io* io, Store* store, DraftSink* sink, uint32_t capacity)
    : io_(io), store_(store), sink_(sink), capacity_(capacity) {}

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
