// Limits: the bounds that are not configuration, each with what happens at it.
#ifndef OUTBOX_CORE_LIMITS_H_
#define OUTBOX_CORE_LIMITS_H_

#include <cstddef>
#include <cstdint>

namespace outbox::core {

// --- smtp
// ------------------------------------------------------------------------------------------

// Octets of a command line, CRLF included. RFC 5321 4.5.3.1.4 asks for 512 and more for extensions.
// A longer line is read to its end, dropped, and answered 500 5.5.2.
inline constexpr size_t kSmtpCommandLineMax = 1024;
// Recipients of one transaction by default; the next ones get 452 4.5.3. RFC 5321 4.5.3.1.8: 100 or
// more.
inline constexpr uint32_t kSmtpRecipientsMax = 1000;
// Refused commands since the last accepted message by default; at the next one the session is
// closed with 421.
inline constexpr uint32_t kSmtpErrorsMax = 20;
// Commands that bring mail no further (NOOP, RSET, VRFY, HELP, EHLO) since the last accepted
// message; each one above counts as an error.
inline constexpr uint32_t kSmtpIdleCommandsMax = 100;
// Octets of a line of text by default, without CRLF. RFC 5321 asks for 998 and real mail has longer
// ones, which are passed on as they are; a message with a line above this is refused, 550 5.6.0.
inline constexpr uint64_t kSmtpTextLineOctetsMax = 65536;
// Received headers by default; a message with more is in a loop (RFC 5321 6.3) and refused,
// 554 5.4.6.
inline constexpr uint32_t kSmtpReceivedHeadersMax = 100;
// A message that is refused already is read on to its end, so that the client gets the reply and
// not a broken connection; but no further than this many bytes: then the connection is closed.
inline constexpr uint64_t kSmtpDrainBytesMax = uint64_t{256} << 20;
// Room for the longest reply that the server session writes in one step.
inline constexpr size_t kSmtpReplyRoom = 1024;
// A message larger than this is received directly into the memory of its record.
inline constexpr uint64_t kSmtpBodyDirectBytes = 64 * 1024;

// Octets of a reply's text that the client keeps; the rest is dropped, the reply stays valid.
inline constexpr size_t kReplyTextMax = 512;
// Octets of one reply line, line end included; a longer one is a protocol error and ends the
// session.
inline constexpr size_t kReplyLineOctetsMax = 4096;
// Lines of one reply; one more is a protocol error and ends the session.
inline constexpr size_t kReplyLinesMax = 128;
// Recipients of one transaction of the client; as many as a ticket holds.
inline constexpr size_t kClientRecipientsMax = 64;
// Room for the longest command that the client session writes.
inline constexpr size_t kClientCommandMax = 512;

}  // namespace outbox::core

#endif  // OUTBOX_CORE_LIMITS_H_
