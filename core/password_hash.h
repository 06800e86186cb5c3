// Password hashes of crypt(3): yescrypt, bcrypt, sha512crypt and what else libcrypt knows.
#ifndef OUTBOX_CORE_PASSWORD_HASH_H_
#define OUTBOX_CORE_PASSWORD_HASH_H_

#include <string>
#include <string_view>

namespace outbox::core {

// Why nothing can be compared with it; null: it is a whole hash of a method that libcrypt has.
const char* PasswordHashProblem(const std::string& hash);

// It can be compared with, but is guessed too quickly by who gets to see it (crypt(5)).
bool IsWeakPasswordHash(const std::string& hash);

// Whether it is the hash of this password. Takes as long as who made the hash has wanted, often
// tens of milliseconds, and may be called on any thread; no copy of the password is left behind. A
// password that crypt(3) cannot take takes as long and is not the one. REQUIRES: no problem.
bool IsPasswordOf(std::string_view password, const std::string& hash);

}  // namespace outbox::core

#endif  // OUTBOX_CORE_PASSWORD_HASH_H_
