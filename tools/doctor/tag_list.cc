#include "tools/doctor/tag_list.h"

#include <algorithm>
#include <utility>

#include "core/domain_name.h"

namespace outbox::tools {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

std::string_view Trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

bool IsTagName(std::string_view name) {
  const auto letter = [](char c) { return core::ToLower(c) >= 'a' && core::ToLower(c) <= 'z'; };
  return !name.empty() && letter(name[0]) && std::all_of(name.begin(), name.end(), [&](char c) {
    return letter(c) || (c >= '0' && c <= '9') || c == '_';
  });
}

bool IsTagValue(std::string_view value) {
  return std::all_of(value.begin(), value.end(), [](char c) {
    return (c >= 0x20 && c <= 0x7e) || kBlanks.find(c) != std::string_view::npos;
  });
}

}  // namespace

core::Result<TagList> TagList::Parse(std::string_view text) {
  TagList list;
  while (!text.empty()) {
    const size_t end = std::min(text.find(';'), text.size());
    const std::string_view item = Trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    // One semicolon may stand at the end.
    if (item.empty() && Trimmed(text).empty()) break;
    const size_t equals = item.find('=');
    const std::string_view name = Trimmed(item.substr(0, equals));
    if (equals == std::string_view::npos || !IsTagName(name)) {
      return core::Status(core::StatusCode::kInvalidArgument,
                          "\"" + std::string(item) + "\" is no tag; expected name=value");
    }
    const std::string_view value = Trimmed(item.substr(equals + 1));
    if (!IsTagValue(value)) {
      return core::Status(core::StatusCode::kInvalidArgument,
                          "\"" + std::string(name) + "=\" has a character that is none of ASCII");
    }
    if (list.Find(name) != nullptr) {
      return core::Status(core::StatusCode::kInvalidArgument,
                          "\"" + std::string(name) + "=\" stands there twice");
    }
    list.tags_.push_back({std::string(name), std::string(value)});
  }
  return list;
}

const std::string* TagList::Find(std::string_view name) const {
  for (const Tag& tag : tags_) {
    if (tag.name == name) return &tag.value;
  }
  return nullptr;
}

std::vector<std::string> SplitItems(std::string_view text, char separator) {
  std::vector<std::string> items;
  for (;;) {
    const size_t end = text.find(separator);
    items.emplace_back(Trimmed(text.substr(0, end)));
    if (end == std::string_view::npos) return items;
    text.remove_prefix(end + 1);
  }
}

}  // namespace outbox::tools
