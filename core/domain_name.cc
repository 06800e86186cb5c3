#include "core/domain_name.h"

#include <algorithm>
#include <cstddef>

#include "core/ip_address.h"

namespace outbox::core {
namespace {

constexpr size_t kDomainBytesMax = 255;
constexpr size_t kLabelBytesMax = 63;

bool IsLabel(std::string_view label) {
  if (label.empty() || label.size() > kLabelBytesMax) return false;
  if (label.front() == '-' || label.back() == '-') return false;
  return std::all_of(label.begin(), label.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
  });
}

}  // namespace

bool IsDomainName(std::string_view text) {
  if (text.size() > kDomainBytesMax) return false;
  while (true) {
    const size_t dot = text.find('.');
    if (!IsLabel(text.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

bool IsQualifiedDomainName(std::string_view text) {
  const size_t dot = text.rfind('.');
  if (dot == std::string_view::npos || !IsDomainName(text)) return false;
  const std::string_view last = text.substr(dot + 1);
  return !std::all_of(last.begin(), last.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::string ToLower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = ToLower(c);
  return lower;
}

bool IsAddressLiteral(std::string_view text) {
  if (text.size() < 2 || text.front() != '[' || text.back() != ']') return false;
  text = text.substr(1, text.size() - 2);
  constexpr std::string_view kTag = "IPv6:";
  const bool tagged = text.starts_with(kTag);
  if (tagged) text.remove_prefix(kTag.size());
  return IpAddress::Parse(text).ok() && tagged == (text.find(':') != std::string_view::npos);
}

}  // namespace outbox::core
