// What a notification says of addresses that are not ASCII (RFC 6533).
//
// A notification stays ASCII, so that any host takes it: its text is encoded where it has to be,
// and the report for programs has a form of its own for such addresses. Only one that goes to such
// an address has UTF-8 in its header, and needs SMTPUTF8 on its way. Pure.
#ifndef OUTBOX_QUEUE_DSN_UTF8_H_
#define OUTBOX_QUEUE_DSN_UTF8_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace outbox::queue {

// What a stranger wrote, on one line of bounded length: without control characters, and with '?'
// for octets that are not UTF-8.
std::string PresentableUtf8(std::string_view text, size_t octets_max);

// An address as fields of message/delivery-status have it: "rfc822; bob@example.net", or with the
// type utf-8 as utf-8-addr-xtext, "utf-8; j\x{F6}rg@b\x{FC}cher.example" (RFC 6533 3).
std::string TypedAddress(std::string_view address);

// The value of To: with A-labels if that makes it ASCII, else as it is.
std::string ToField(std::string_view return_path);

// A part of text/plain, its header included, from lines in wire form; quoted-printable if they are
// not ASCII.
std::string TextPart(std::string_view description, std::string_view lines);

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_DSN_UTF8_H_
