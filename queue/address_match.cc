#include "queue/address_match.h"

#include <algorithm>

#include "core/domain_name.h"
#include "core/idna.h"
#include "core/utf8.h"

namespace outbox::queue {

// The usual way with one mark to come back to: linear but for patterns that nobody types.
bool MatchesPattern(std::string_view pattern, std::string_view text) {
  size_t p = 0;
  size_t t = 0;
  size_t star = std::string_view::npos;
  size_t mark = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      mark = t;
    } else if (p < pattern.size() && core::ToLower(pattern[p]) == core::ToLower(text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++mark;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::string_view DomainOf(std::string_view address) {
  const size_t at = address.rfind('@');
  return at == std::string_view::npos ? std::string_view() : address.substr(at + 1);
}

std::string DomainPattern(std::string_view pattern) {
  if (core::IsAscii(pattern)) return std::string(pattern);
  std::string out;
  while (true) {
    const size_t dot = std::min(pattern.find('.'), pattern.size());
    const std::string_view label = pattern.substr(0, dot);
    out.append(core::IsAscii(label) ? std::string(label) : core::ToULabels(label));
    if (dot == pattern.size()) return out;
    out.push_back('.');
    pattern.remove_prefix(dot + 1);
  }
}

std::string AddressPattern(std::string_view pattern) {
  const size_t at = pattern.rfind('@');
  if (at == std::string_view::npos) return std::string(pattern);
  return std::string(pattern.substr(0, at + 1)).append(DomainPattern(pattern.substr(at + 1)));
}

bool MatchesDomain(std::string_view pattern, std::string_view domain) {
  if (MatchesPattern(pattern, domain)) return true;
  return core::HasTwoForms(domain) && (MatchesPattern(pattern, core::DomainKey(domain)) ||
                                       MatchesPattern(pattern, core::ToULabels(domain)));
}

bool MatchesAddress(std::string_view pattern, std::string_view address) {
  if (MatchesPattern(pattern, address)) return true;
  const std::string_view domain = DomainOf(address);
  if (!core::HasTwoForms(domain)) return false;
  const std::string_view local = address.substr(0, address.size() - domain.size());
  return MatchesPattern(pattern, std::string(local).append(core::DomainKey(domain))) ||
         MatchesPattern(pattern, std::string(local).append(core::ToULabels(domain)));
}

bool MatchesSender(std::string_view pattern, std::string_view reverse_path) {
  return MatchesAddress(pattern, reverse_path.empty() ? "<>" : reverse_path);
}

}  // namespace outbox::queue
