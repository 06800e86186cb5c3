#include "dkim/header_section.h"

#include <algorithm>

#include "core/domain_name.h"

namespace outbox::dkim {
namespace {

constexpr std::string_view kCrlf = "\r\n";

bool IsBlank(char c) { return c == ' ' || c == '\t'; }

// The length of the name that a line begins with, 0: it is no field. A name is printable ASCII (RFC
// 5322 2.2); blanks before the colon are of an older time (4.5), and some send them.
size_t NameSize(std::string_view line) {
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return 0;
  size_t size = colon;
  while (size > 0 && IsBlank(line[size - 1])) --size;
  const bool printable = std::all_of(line.begin(), line.begin() + static_cast<ptrdiff_t>(size),
                                     [](char c) { return c > ' ' && c <= '~'; });
  return printable ? size : 0;
}

}  // namespace

bool FindHeaderEnd(std::string_view wire, size_t* line) {
  while (true) {
    const std::string_view rest = wire.substr(*line);
    if (rest.starts_with(kCrlf) || rest.starts_with(".\r\n")) return true;
    const size_t end = rest.find(kCrlf);
    if (end == std::string_view::npos) return false;
    *line += end + kCrlf.size();
  }
}

std::string_view BodyBehind(std::string_view wire, size_t header) {
  const std::string_view rest = wire.substr(header);
  return rest.starts_with(kCrlf) ? rest.substr(kCrlf.size()) : rest;
}

void HeaderSection::Read(std::string_view added, std::string_view header) {
  text_.clear();
  fields_.clear();
  in_field_ = false;
  text_.reserve(added.size() + header.size());
  bool stuffed = false;
  for (std::string_view rest : {added, header}) {
    while (!rest.empty()) {
      const size_t end = rest.find(kCrlf);
      std::string_view line =
          end == std::string_view::npos ? rest : rest.substr(0, end + kCrlf.size());
      rest.remove_prefix(line.size());
      if (stuffed && line.starts_with('.')) line.remove_prefix(1);
      ReadLine(line);
    }
    stuffed = true;
  }
}

void HeaderSection::ReadLine(std::string_view line) {
  if (!line.empty() && IsBlank(line[0])) {
    if (!in_field_) return;
    text_.append(line);
    fields_.back().size += static_cast<uint32_t>(line.size());
    return;
  }
  const size_t name = NameSize(line);
  in_field_ = name > 0;
  if (!in_field_) return;
  fields_.push_back({static_cast<uint32_t>(text_.size()), static_cast<uint32_t>(line.size()),
                     static_cast<uint32_t>(name)});
  text_.append(line);
}

std::string_view HeaderSection::ValueOf(const Field& field) const {
  const std::string_view text = TextOf(field);
  return text.substr(text.find(':', field.name_size) + 1);
}

bool HeaderSection::IsNamed(const Field& field, std::string_view name) const {
  if (field.name_size != name.size()) return false;
  const std::string_view own = NameOf(field);
  return std::equal(own.begin(), own.end(), name.begin(),
                    [](char a, char b) { return core::ToLower(a) == b; });
}

void AppendCanonicalField(std::string_view text, bool relaxed, std::string* out) {
  if (!relaxed) {
    out->append(text);
    return;
  }
  const bool ended = text.ends_with(kCrlf);
  if (ended) text.remove_suffix(kCrlf.size());
  const size_t colon = std::min(text.find(':'), text.size());
  size_t name = colon;
  while (name > 0 && IsBlank(text[name - 1])) --name;
  for (const char c : text.substr(0, name)) out->push_back(core::ToLower(c));
  out->push_back(':');
  bool blank = false;
  bool any = false;
  for (size_t i = colon + 1; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\r' && i + 1 < text.size() && text[i + 1] == '\n') {  // folding
      ++i;
    } else if (IsBlank(c)) {
      blank = true;
    } else {
      if (blank && any) out->push_back(' ');
      blank = false;
      any = true;
      out->push_back(c);
    }
  }
  if (ended) out->append(kCrlf);
}

}  // namespace outbox::dkim
