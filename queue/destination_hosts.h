// DestinationHosts: what one destination knows about its hosts, and how it gets to know more.
//
// A list of addresses is known for ever. Everything else is asked of the DNS when mail comes and
// what is known is too old; whoever has mail asks, nobody asks for its own sake. What an answer
// means (RFC 5321 5.1, RFC 7505):
//   - Hosts: mail goes there. When they differ from those so far a new HostPlan is made, with its
//     site; the old one lives on until its users are done.
//   - (A key that names no hosts but what becomes of its mail is like an answer that is for good.)
//   - No such domain, null MX, no address, ourselves: for good; the mail bounces. (Names in a route
//     are the operator's, who can be wrong for a while: such mail waits.)
//   - No answer, or one that cannot be right: not resolvable for now; asked again when the answer
//     says so (S12: its TTL, or a few minutes), once for the destination and however much mail
//     waits. Hosts that were known before are used a while longer (as RFC 8767 does), since most
//     likely they are still right.
//
// Owned by its Destination, on the same shard.
#ifndef OUTBOX_QUEUE_DESTINATION_HOSTS_H_
#define OUTBOX_QUEUE_DESTINATION_HOSTS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/time.h"
#include "queue/destination_key.h"
#include "queue/host_finder.h"
#include "queue/host_plan.h"
#include "queue/ticket.h"

namespace outbox::queue {

class Destination;
struct OwnerShard;

enum class HostsStanding : uint8_t {
  kUnrouted,   // the key names no place
  kUnknown,    // never answered
  kKnown,      // plan()
  kPutOff,     // not resolvable for now: words()
  kUndeliverable,  // for good: words()
};

class DestinationHosts {
 public:
  // `key` outlives it.
  DestinationHosts(OwnerShard* shard, const std::string& key, Destination* destination);
  // REQUIRES: no plan has users.
  ~DestinationHosts();
  DestinationHosts(const DestinationHosts&) = delete;
  DestinationHosts& operator=(const DestinationHosts&) = delete;

  HostsStanding standing() const { return standing_; }
  // What is known may be acted on: an answer is there and not too old.
  bool Current() const;
  // Asks the DNS when what is known is too old. The answer may come from within:
  // Destination::OnAnswer, and OnPlan before it when there is a new plan.
  void Ask();
  // The same at once, however new the last answer is: an operator wants it.
  void AskNow();
  bool asking() const { return query_.in_flight; }
  // The answer is not waited for any longer.
  void Stop();

  // The present plan; null until there has been one. It stays when the DNS says otherwise later.
  HostPlan* plan() const { return plan_.get(); }
  // Somebody uses the plan, or does so no longer.
  void Use(HostPlan* plan) { ++plan->users; }
  void Release(HostPlan* plan);
  // The configuration may have changed: the plan's site and its limits are found anew.
  void Reconsider();

  // When what is known is too old; kNever: never. Steady.
  int64_t good_until_ns() const { return good_until_ns_; }
  // When the DNS is asked again though no new mail comes, since some is waiting.
  int64_t refresh_ns() const;
  // When the DNS is asked again for the mail that waits for it. While it does not know, that is by
  // its TTL or after the nominal minutes for the first hour, then less and less often.
  int64_t ask_again_ns() const { return ask_again_ns_; }
  // Since when the standing is as it is.
  int64_t since_ns() const { return since_ns_; }
  // What every recipient gets to read; with kUnrouted, kPutOff and kUndeliverable.
  const RecipientResult& words() const { return words_; }
  const DestinationKey& key() const { return parsed_; }
  // The name that is said in EHLO; empty: this relay's.
  std::string_view helo() const {
    return source_ == nullptr ? std::string_view() : std::string_view(source_->helo);
  }
  // "the source "news" (192.0.2.7)", for sentences.
  std::string SourceText() const;
  // It is put off, since no host can be reached from where it is to be sent from.
  bool unreachable_from_here() const { return standing_ == HostsStanding::kPutOff && no_family_; }

 private:
  // The hosts are looked for.
  void Begin();
  // What the configuration says of the source, and what follows from that (destination_source.cc).
  void TakeSource();
  std::shared_ptr<const core::SourceConfig> FindSource() const;
  void OnAnswer(const dns::MxPlanPtr& answer);
  void TakeAnswer(const dns::MxPlan& answer);
  void TakeHosts(HostPlan plan);
  void Enter(HostsStanding standing);
  int64_t AskAgainNs() const;
  SitePolicy PolicyFor(const SiteHosts& hosts) const;
  void Replace(std::unique_ptr<HostPlan> plan);
  int64_t now_ns() const;

  OwnerShard* const shard_;
  Destination* const destination_;
  const std::string& key_;  // the destination's
  DestinationKey parsed_;   // constant, but for the addresses of its source
  std::shared_ptr<const core::SourceConfig> source_;  // null: the key names none, or it is unknown
  HostsStanding standing_ = HostsStanding::kUnknown;
  bool no_family_ = false;
  int64_t since_ns_ = 0;
  int64_t good_until_ns_ = 0;
  int64_t ask_again_ns_ = 0;
  int64_t answered_ns_ = 0;
  int64_t stale_until_ns_ = 0;  // hosts of an older answer may be used until then
  RecipientResult words_;
  std::unique_ptr<HostPlan> plan_;
  std::vector<std::unique_ptr<HostPlan>> old_;  // with users
  HostQuery query_;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_DESTINATION_HOSTS_H_
