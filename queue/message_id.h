// How a message's id is written: 13 characters that a person can read out over the telephone.
//
// Crockford's base 32 (digits and capital letters without I, L, O and U) of the 64-bit id, most
// significant digit first. Logs, commands, Received fields and DSNs all use this form.
#ifndef OUTBOX_QUEUE_MESSAGE_ID_H_
#define OUTBOX_QUEUE_MESSAGE_ID_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace outbox::queue {

inline constexpr size_t kMessageIdChars = 13;

// Writes the id to `into`, which must hold kMessageIdChars, and returns it there.
std::string_view FormatMessageId(uint64_t id, char* into);
std::string FormatMessageId(uint64_t id);
// Takes what FormatMessageId writes, in upper or lower case. Nothing if it is not an id.
std::optional<uint64_t> ParseMessageId(std::string_view text);

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_MESSAGE_ID_H_
