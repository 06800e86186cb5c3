#include "queue/ascii_envelope.h"

#include "core/idna.h"
#include "core/utf8.h"

namespace outbox::queue {

AsciiEnvelope::AsciiEnvelope(std::string_view reverse_path,
                             std::span<const std::string_view> recipients) {
  const auto add = [this](std::string_view address) {
    if (!core::ToAsciiAddress(address, &texts_.emplace_back())) texts_.back() = address;
  };
  for (const std::string_view recipient : recipients) add(recipient);
  add(reverse_path);
  views_.assign(texts_.begin(), texts_.end() - 1);
}

bool HasAsciiForm(std::string_view address) {
  if (core::IsAscii(address)) return true;
  std::string ascii;
  return core::ToAsciiAddress(address, &ascii);
}

std::string WhyUtf8(std::string_view reverse_path, std::string_view recipient,
                    std::string_view host) {
  std::string what;
  if (!HasAsciiForm(reverse_path)) {
    what.append("the sender's address ").append(reverse_path).append(" has");
  } else if (!HasAsciiForm(recipient)) {
    what.append("the address ").append(recipient).append(" has");
  } else {
    what = "the header of the message has";
  }
  return what.append(" characters beyond ASCII, and ")
      .append(host)
      .append(" cannot take these (it does not offer SMTPUTF8)");
}

}  // namespace outbox::queue
