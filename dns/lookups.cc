#include "dns/lookups.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "core/limits.h"
#include "core/time.h"
#include "dns/codec.h"

namespace outbox::dns {

Lookups::Lookups(io::Io* io, Transport* transport, ResolverCounters* counters)
    : io_(io), transport_(transport), counters_(counters), cache_(core::kDnsCacheEntries) {}

Lookups::~Lookups() { CHECK(lookups_.empty()); }

AnswerPtr Lookups::Find(AnswerWait* wait, std::string_view name, RecordType type, bool patient) {
  CHECK(!wait->waiting() && wait->done != nullptr && CanAskFor(name));
  std::string key = AnswerCache::KeyOf(name, type);
  if (AnswerPtr known = cache_.Find(key, io_->now_ns())) {
    ++counters_->cache_hits;
    return known;
  }
  if (const auto found = lookups_.find(key); found != lookups_.end()) {
    ++counters_->coalesced;
    found->second->waits.PushBack(wait);
    if (!patient) transport_->Hurry(&found->second->question);
    return nullptr;
  }
  if (!transport_->has_servers()) return MakeFailure("no name server is known");
  if (lookups_.size() >= core::kDnsQuestionsMax) {
    return MakeFailure("too many questions wait for an answer");
  }
  auto made = std::make_unique<Lookup>();
  Lookup* const lookup = made.get();
  lookup->lookups = this;
  lookup->key = key;
  lookup->question.Bind<&Lookup::OnDone>(lookup);
  lookup->question.name = name;
  lookup->question.type = type;
  lookup->question.patient = patient;
  lookup->waits.PushBack(wait);
  lookups_.emplace(std::move(key), std::move(made));
  transport_->Ask(&lookup->question);
  return nullptr;
}

AnswerPtr Lookups::MakeFailure(std::string failure) const {
  auto answer = std::make_shared<Answer>();
  answer->kind = AnswerKind::kFailed;
  answer->expires_ns = io_->now_ns() + core::kDnsFailureTtlNs;
  answer->failure = std::move(failure);
  return answer;
}

void Lookups::OnDone(Lookup* lookup, QuestionResult* result) {
  if (!result->answered) return Finish(lookup, MakeFailure(std::move(result->failure)));
  if (result->reply.kind == ReplyKind::kAlias) return FollowAlias(lookup, result->reply);
  Finish(lookup, MakeAnswer(*lookup, result));
}

// The servers may be others by now, or none.
void Lookups::FollowAlias(Lookup* lookup, const Reply& reply) {
  const uint32_t ttl_s = reply.ttl_s.value_or(0);
  lookup->ttl_s = std::min(lookup->ttl_s.value_or(ttl_s), ttl_s);
  if (!transport_->has_servers()) return Finish(lookup, MakeFailure("no name server is known"));
  if (++lookup->aliases > core::kDnsAliasesMax || !CanAskFor(reply.alias)) {
    QuestionResult invalid;
    invalid.reply.answer = AnswerKind::kInvalid;
    return Finish(lookup, MakeAnswer(*lookup, &invalid));
  }
  lookup->question.name = reply.alias;
  transport_->Ask(&lookup->question);
}

AnswerPtr Lookups::MakeAnswer(const Lookup& lookup, QuestionResult* result) const {
  Reply& reply = result->reply;
  auto answer = std::make_shared<Answer>();
  answer->kind = reply.answer;
  answer->mx = std::move(reply.mx);
  answer->addresses = std::move(reply.addresses);
  answer->names = std::move(reply.names);
  answer->texts = std::move(reply.texts);
  answer->server = std::move(result->server);
  if (reply.answer == AnswerKind::kInvalid) {
    answer->failure = "its aliases lead in a circle, too far, or to what is no name";
  }
  std::optional<uint32_t> ttl_s = reply.ttl_s;
  if (lookup.ttl_s && ttl_s) ttl_s = std::min(*ttl_s, *lookup.ttl_s);
  const bool records = reply.answer == AnswerKind::kRecords;
  // RFC 2308 5: a negative answer without a SOA is not to be kept.
  const int64_t ttl_ns = int64_t{ttl_s.value_or(0)} * core::kNsPerSecond;
  const int64_t max_ns = records ? core::kDnsTtlMaxNs : core::kDnsNegativeTtlMaxNs;
  answer->expires_ns = io_->now_ns() + std::min(ttl_ns, max_ns);
  return answer;
}

// Those who are called may ask the same again, or cancel others.
void Lookups::Finish(Lookup* lookup, const AnswerPtr& answer) {
  cache_.Put(lookup->key, answer, io_->now_ns());
  const auto found = lookups_.find(lookup->key);
  CHECK(found != lookups_.end());
  const std::unique_ptr<Lookup> mine = std::move(found->second);
  lookups_.erase(found);
  while (AnswerWait* wait = mine->waits.PopFront()) wait->done(wait, answer);
}

}  // namespace outbox::dns
