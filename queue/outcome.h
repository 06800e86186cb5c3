// Outcome: what a reply, or the lack of one, means for a recipient. The whole failure policy.
//
// Pure. Delivery tells what the session said and does what is answered here. The rules (RFC
// 5321 4.2.1, 4.5.3.1.10, 5.1):
//   - A host that cannot be reached, or answers anything but a permanent answer: the next host, at
//   once.
//   - A permanent answer is final for what it was about: the recipient at RCPT, the message at
//   MAIL,
//     DATA and the final dot.
//   - A permanent answer of the session (greeting, EHLO) condemns that host only. The mail bounces
//   when
//     every host has said so, and is deferred when one of them failed otherwise.
//   - 452 or 552 at RCPT behind an accepted one is a full transaction: the rest goes into the next.
//   - When the hosts are used up, what is left is deferred.
//   - A host that cannot be spoken to as encrypted as the route wants it, or that does not take the
//     route's user, for good or for now: the next host; deferred when none can, and never in the
//     clear or without AUTH. A wrong secret is the operator's mistake, not the sender's.
//   - Without a descriptor, memory or a port of our own no host was asked: nobody is blamed, and
//     the mail waits until we have one again. Likewise without the address that it is to be sent
//     from, as far as no other one will do.
#ifndef OUTBOX_QUEUE_OUTCOME_H_
#define OUTBOX_QUEUE_OUTCOME_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "queue/ticket.h"
#include "smtp/client_session.h"

namespace outbox::queue {

enum class Action : uint8_t {
  kDelivered,
  kNextTransaction,  // this recipient again, on the same connection if it lives
  kNextHost,         // not here; deferred when no host is left
  kBounce,
};

// What to do with one recipient.
Action JudgeRecipient(const smtp::RecipientResult& result);

// What the end of a session says about the host.
struct HostJudgement {
  // It would not talk to us, for good (5xx to the greeting or EHLO).
  bool refused = false;
  // It could not be reached, or ended the session before it answered anything about a message. When
  // all hosts of a destination are like that, the site backs off.
  bool unreachable = false;
  // It does not do what the route asks for: TLS; or it does not take the route's user. That says
  // nothing about other mail for it, so the site does not back off: the destination does.
  bool insecure = false;
  bool unknown = false;
  bool unfit() const { return insecure || unknown; }
  // It was never asked: the trouble is our own, and has nothing to do with the host or the mail.
  bool ours = false;
  // Likewise, and what is missing is the address to send from: other mail may go.
  bool unsourced = false;
};
HostJudgement JudgeSession(smtp::SessionEnd end, smtp::Stage stage, uint16_t code);

// The verdict for recipients that no host has decided: bounced when all `tried` hosts (>= 1) have
// refused the session for good, deferred otherwise.
Verdict JudgeLeftOver(uint32_t tried, uint32_t refused);

// Completes what is shown and written down about a recipient that was not delivered: the server's
// reply as it was given, or a sentence of ours. `host`: "10.1.2.3:25", for the sentence.
void DescribeRecipient(const smtp::RecipientResult& result, std::string_view host,
                       RecipientResult* out);
// The same for those that wait for a host when the session ended. `user`: whom we have said to be.
void DescribeSession(smtp::SessionEnd end, smtp::Stage stage, const smtp::Reply& reply,
                     std::string_view host, std::string_view user, RecipientResult* out);

// RFC 3463 text of a code: "5.1.1"; "" for none.
std::string EnhancedText(const smtp::EnhancedCode& code);

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_OUTCOME_H_
