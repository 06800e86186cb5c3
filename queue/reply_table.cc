#include "queue/reply_table.h"

#include "core/check.h"
#include "core/limits.h"

namespace outbox::queue {

void ReplyTable::MakeKey(uint16_t code, std::string_view enhanced, std::string_view text,
                         std::string_view mailhost, std::string* key) {
  key->clear();
  key->append(std::to_string(code)).push_back('\0');
  key->append(enhanced).push_back('\0');
  key->append(mailhost).push_back('\0');
  key->append(text);
}

LastReply* ReplyTable::Acquire(uint16_t code, std::string_view enhanced, std::string_view text,
                               std::string_view mailhost) {
  text = text.substr(0, core::kReplyTextMax);
  enhanced = enhanced.substr(0, core::kReplyTextMax);
  mailhost = mailhost.substr(0, core::kReplyTextMax);
  MakeKey(code, enhanced, text, mailhost, &key_);
  std::unique_ptr<LastReply>& reply = replies_[key_];
  if (reply == nullptr) {
    reply = std::make_unique<LastReply>();
    reply->code = code;
    reply->enhanced = std::string(enhanced);
    reply->text = std::string(text);
    reply->mailhost = std::string(mailhost);
    if (free_.empty()) {
      reply->index = static_cast<uint32_t>(by_index_.size());
      by_index_.push_back(reply.get());
    } else {
      reply->index = free_.back();
      free_.pop_back();
      by_index_[reply->index] = reply.get();
    }
  }
  ++reply->references;
  return reply.get();
}

void ReplyTable::Release(LastReply* reply) {
  if (reply == nullptr) return;
  CHECK(reply->references > 0);
  if (--reply->references > 0) return;
  by_index_[reply->index] = nullptr;
  free_.push_back(reply->index);
  MakeKey(reply->code, reply->enhanced, reply->text, reply->mailhost, &key_);
  CHECK(replies_.erase(key_) == 1);
}

}  // namespace outbox::queue
