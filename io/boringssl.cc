#include "io/boringssl.h"

#include <cstdint>

namespace outbox::io {

// The first error is the cause; what is behind it is who was called by whom. The library's names,
// "WRONG_VERSION_NUMBER", are good words in the wrong dress.
std::string TakeTlsError() {
  const uint32_t error = ERR_get_error();
  ERR_clear_error();
  const char* const reason = error == 0 ? nullptr : ERR_reason_error_string(error);
  if (reason == nullptr) return "the TLS library does not say why";
  std::string words(reason);
  for (char& c : words) {
    if (c == '_') c = ' ';
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return words;
}

}  // namespace outbox::io
