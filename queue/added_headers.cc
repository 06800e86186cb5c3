#include "queue/added_headers.h"

#include <array>

#include "core/idna.h"
#include "core/time_format.h"
#include "core/utf8.h"

namespace outbox::queue {
namespace {

constexpr size_t kHeloOctetsMax = 255;

// The client's own name for itself goes into a header: atoms and dots only, anything else becomes
// '?'. Parentheses and the like would change the meaning of the field.
void AppendHelo(std::string_view helo, std::string* out) {
  if (helo.empty()) {
    out->append("unknown");
    return;
  }
  for (const char c : helo.substr(0, kHeloOctetsMax)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '-' || c == '_' || c == ':' || c == '[' || c == ']';
    out->push_back(plain ? c : '?');
  }
}

}  // namespace

void AppendAddedHeaders(const AddedHeaderFacts& facts, std::string* out) {
  std::array<char, core::kRfc5322DateBytes> buffer;
  const std::string_view date = core::FormatRfc5322Date(facts.now_wall_ns, buffer);
  out->append("Received: from ");
  AppendHelo(facts.helo, out);
  if (facts.client.is_local_user()) {
    out->append(" (").append(facts.client.ToString()).append(")\r\n\tby ");
  } else {
    out->append(" ([").append(facts.client.ToLiteral()).append("])\r\n\tby ");
  }
  out->append(facts.hostname);
  out->append(" (Outbox) with ");
  out->append(facts.utf8 ? "UTF8SMTP" : facts.extended ? "ESMTP" : "SMTP");
  if (facts.extended && !facts.tls_cipher.empty()) out->push_back('S');
  if (facts.extended && facts.authenticated) out->push_back('A');
  out->append(" id ");
  out->append(facts.id);
  if (!facts.recipient.empty()) {
    std::string ascii;
    const bool rewrite =
        !core::IsAscii(facts.recipient) && core::ToAsciiAddress(facts.recipient, &ascii);
    out->append("\r\n\tfor <").append(rewrite ? ascii : facts.recipient).append(">");
  }
  if (!facts.tls_cipher.empty()) out->append("\r\n\ttls ").append(facts.tls_cipher);
  out->append(";\r\n\t").append(date).append("\r\n");
  if (facts.add_date) out->append("Date: ").append(date).append("\r\n");
  if (facts.add_message_id) {
    out->append("Message-ID: <").append(facts.id).append("@");
    out->append(facts.hostname).append(">\r\n");
  }
}

}  // namespace outbox::queue
