// Lookups: one name, one type, one answer: from the cache, or from the servers.
//
// Equal questions at the same time are asked once. An alias that a server leaves open is followed
// by another question (limits.h kDnsAliasesMax). What comes is kept as long as it holds; that
// nobody answered is kept for a moment, too.
//
// Lives on one shard. Whoever waits embeds an AnswerWait, which is called once, never from inside
// of Find.
#ifndef OUTBOX_DNS_LOOKUPS_H_
#define OUTBOX_DNS_LOOKUPS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/intrusive_list.h"
#include "core/string_map.h"
#include "dns/answer.h"
#include "dns/answer_cache.h"
#include "dns/counters.h"
#include "dns/transport.h"
#include "io/io.h"

namespace outbox::dns {

struct AnswerWait {
  template <auto Method, typename Owner>
  void Bind(Owner* target) {
    owner = target;
    done = [](AnswerWait* wait, const AnswerPtr& answer) {
      (static_cast<Owner*>(wait->owner)->*Method)(wait, answer);
    };
  }
  bool waiting() const { return link.linked(); }

  void* owner = nullptr;
  void (*done)(AnswerWait* wait, const AnswerPtr& answer) = nullptr;
  core::ListLink link;
};

class Lookups {
 public:
  Lookups(io::Io* io, Transport* transport, ResolverCounters* counters);
  Lookups(const Lookups&) = delete;
  Lookups& operator=(const Lookups&) = delete;
  // REQUIRES: nobody waits.
  ~Lookups();

  // The answer, if it is known; else null, and `wait` is called when it is. `name` in lower case,
  // CanAskFor(name). `patient`: as in Question (dns/transport.h).
  AnswerPtr Find(AnswerWait* wait, std::string_view name, RecordType type, bool patient = false);
  // No effect when it does not wait. The lookup itself goes on.
  void Cancel(AnswerWait* wait) {
    if (wait->waiting()) wait->link.Unlink();
  }

  // An answer that says nothing, now: `failure` is why.
  AnswerPtr MakeFailure(std::string failure) const;
  void ClearCache() { cache_.Clear(); }
  // After Transport::Close: what is asked is forgotten. REQUIRES: nobody waits.
  void Close() { lookups_.clear(); }

  size_t in_flight() const { return lookups_.size(); }
  size_t cached() const { return cache_.size(); }

 private:
  struct Lookup {
    Lookups* lookups = nullptr;
    std::string key;
    Question question;
    uint32_t aliases = 0;           // followed by questions of our own
    std::optional<uint32_t> ttl_s;  // of those aliases
    core::IntrusiveList<AnswerWait, &AnswerWait::link> waits;

    void OnDone(QuestionResult* result) { lookups->OnDone(this, result); }
  };

  void OnDone(Lookup* lookup, QuestionResult* result);
  void FollowAlias(Lookup* lookup, const Reply& reply);
  AnswerPtr MakeAnswer(const Lookup& lookup, QuestionResult* result) const;
  void Finish(Lookup* lookup, const AnswerPtr& answer);

  io::Io* const io_;
  Transport* const transport_;
  ResolverCounters* const counters_;
  AnswerCache cache_;
  core::StringMap<std::unique_ptr<Lookup>> lookups_;  // in flight, by key
};

}  // namespace outbox::dns

#endif  // OUTBOX_DNS_LOOKUPS_H_
