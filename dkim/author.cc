#include "dkim/author.h"

#include "core/domain_name.h"
#include "core/idna.h"
#include "core/utf8.h"

namespace outbox::dkim {
namespace {

constexpr std::string_view kFieldEnd = "\r\n";

bool IsWhite(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

// Whether a line begins with "From:", as it may be written.
bool IsFrom(std::string_view line) {
  constexpr std::string_view kName = "from";
  if (line.size() <= kName.size()) return false;
  for (size_t i = 0; i < kName.size(); ++i) {
    if (core::ToLower(line[i]) != kName[i]) return false;
  }
  size_t at = kName.size();
  while (at < line.size() && (line[at] == ' ' || line[at] == '\t')) ++at;
  return at < line.size() && line[at] == ':';
}

// Whether a line goes on with the field before it. A first dot is taken off on the way.
bool GoesOn(std::string_view line) {
  if (line.starts_with('.')) line.remove_prefix(1);
  return !line.empty() && (line[0] == ' ' || line[0] == '\t');
}

// Skips "(...)" with what is nested in it, or "..."; `at` is behind the first octet of it.
size_t SkipEnclosed(std::string_view text, size_t at, char open, char close) {
  for (int depth = 1; at < text.size() && depth > 0; ++at) {
    if (text[at] == '\\') {
      ++at;
    } else if (text[at] == close) {
      --depth;
    } else if (text[at] == open) {
      ++depth;
    }
  }
  return at < text.size() ? at : text.size();
}

// What was found, with A-labels (RFC 8616 4); or nothing, if it is no domain.
void SettleDomain(std::string* domain) {
  if (!core::IsAscii(*domain)) *domain = core::DomainKey(*domain);
  if (!core::IsDomainName(*domain)) domain->clear();
}

}  // namespace

void FindDomain(std::string_view address, std::string* domain) {
  domain->clear();
  const size_t at = address.rfind('@');
  if (at == std::string_view::npos) return;
  for (const char c : address.substr(at + 1)) {
    if (!IsWhite(c)) domain->push_back(core::ToLower(c));
  }
  SettleDomain(domain);
}

// What follows the last @ outside of comments and quoted strings, up to the end of the mailbox; in
// angle brackets, if there are any.
void FindMailboxDomain(std::string_view value, std::string* domain) {
  domain->clear();
  bool behind_at = false;
  bool angle = false;
  for (size_t i = 0; i < value.size(); ++i) {
    const char c = value[i];
    if (c == '(') {
      i = SkipEnclosed(value, i + 1, '(', ')') - 1;
    } else if (c == '"') {
      i = SkipEnclosed(value, i + 1, '\0', '"') - 1;
    } else if (c == '<' || (c == ':' && !angle)) {  // ':': what was before is a group's name
      angle = c == '<';
      behind_at = false;
      domain->clear();
    } else if (c == '@') {
      behind_at = true;
      domain->clear();
    } else if ((c == '>' && angle) || ((c == ',' || c == ';') && !angle && behind_at)) {
      break;
    } else if (behind_at && !IsWhite(c)) {
      domain->push_back(core::ToLower(c));
    }
  }
  SettleDomain(domain);
}

AuthorKind FindAuthor(std::string_view header, std::string* domain) {
  domain->clear();
  AuthorKind kind = AuthorKind::kNone;
  while (!header.empty()) {
    // A field: a line, and those behind it that begin with a blank.
    size_t end = header.find(kFieldEnd);
    while (end != std::string_view::npos && GoesOn(header.substr(end + 2))) {
      end = header.find(kFieldEnd, end + 2);
    }
    std::string_view field = header.substr(0, end);
    header.remove_prefix(end == std::string_view::npos ? header.size() : end + 2);
    if (field.starts_with('.')) field.remove_prefix(1);
    if (!IsFrom(field)) continue;
    if (kind != AuthorKind::kNone) {
      domain->clear();
      return AuthorKind::kSeveral;
    }
    kind = AuthorKind::kOne;
    FindMailboxDomain(field.substr(field.find(':') + 1), domain);
  }
  return kind;
}

}  // namespace outbox::dkim
