// Fuzzes what reads header sections: where they end, whose mail it is, and the signature field that
// is made of them, which must be lines as RFC 5322 has them whatever a client wrote.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/check.h"
#include "core/config.h"
#include "core/domain_name.h"
#include "dkim/author.h"
#include "dkim/message_signer.h"
#include "tests/dkim/rfc_keys.h"

namespace dkim = outbox::dkim;

namespace {

std::shared_ptr<const dkim::SigningTable> Table() {
  auto config = std::make_shared<outbox::core::Config>();
  for (const bool relaxed : {true, false}) {
    outbox::core::DkimConfig entry;
    entry.domains = {"*"};
    entry.selector = "s";
    entry.relaxed_header = entry.relaxed_body = relaxed;
    entry.headers = {"from", "to", "subject", "x"};
    entry.oversign = {"from"};
    entry.key = dkim::RfcEd25519Key();
    config->dkim.push_back(entry);
  }
  return dkim::SigningTable::Make(config);
}

void CheckFields(std::string_view fields) {
  CHECK(fields.ends_with("\r\n"));
  size_t columns = 0;
  for (size_t i = 0; i < fields.size(); ++i) {
    const char c = fields[i];
    if (c == '\r') {
      CHECK(fields[++i] == '\n' && columns > 1);
      columns = 0;
      continue;
    }
    CHECK((c >= ' ' && c <= '~') || (c == '\t' && columns == 0));
    CHECK(++columns <= 998);
  }
}

// A relaxed field has no blank at an end, none doubled, and no folding.
void CheckCanonical(std::string_view text) {
  std::string canonical;
  dkim::AppendCanonicalField(text, /*relaxed=*/true, &canonical);
  const bool ended = text.ends_with("\r\n");
  CHECK(canonical.ends_with("\r\n") == ended);
  if (ended) canonical.resize(canonical.size() - 2);
  CHECK(canonical.find("\r\n") == std::string::npos);
  CHECK(canonical.find('\t') == std::string::npos && canonical.find("  ") == std::string::npos);
  CHECK(!canonical.ends_with(' '));
  std::string again;
  dkim::AppendCanonicalField(canonical, /*relaxed=*/true, &again);
  CHECK(again == canonical);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::shared_ptr<const dkim::SigningTable> table = Table();
  const std::string_view wire(reinterpret_cast<const char*>(data), size);
  std::string domain;
  dkim::FindMailboxDomain(wire, &domain);
  CHECK(domain.empty() || outbox::core::IsDomainName(domain));
  // The end is the same however the message comes.
  size_t line = 0;
  const bool ends = dkim::FindHeaderEnd(wire, &line);
  size_t slow_line = 0;
  bool slow_ends = false;
  for (size_t i = 0; i <= size && !slow_ends; ++i) {
    slow_ends = dkim::FindHeaderEnd(wire.substr(0, i), &slow_line);
  }
  CHECK(ends == slow_ends && (!ends || line == slow_line));
  const std::string_view header = wire.substr(0, line);
  const dkim::AuthorKind kind = dkim::FindAuthor(header, &domain);
  CHECK(domain.empty() || kind == dkim::AuthorKind::kOne);
  dkim::HeaderSection section;
  section.Read("Received: x\r\n", header);
  size_t froms = 0;
  for (const dkim::HeaderSection::Field& field : section.fields()) {
    CheckCanonical(section.TextOf(field));
    if (section.IsNamed(field, "from")) ++froms;
  }
  // Stuffed or not, both see the same fields.
  CHECK(kind != dkim::AuthorKind::kSeveral || froms >= 2);
  CHECK(kind != dkim::AuthorKind::kNone || froms == 0);
  dkim::MessageSigner signer(table, "example.com", header);
  if (ends) signer.AppendBody(dkim::BodyBehind(wire, line));
  std::string fields;
  if (signer.Sign("Received: x\r\n", 0, &fields).ok()) CheckFields(fields);
  return 0;
}
