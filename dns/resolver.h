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

#include "core/ip_address.h"
#include "core/timer_wheel.h"
#include "dns/counters.h"
#include "dns/mx_plan.h"
#include "dns/query.h"
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
