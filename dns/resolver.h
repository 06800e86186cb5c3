// Resolver: names become hosts and addresses. One per shard.
//
// Above the cache (dns/answer_cache.h) and the transport (dns/transport.h): it asks for the MX of a
// domain, then for the addresses of all its hosts at once, and puts the answers together into a
// plan (dns/mx_plan.h). Whoever asks the same question at the same time shares the answer.
//
// A resolution has two ways to end. When everything is known already the call itself returns the
// plan, and nothing was started. Otherwise it returns null, the query is in flight, and its
// function is called exactly once, later, from the shard's loop (a completion or a timer) and never
// from inside a call of this class. It always ends: a question is given up after limits.h
// kDnsQuestionNs, and a host whose address nobody can tell does not keep the others.
//
// Lifecycle: made with its shard; Close() once every query is cancelled or done; turns go on until
// closed(); destroyed. All calls on the shard's thread.
#ifndef OUTBOX_DNS_RESOLVER_H_
#define OUTBOX_DNS_RESOLVER_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/intrusive_list.h"
#include "core/ip_address.h"
#include "core/random.h"
#include "core/timer_wheel.h"
#include "dns/mx_plan.h"
#include "io/io.h"

namespace outbox::dns {

struct ResolverOptions {
  // Asked in turn. None: every resolution fails for now, with a sentence that says so.
  std::vector<core::SocketAddress> servers;
  // This machine, as MX records may name it: RFC 5321 5.1 cuts the list of hosts there. Names in
  // any case; networks for the addresses that we listen on (a single address is a network, too).
  std::vector<std::string> own_names;
  std::vector<core::Network> own_networks;
  // A family that is off is not asked for.
  bool ipv4 = true;
  bool ipv6 = true;
};

struct ResolverCounters {
  uint64_t resolutions = 0;    // ResolveMx and ResolveHosts
  uint64_t cache_hits = 0;     // questions answered by the cache
  uint64_t coalesced = 0;      // questions that joined one in flight
  uint64_t questions = 0;      // that went to a server
  uint64_t datagrams = 0;      // sent; more than one for a question whose server did not answer
  uint64_t tcp = 0;            // questions asked again by TCP
  uint64_t timeouts = 0;       // a server did not answer in time
  uint64_t server_errors = 0;  // SERVFAIL, REFUSED and the like
  uint64_t mismatches = 0;     // datagrams that did not answer what was asked: ignored
  uint64_t malformed = 0;      // answers that could not be read
  uint64_t failed = 0;         // questions that no server answered
};

// One resolution. Embedded in its owner; not in flight when destroyed (Cancel it).
class Query {
 public:
  Query() = default;
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;
  ~Query() { CHECK(!in_flight()); }

  // Binds the completion: query.Bind<&Destination::OnPlan>(this), with
  // void OnPlan(const MxPlanPtr& plan). In it the query is free to be used again or destroyed.
  template <auto Method, typename Owner>
  void Bind(Owner* owner) {
    owner_ = owner;
    done_ = [](void* target, const MxPlanPtr& plan) {
      (static_cast<Owner*>(target)->*Method)(plan);
    };
  }

  bool in_flight() const { return link_.linked(); }

 private:
  friend class Resolver;
  void* owner_ = nullptr;
  void (*done_)(void*, const MxPlanPtr&) = nullptr;
  core::ListLink link_;  // in the resolution that it waits for
};

class Resolver {
 public:
  Resolver(io::Io* io, core::TimerWheel* wheel, const ResolverOptions& options);
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;
  // REQUIRES: closed(), or nothing was ever asked.
  ~Resolver();

  // Who takes the mail for `domain`: a name in any case, with or without a final dot, or an address
  // literal ("[192.0.2.1]", "[IPv6:2001:db8::1]"), which is its own and only host. The plan, or
  // null when `query` is now in flight. REQUIRES: !query->in_flight(), bound.
  MxPlanPtr ResolveMx(Query* query, std::string_view domain);
  // The addresses of hosts whose names are given (those in `via`), at most limits.h
  // kConfigViaHosts; an IP address among them stands for itself. The plan has every one of them, at
  // its place: kHosts when at least one has an address, kTemporary when none has and one of them
  // may have later, else kNoAddress. Nothing is cut at ourselves. Otherwise as ResolveMx.
  MxPlanPtr ResolveHosts(Query* query, std::span<const std::string> names);
  // Takes the query back: it does not complete, and is not in flight when this returns. What was
  // asked for it goes on and fills the cache. No effect on one that is not in flight.
  void Cancel(Query* query);

  // After a reload. What is in flight ends with the servers that it began with; the cache is
  // dropped when the servers are others.
  void SetOptions(const ResolverOptions& options);
  // Drops the cache: the next questions go to the servers ("clear", "retry").
  void Forget();

  // The end: takes no more resolutions, stops what is on the way.
  void Close();
  bool closed() const;

  const ResolverCounters& counters() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace outbox::dns

#endif  // OUTBOX_DNS_RESOLVER_H_
