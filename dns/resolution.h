// Resolution: the way from a domain, or a list of hosts, to a plan.
//
// First the MX of the domain, then the addresses of all its hosts at once, IPv4 and IPv6; then the
// rules (dns/mx_rules.h) make the plan. When one host has an address the others are waited for only
// limits.h kDnsPatienceNs longer: a name server that is dead is not to keep mail from a host that
// is known.
//
// Made and owned by the Resolver for the first query, shared by those that come meanwhile, gone
// with its plan. Lives on one shard.
#ifndef OUTBOX_DNS_RESOLUTION_H_
#define OUTBOX_DNS_RESOLUTION_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/intrusive_list.h"
#include "core/timer.h"
#include "core/timer_wheel.h"
#include "dns/answer.h"
#include "dns/lookups.h"
#include "dns/mx_plan.h"
#include "dns/mx_rules.h"
#include "dns/query.h"
#include "io/io.h"

namespace outbox::dns {

class Resolution;

// What all resolutions of a shard work with.
struct ResolutionContext {
  io::Io* io = nullptr;
  core::TimerWheel* wheel = nullptr;
  Lookups* lookups = nullptr;
  Self self;
  bool ipv4 = true;
  bool ipv6 = true;
  // Takes the finished resolution away; not called when Start has returned the plan.
  void* owner = nullptr;
  void (*done)(void* owner, Resolution* resolution, const MxPlanPtr& plan) = nullptr;
};

class Resolution {
 public:
  Resolution(ResolutionContext* context, bool patient);
  Resolution(const Resolution&) = delete;
  Resolution& operator=(const Resolution&) = delete;
  // REQUIRES: nobody waits in `queries`.
  ~Resolution();

  // The plan when everything is known already, else null. One of them, once. `domain` in lower
  // case, CanAskFor(domain).
  MxPlanPtr StartMx(std::string_view domain);
  MxPlanPtr StartHosts(const std::vector<std::string>& names);

  const std::string& domain() const { return domain_; }  // "" for a list of hosts

  core::IntrusiveList<Query, &Query::link> queries;
  core::ListLink link;  // the resolver's

 private:
  // One host and its two questions.
  struct Host {
    AnswerWait a_wait;
    AnswerWait aaaa_wait;
    HostAnswers answers;
  };

  void OnMx(AnswerWait* wait, const AnswerPtr& answer);
  void OnAddress(AnswerWait* wait, const AnswerPtr& answer);
  void OnPatience();
  MxPlanPtr GoOn(const Answer& mx);
  MxPlanPtr AskHosts();
  void AskHost(std::string_view name, Host* host);
  AnswerPtr Ask(AnswerWait* wait, std::string_view name, RecordType type);
  void MaybeWaitShorter();
  MxPlanPtr MakePlan();
  int64_t now_ns() const { return context_->io->now_ns(); }

  ResolutionContext* const context_;
  const bool patient_;  // Query::patient of the first one
  std::string domain_;
  MxDraft draft_;
  AnswerWait mx_wait_;
  std::vector<std::unique_ptr<Host>> hosts_;  // of draft_.plan.hosts
  uint32_t pending_ = 0;                      // answers about hosts
  core::Timer patience_;
};

}  // namespace outbox::dns

#endif  // OUTBOX_DNS_RESOLUTION_H_
