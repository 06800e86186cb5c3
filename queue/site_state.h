// SiteState: the words of a site in the shared table, for people.
//
// A copy of one moment; times are wall clock, 0 for none. Read from any thread.
#ifndef OUTBOX_QUEUE_SITE_STATE_H_
#define OUTBOX_QUEUE_SITE_STATE_H_

#include <cstdint>
#include <string>

#include "queue/site.h"

namespace outbox::queue {

struct SiteState {
  uint32_t connections = 0;
  uint32_t limit = 0;
  uint32_t window = 0;    // connections that the slow start allows; 0: the limit
  uint32_t failures = 0;  // in a row
  int64_t blocked_until_wall_ns = 0;    // left alone, for whatever reason
  int64_t suspended_until_wall_ns = 0;  // since a reply has asked for it
  int64_t narrow_until_wall_ns = 0;     // until then the window does not grow, likewise
  int64_t slow_until_wall_ns = 0;       // until then the rate is as it is, likewise
  bool slowed = false;                  // the rate is lower than configured; it may be recovering
  int64_t interval_ns = 0;              // between two messages now; 0: no limit
};

SiteState StateOf(const Site& site, int64_t now_ns, int64_t wall_ns);

// "12/min" of an interval, to three digits; "none" for 0.
std::string FormatInterval(int64_t interval_ns);

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_SITE_STATE_H_
