// Added headers: what a relay writes in front of a message that it accepts.
//
// A Received field (RFC 5321 4.4) always; Date and Message-ID (RFC 5322 3.6.1, 3.6.4) when they are
// missing and the client is one of our own (RFC 6409 8: a submission server may add them). They are
// the message's prefix: they precede the body, which is stored and sent exactly as it came. Pure.
#ifndef OUTBOX_QUEUE_ADDED_HEADERS_H_
#define OUTBOX_QUEUE_ADDED_HEADERS_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "core/ip_address.h"

namespace outbox::queue {

struct AddedHeaderFacts {
  std::string_view hostname;  // ours
  std::string_view helo;      // the name that the client gave itself; anything, is made presentable
  core::IpAddress client;
  bool extended = false;        // ESMTP, RFC 3848
  bool authenticated = false;   // by AUTH
  bool utf8 = false;            // the client has said SMTPUTF8: RFC 6531 4.3
  std::string_view tls_cipher;  // as IANA spells it (RFC 8314 4.3); empty: no TLS
  std::string_view id;          // ours, as logs print it
  // The only one, or empty (RFC 5321 7.2: several are not disclosed). Written with A-labels if that
  // is enough for it to be ASCII: the field keeps no host from getting the message.
  std::string_view recipient;
  int64_t now_wall_ns = 0;
  bool add_date = false;
  bool add_message_id = false;
};

// Appends whole header lines in wire form to `out`. Lines stay under 998 octets.
void AppendAddedHeaders(const AddedHeaderFacts& facts, std::string* out);

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_ADDED_HEADERS_H_
