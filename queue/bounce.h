// Bounce: composes the delivery status notification that tells a sender what became of a message.
//
// Pure: facts in, a message in wire form out. RFC 3464 (delivery status), RFC 6522
// (multipart/report), RFC 3834 (Auto-Submitted). The text is for a person who does not know what
// SMTP is; the machine part behind it is for programs. The original's headers come along; its body
// only with a failure whose sender has asked for it (RFC 3461 4.3).
#ifndef OUTBOX_QUEUE_BOUNCE_H_
#define OUTBOX_QUEUE_BOUNCE_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace outbox::queue {

enum class DsnAction : uint8_t {
  kFailed,   // RFC 3464 2.3.3 "failed": given up for good
  kDelayed,  // "delayed": still trying
  kSucceeded,  // "delivered", or "relayed" to a host that does not report itself
};

// What happened to one recipient. Views must outlive the call only.
struct DsnRecipient {
  std::string_view address;   // forward-path without brackets
  uint16_t code = 0;          // SMTP reply code; 0: no host gave one
  std::string_view enhanced;  // RFC 3463 "5.1.1"; empty: derived from the code and the action
  std::string_view text;      // the reply's text, or our own sentence
  std::string_view mailhost;  // who said it, "192.0.2.1:25"; empty: nobody was reached
  bool expired = false;       // failed because retry-until passed
  std::string_view orcpt = {};  // what ORCPT said, in xtext; empty: nothing
  bool relayed = false;       // kSucceeded: not into its mailbox, but to the next host
};

struct DsnFacts {
  DsnAction action = DsnAction::kFailed;
  std::string_view reporting_mta;  // our host name
  std::string_view return_path;    // of the original; the DSN goes there. REQUIRES: not empty
  std::string_view message_id;     // our id of the original, as logs print it
  std::string_view dsn_id;         // our id of this notification
  int64_t arrival_wall_ns = 0;     // when the original was accepted
  int64_t now_wall_ns = 0;
  int64_t retry_until_wall_ns = 0;           // kDelayed: when we will give up
  std::span<const DsnRecipient> recipients;  // at least one
  std::string_view envid;                    // what ENVID said, in xtext; empty: nothing
  bool wants_full = false;  // the sender wants all of the message back, and
  bool full = false;        // has it: original_body is complete
  bool eight_bit = false;   // the original has octets above 127,
  bool utf8_header = false;  // also in its header (RFC 6532)
  // The start of the original as it is sent: added headers, then the message in wire form.
  // Unless `full` everything behind the header section is ignored, and at most kDsnHeaderBytesMax
  // of it are quoted.
  std::string_view original_prefix;
  std::string_view original_body;
};

// Octets of original headers that a DSN quotes; the rest is replaced by a line that says so.
inline constexpr size_t kDsnHeaderBytesMax = 32 * 1024;

// Appends the notification to `out` in wire form: CRLF lines, dot-stuffed, ending in CRLF.CRLF.
// 7-bit, in lines of at most 998 octets, but for a full original, which is as it was, and for a
// return path that has no ASCII form (queue/dsn_utf8.h). Never fails: whatever a peer or a sender
// wrote is made presentable.
void ComposeDsn(const DsnFacts& facts, std::string* out);

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_BOUNCE_H_
