// Base64 (RFC 4648 4) as it stands in an AUTH exchange: one word without line ends.
//
// Pure, and without a copy of what is encoded: it may be a secret.
#ifndef OUTBOX_SMTP_BASE64_H_
#define OUTBOX_SMTP_BASE64_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "smtp/output_buffer.h"

namespace outbox::smtp {

// Characters that `octets` octets become.
constexpr size_t Base64Size(size_t octets) { return (octets + 2) / 3 * 4; }

// Writes octets that come in pieces as one word.
class Base64Writer {
 public:
  explicit Base64Writer(OutputBuffer* out) : out_(out) {}
  ~Base64Writer();
  Base64Writer(const Base64Writer&) = delete;
  Base64Writer& operator=(const Base64Writer&) = delete;

  // REQUIRES: there is room for what it becomes.
  void Append(std::string_view octets);
  // What is left, padded.
  void Finish();

 private:
  void Group();

  OutputBuffer* const out_;
  uint8_t held_[3] = {};
  uint8_t count_ = 0;
};

// Decodes a word into `out`; `*size`: the octets. False: it is no base64, strictly (padded, no
// other character, no bits left over), or does not fit. `out` may begin where the word does, or
// before.
bool DecodeBase64(std::string_view word, std::span<char> out, size_t* size);

}  // namespace outbox::smtp

#endif  // OUTBOX_SMTP_BASE64_H_
