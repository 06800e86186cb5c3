#include "core/password_hash.h"

#include <crypt.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <memory>

#include "core/limits.h"

namespace outbox::core {
namespace {

static_assert(kAuthPasswordBytes < CRYPT_MAX_PASSPHRASE_SIZE);

// How long the last part of a hash is, for the methods that people have: what is shorter has been
// cut, or is a salt alone.
struct HashForm {
  std::string_view prefix;
  size_t last_part;
};
constexpr HashForm kForms[] = {{"$y$", 43}, {"$gy$", 43}, {"$7$", 43},  {"$6$", 86}, {"$5$", 43},
                               {"$1$", 22}, {"$2b$", 53}, {"$2y$", 53}, {"$2a$", 53}};

}  // namespace

// The hashes without a dollar are DES, eight characters of a password; and nearly every text is
// one.
const char* PasswordHashProblem(const std::string& hash) {
  if (!hash.starts_with('$')) return "is no hash that libcrypt knows";
  const int verdict = crypt_checksalt(hash.c_str());
  if (verdict == CRYPT_SALT_METHOD_DISABLED) return "is a hash of a method that libcrypt refuses";
  if (verdict == CRYPT_SALT_INVALID) return "is no hash that libcrypt knows";
  for (const HashForm& form : kForms) {
    if (!hash.starts_with(form.prefix)) continue;
    if (hash.size() - hash.rfind('$') - 1 != form.last_part) return "is not a whole hash";
  }
  return nullptr;
}

// libcrypt calls sha256crypt a thing of the past for its name's sake; it costs what sha512crypt
// does.
bool IsWeakPasswordHash(const std::string& hash) {
  return crypt_checksalt(hash.c_str()) != CRYPT_SALT_OK && !hash.starts_with("$5$");
}

bool IsPasswordOf(std::string_view password, const std::string& hash) {
  std::array<char, CRYPT_MAX_PASSPHRASE_SIZE> text = {};
  const bool fits = password.size() < text.size() && password.find('\0') == std::string_view::npos;
  if (fits && !password.empty()) std::memcpy(text.data(), password.data(), password.size());
  auto scratch = std::make_unique<crypt_data>();
  const char* const made = crypt_r(text.data(), hash.c_str(), scratch.get());
  // In the same time wherever they differ.
  unsigned different = made == nullptr || made[0] == '*' || std::strlen(made) != hash.size();
  const size_t size = different == 0 ? hash.size() : 0;
  for (size_t i = 0; i < size; ++i) different |= static_cast<unsigned char>(made[i] ^ hash[i]);
  explicit_bzero(text.data(), text.size());
  explicit_bzero(scratch.get(), sizeof(*scratch));
  return fits && different == 0;
}

}  // namespace outbox::core
