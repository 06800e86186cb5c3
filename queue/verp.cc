#include "queue/verp.h"

#include "core/check.h"
#include "core/idna.h"
#include "smtp/address.h"

namespace outbox::queue {

const char* MakeVerp(std::string_view return_path, std::string_view recipient,
                     std::string_view separators, std::string* out) {
  CHECK(separators.size() == 2);
  std::string ascii;
  if (core::HasTwoForms(recipient) && core::ToAsciiAddress(recipient, &ascii)) recipient = ascii;
  const size_t sender_at = return_path.rfind('@');
  const size_t recipient_at = recipient.rfind('@');
  if (return_path.empty()) return "there is no return path";
  if (sender_at == std::string_view::npos || recipient_at == std::string_view::npos) {
    return "an address has no domain";
  }
  if (return_path.front() == '"' || recipient.front() == '"') return "an address has quotes";
  out->assign(return_path.substr(0, sender_at)).append(separators.substr(0, 1));
  out->append(recipient.substr(0, recipient_at)).append(separators.substr(1));
  out->append(recipient.substr(recipient_at + 1)).append(return_path.substr(sender_at));
  return smtp::ParseMailbox(*out).error.ok() ? nullptr : "the address would be too long, or none";
}

}  // namespace outbox::queue
