// AsciiEnvelope: what can be done about a UTF-8 envelope at a host without SMTPUTF8 (RFC 6531).
//
// A domain with U-labels has a form in ASCII, and means the same in it; a local part has none, and
// is never changed. So an address whose domain alone is not ASCII can be sent with A-labels, and
// any other cannot be sent at all; nor can a header section with UTF-8. Pure.
#ifndef OUTBOX_QUEUE_ASCII_ENVELOPE_H_
#define OUTBOX_QUEUE_ASCII_ENVELOPE_H_

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace outbox::queue {

class AsciiEnvelope {
 public:
  // Addresses that cannot be written in ASCII stay as they are.
  AsciiEnvelope(std::string_view reverse_path, std::span<const std::string_view> recipients);
  AsciiEnvelope(const AsciiEnvelope&) = delete;
  AsciiEnvelope& operator=(const AsciiEnvelope&) = delete;

  std::string_view reverse_path() const { return texts_.back(); }
  std::span<const std::string_view> recipients() const { return views_; }

 private:
  std::vector<std::string> texts_;  // recipients, then the reverse-path
  std::vector<std::string_view> views_;
};

// The address can be written in ASCII.
bool HasAsciiForm(std::string_view address);

// Why a message cannot go to `host` ("192.0.2.1:25"), which does not offer SMTPUTF8: for a person.
// Of these the first one that cannot be written in ASCII: the sender's address, the recipient's,
// the header section.
std::string WhyUtf8(std::string_view reverse_path, std::string_view recipient,
                    std::string_view host);

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_ASCII_ENVELOPE_H_
