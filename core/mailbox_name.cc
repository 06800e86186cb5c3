#include "core/mailbox_name.h"

#include <algorithm>

#include "core/domain_name.h"
#include "core/utf8.h"

namespace outbox::core {
namespace {

constexpr size_t kUserOctetsMax = 64;
constexpr std::string_view kUser = "{user}";
constexpr std::string_view kDomain = "{domain}";

bool IsUserOctet(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-' || c == '+' || c == '=';
}

bool AreUserCharacters(std::string_view text) {
  while (!text.empty()) {
    const size_t octets = Utf8Octets(text);
    if (octets == 0 || (octets == 1 && !IsUserOctet(text[0])) ||
        IsUtf8Control(Utf8Character(text.substr(0, octets)))) {
      return false;
    }
    text.remove_prefix(octets);
  }
  return true;
}

bool IsLower(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

}  // namespace

bool IsMailboxUser(std::string_view text) {
  return !text.empty() && text.size() <= kUserOctetsMax && text.front() != '.' &&
         text.front() != '-' && text.find("..") == std::string_view::npos &&
         AreUserCharacters(text);
}

bool IsMailboxName(std::string_view text) {
  const size_t at = text.find('@');
  if (!IsLower(text) || !IsMailboxUser(text.substr(0, at))) return false;
  return at == std::string_view::npos || IsDomainName(text.substr(at + 1));
}

const char* WhyNoMaildirTemplate(std::string_view text) {
  if (text.empty() || text.front() != '/' || text.size() > kMaildirTemplateBytes) {
    return "an absolute path of at most 1000 bytes, for example \"/var/mail/{domain}/{user}\"";
  }
  bool has_user = false;
  std::string_view left = text;
  while (!left.empty()) {
    const size_t slash = std::min(left.find('/'), left.size());
    std::string_view name = left.substr(0, slash);
    left.remove_prefix(std::min(slash + 1, left.size()));
    if (name == "." || name == "..") return "a path without \".\" and \"..\"";
    while (!name.empty()) {
      if (name.starts_with(kUser) || name.starts_with(kDomain)) {
        has_user = has_user || name.starts_with(kUser);
        name.remove_prefix(name.starts_with(kUser) ? kUser.size() : kDomain.size());
        continue;
      }
      const char c = name.front();
      if (c == '{' || c == '}') return "no other names in braces than {user} and {domain}";
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return "no control characters";
      name.remove_prefix(1);
    }
  }
  return has_user ? nullptr : "{user} in it, so that everybody has a mailbox of their own";
}

std::string MaildirPath(std::string_view text, std::string_view user, std::string_view domain) {
  if (!IsMailboxUser(user) || !IsLower(user) || !IsDomainName(domain) || !IsLower(domain)) {
    return "";
  }
  std::string path;
  while (!text.empty()) {
    if (text.starts_with(kUser)) {
      path.append(user);
      text.remove_prefix(kUser.size());
    } else if (text.starts_with(kDomain)) {
      path.append(domain);
      text.remove_prefix(kDomain.size());
    } else {
      path.push_back(text.front());
      text.remove_prefix(1);
    }
  }
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

std::string_view MaildirRoot(std::string_view text) {
  const size_t brace = std::min(text.find('{'), text.size());
  const size_t slash = text.substr(0, brace).rfind('/');
  return text.substr(0, slash == std::string_view::npos ? 0 : slash);
}

}  // namespace outbox::core
