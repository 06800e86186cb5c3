// ResolverCounters: what a shard's resolver has done since its start.
#ifndef OUTBOX_DNS_COUNTERS_H_
#define OUTBOX_DNS_COUNTERS_H_

#include <cstdint>

namespace outbox::dns {

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

}  // namespace outbox::dns

#endif  // OUTBOX_DNS_COUNTERS_H_
