// The wire form of DNS messages (RFC 1035 4.1, RFC 6891), by udns.
//
// codec.cc is the only file that includes udns.h, and it uses the functions that take a message
// apart; udns's own resolver is never used (docs/architecture.md).
#ifndef OUTBOX_DNS_CODEC_H_
#define OUTBOX_DNS_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "dns/message.h"

namespace outbox::dns {

// The longest question, its EDNS0 record included.
inline constexpr size_t kQuestionBytesMax = 12 + 255 + 4 + 11;

// True when the name can be asked for: letters, digits, hyphens and underscores in labels of 1 to
// 63 octets, 253 in all, without a final dot.
bool CanAskFor(std::string_view name);

// Writes a question with recursion desired; `edns` says that we take kDnsDatagramBytes. Returns the
// size. REQUIRES: CanAskFor(name), room for kQuestionBytesMax.
size_t EncodeQuestion(std::string_view name, RecordType type, uint16_t id, bool edns,
                      std::span<char> out);

// Takes a message apart. False when it is not one: too short, a name that leads out of it, a record
// that is cut off. Of a message that is truncated or has no question the records are not read.
// Whether it answers a question is for dns/answer.h to say.
bool DecodeMessage(std::span<const char> bytes, Message* message);

}  // namespace outbox::dns

#endif  // OUTBOX_DNS_CODEC_H_
