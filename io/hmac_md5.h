// HMAC-MD5 (RFC 2104): for CRAM-MD5 (RFC 2195), which knows no other. The MD5 is BoringSSL's; its
// HMAC allocates, and leaves the key on the stack.
#ifndef OUTBOX_IO_HMAC_MD5_H_
#define OUTBOX_IO_HMAC_MD5_H_

#include <array>
#include <cstdint>
#include <string_view>

namespace outbox::io {

using HmacMd5Digest = std::array<uint8_t, 16>;

// Pure; overwrites what it has made of the key.
HmacMd5Digest HmacMd5(std::string_view key, std::string_view text);

}  // namespace outbox::io

#endif  // OUTBOX_IO_HMAC_MD5_H_
