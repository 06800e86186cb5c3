#include "io/hmac_md5.h"

#include <algorithm>
#include <cstring>

#include "io/boringssl.h"

namespace outbox::io {
namespace {

constexpr size_t kBlock = MD5_CBLOCK;
static_assert(std::tuple_size_v<HmacMd5Digest> == MD5_DIGEST_LENGTH);

// H(key XOR pad, text).
HmacMd5Digest Pass(const std::array<uint8_t, kBlock>& key, uint8_t pad, const void* text,
                   size_t size) {
  std::array<uint8_t, kBlock> block;
  std::transform(key.begin(), key.end(), block.begin(),
                 [pad](uint8_t octet) { return static_cast<uint8_t>(octet ^ pad); });
  MD5_CTX context;
  MD5_Init(&context);
  MD5_Update(&context, block.data(), block.size());
  MD5_Update(&context, text, size);
  HmacMd5Digest digest;
  MD5_Final(digest.data(), &context);
  explicit_bzero(block.data(), block.size());
  explicit_bzero(&context, sizeof(context));
  return digest;
}

}  // namespace

HmacMd5Digest HmacMd5(std::string_view key, std::string_view text) {
  std::array<uint8_t, kBlock> whole = {};
  if (key.size() <= kBlock) {
    std::copy(key.begin(), key.end(), whole.begin());
  } else {
    MD5(reinterpret_cast<const uint8_t*>(key.data()), key.size(), whole.data());
  }
  const HmacMd5Digest inner = Pass(whole, 0x36, text.data(), text.size());
  const HmacMd5Digest digest = Pass(whole, 0x5c, inner.data(), inner.size());
  explicit_bzero(whole.data(), whole.size());
  return digest;
}

}  // namespace outbox::io
