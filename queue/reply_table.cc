#include "queue/reply_table.h"

#include <algorithm>
#include <new>
#include <tuple>

#include "absl/hash/hash.h"
#include "absl/strings/string_view.h"
#include "core/check.h"
#include "core/limits.h"

namespace outbox::queue {
namespace {

absl::string_view Absl(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

size_t ReplyTable::Hash::operator()(const ReplyWords& words) const {
  using All = std::tuple<uint16_t, absl::string_view, absl::string_view, absl::string_view>;
  return absl::Hash<All>()(
      All(words.code, Absl(words.enhanced), Absl(words.text), Absl(words.mailhost)));
}

ReplyTable::~ReplyTable() {
  for (LastReply* reply : replies_) Free(reply);
}

LastReply* ReplyTable::Make(const ReplyWords& words) {
  static_assert(core::kReplyTextMax <= UINT16_MAX);
  const size_t bytes = words.enhanced.size() + words.text.size() + words.mailhost.size();
  LastReply* reply = new (::operator new(sizeof(LastReply) + bytes)) LastReply;
  reply->code_ = words.code;
  reply->enhanced_bytes_ = static_cast<uint16_t>(words.enhanced.size());
  reply->text_bytes_ = static_cast<uint16_t>(words.text.size());
  reply->mailhost_bytes_ = static_cast<uint16_t>(words.mailhost.size());
  char* out = reinterpret_cast<char*>(reply + 1);
  for (const std::string_view text : {words.enhanced, words.text, words.mailhost}) {
    out = std::copy(text.begin(), text.end(), out);
  }
  return reply;
}

void ReplyTable::Free(LastReply* reply) {
  reply->~LastReply();
  ::operator delete(reply);
}

LastReply* ReplyTable::Acquire(ReplyWords words) {
  for (std::string_view* text : {&words.enhanced, &words.text, &words.mailhost}) {
    *text = text->substr(0, core::kReplyTextMax);
  }
  const auto known = replies_.find(words);
  if (known != replies_.end()) return Acquire(*known);
  LastReply* reply = Make(words);
  if (free_.empty()) {
    reply->index_ = static_cast<uint32_t>(by_index_.size());
    by_index_.push_back(reply);
  } else {
    reply->index_ = free_.back();
    free_.pop_back();
    by_index_[reply->index_] = reply;
  }
  replies_.insert(reply);
  return Acquire(reply);
}

LastReply* ReplyTable::Acquire(LastReply* reply) {
  if (reply != nullptr) ++reply->references_;
  return reply;
}

void ReplyTable::Release(LastReply* reply) {
  if (reply == nullptr) return;
  CHECK(reply->references_ > 0);
  if (--reply->references_ > 0) return;
  by_index_[reply->index_] = nullptr;
  free_.push_back(reply->index_);
  CHECK(replies_.erase(reply) == 1);
  Free(reply);
}

}  // namespace outbox::queue
