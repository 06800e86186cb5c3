// Rates as an operator writes them: "100/min", "5/s", "2000/h", "50000/d".
#ifndef OUTBOX_CORE_RATE_H_
#define OUTBOX_CORE_RATE_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "core/status.h"

namespace outbox::core {

// So many events in a time. 0 events: no limit.
struct Rate {
  uint32_t events = 0;
  int64_t per_ns = 0;

  bool limited() const { return events > 0; }
  bool operator==(const Rate&) const = default;
};

// Takes a whole number from 1 to 1,000,000, a slash and one of s, min, h, d.
Result<Rate> ParseRate(std::string_view text);

// What ParseRate reads again; "none" without a limit.
std::string FormatRate(const Rate& rate);

}  // namespace outbox::core

#endif  // OUTBOX_CORE_RATE_H_
