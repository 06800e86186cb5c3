#include "tools/sendmail/header_section.h"

#include <algorithm>

#include "core/domain_name.h"

namespace outbox::tools {
namespace {

// A line with its CRLF.
std::string_view FirstLine(std::string_view text) {
  const size_t end = text.find('\n');
  return text.substr(0, end == std::string_view::npos ? text.size() : end + 1);
}

// How long the field name is that the line begins with, without blanks behind it; 0: with none.
size_t NameLength(std::string_view line) {
  size_t length = 0;
  while (length < line.size() && line[length] > ' ' && line[length] < 0x7f && line[length] != ':') {
    ++length;
  }
  const size_t colon = line.find_first_not_of(" \t", length);
  return colon != std::string_view::npos && line[colon] == ':' ? length : 0;
}

bool IsAtomText(char c) {
  static constexpr std::string_view kOthers = "!#$%&'*+-/=?^_`{|}~ ";
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         kOthers.find(c) != std::string_view::npos;
}

// RFC 2047 4.2, in words of at most 75 octets that never part a character.
std::string Encoded(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  static constexpr std::string_view kStart = "=?UTF-8?Q?";
  std::string out;
  std::string word(kStart);
  for (size_t at = 0; at < text.size();) {
    size_t end = at + 1;
    while (end < text.size() && (text[end] & 0xc0) == 0x80 && end - at < 4) ++end;
    std::string character;
    for (; at < end; ++at) {
      const auto octet = static_cast<uint8_t>(text[at]);
      const bool plain = (octet >= '0' && octet <= '9') || (octet >= 'A' && octet <= 'Z') ||
                         (octet >= 'a' && octet <= 'z');
      if (plain || octet == ' ') {
        character.push_back(octet == ' ' ? '_' : text[at]);
      } else {
        character.push_back('=');
        character.push_back(kHex[octet >> 4]);
        character.push_back(kHex[octet & 15]);
      }
    }
    if (word.size() + character.size() + 2 > 75) {
      out.append(word).append("?=\r\n ");
      word = kStart;
    }
    word.append(character);
  }
  return out.append(word).append("?=");
}

}  // namespace

HeaderSection::HeaderSection(std::string_view content) {
  std::string_view line = FirstLine(content);
  if (line.starts_with("From ") || line.starts_with(">From ")) {
    content.remove_prefix(line.size());
    line = FirstLine(content);
  }
  for (; !content.empty(); line = FirstLine(content)) {
    if (line == "\r\n") {
      content.remove_prefix(line.size());
      break;
    }
    if ((line[0] == ' ' || line[0] == '\t') && !fields_.empty()) {
      fields_.back().text.append(line);
    } else if (const size_t length = NameLength(line); length > 0) {
      fields_.push_back({core::ToLower(line.substr(0, length)), std::string(line),
                         line.find(':', length) + 1});
    } else {
      break;  // the body begins without the empty line
    }
    content.remove_prefix(line.size());
  }
  body_ = content;
}

bool HeaderSection::Has(std::string_view name) const {
  return std::any_of(fields_.begin(), fields_.end(),
                     [name](const Field& field) { return field.name == name; });
}

std::vector<std::string_view> HeaderSection::Values(std::string_view name) const {
  std::vector<std::string_view> values;
  for (const Field& field : fields_) {
    if (field.name == name) values.push_back(std::string_view(field.text).substr(field.value));
  }
  return values;
}

void HeaderSection::Remove(std::string_view name) {
  std::erase_if(fields_, [name](const Field& field) { return field.name == name; });
}

void HeaderSection::Add(std::string_view name, std::string_view value) {
  Field field;
  field.name = core::ToLower(name);
  field.text.append(name).append(": ").append(value).append("\r\n");
  field.value = name.size() + 1;
  fields_.push_back(std::move(field));
}

std::string HeaderSection::Content() const {
  std::string content;
  size_t size = body_.size() + 2;
  for (const Field& field : fields_) size += field.text.size();
  content.reserve(size);
  for (const Field& field : fields_) content.append(field.text);
  return content.append("\r\n").append(body_);
}

std::string FromValue(std::string_view full_name, std::string_view address) {
  std::string name;
  for (const char c : full_name) {
    if ((c & 0x80) != 0 || (c >= ' ' && c != 0x7f)) name.push_back(c);
  }
  const std::string bare(address);
  if (name.find_first_not_of(' ') == std::string::npos) return bare;
  const bool ascii =
      std::none_of(name.begin(), name.end(), [](char c) { return (c & 0x80) != 0; });
  if (!ascii) return Encoded(name) + " <" + bare + ">";
  if (std::all_of(name.begin(), name.end(), IsAtomText)) return name + " <" + bare + ">";
  std::string quoted = "\"";
  for (const char c : name) {
    if (c == '"' || c == '\\') quoted.push_back('\\');
    quoted.push_back(c);
  }
  return quoted + "\" <" + bare + ">";
}

}  // namespace outbox::tools
