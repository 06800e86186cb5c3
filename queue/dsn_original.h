// What a notification quotes of the message that it is about.
#ifndef OUTBOX_QUEUE_DSN_ORIGINAL_H_
#define OUTBOX_QUEUE_DSN_ORIGINAL_H_

#include <string>
#include <string_view>

#include "queue/bounce.h"
#include "queue/dsn_text.h"

namespace outbox::queue {

// The value of the first field with this name (lower case), unfolded; empty if there is none.
std::string HeaderField(const DsnFacts& facts, std::string_view name);

// The last part of a multipart/report (RFC 6522): the message (message/rfc822) with `facts.full`,
// else its header section.
void QuoteOriginal(WireWriter* writer, const DsnFacts& facts);

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_DSN_ORIGINAL_H_
