// What a status code means to somebody who has never heard of status codes: one sentence on what
// happened, one on what can be done.
//
// Pure. RFC 3463 defines the codes by subject (second number) and detail (third); a host that gives
// none is judged by its SMTP reply code (RFC 5321 4.2.3).
#ifndef OUTBOX_QUEUE_DSN_WORDS_H_
#define OUTBOX_QUEUE_DSN_WORDS_H_

#include <cstdint>
#include <string_view>

namespace outbox::queue {

struct PlainWords {
  std::string_view what;    // "The mailbox of this address is full."
  std::string_view advice;  // for mail that has failed; may be empty
};

// `enhanced`: "5.1.1", or empty. `code`: the SMTP reply's, 0 when no host gave one. Views are
// static.
PlainWords ExplainStatus(std::string_view enhanced, uint16_t code);

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_DSN_WORDS_H_
