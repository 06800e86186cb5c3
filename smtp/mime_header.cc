#include "smtp/mime_header.h"

#include <algorithm>

namespace outbox::smtp {
namespace {

constexpr size_t kBoundaryOctetsMax = 256;  // RFC 2046 5.1.1 has 70

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

// The value of a structured field, word by word.
class Value {
 public:
  explicit Value(std::string_view text) : rest_(text) {}

  // The next character that is neither blank nor in a comment; false at the end.
  bool Peek(char* c) {
    int depth = 0;
    while (!rest_.empty()) {
      if (depth > 0 && rest_[0] == '\\') {
        rest_.remove_prefix(std::min<size_t>(2, rest_.size()));
        continue;
      }
      if (rest_[0] == '(') {
        ++depth;
      } else if (depth > 0 && rest_[0] == ')') {
        --depth;
      } else if (depth == 0 && !IsBlank(rest_[0])) {
        *c = rest_[0];
        return true;
      }
      rest_.remove_prefix(1);
    }
    return false;
  }

  bool Take(char wanted) {
    char c = 0;
    if (!Peek(&c) || c != wanted) return false;
    rest_.remove_prefix(1);
    return true;
  }

  // A token (RFC 2045 5.1) or a quoted string, without its quotes.
  std::string Word() {
    std::string word;
    char c = 0;
    if (!Peek(&c)) return word;
    if (c == '"') {
      for (rest_.remove_prefix(1); !rest_.empty() && rest_[0] != '"'; rest_.remove_prefix(1)) {
        if (rest_[0] == '\r' || rest_[0] == '\n') continue;
        if (rest_[0] == '\\' && rest_.size() > 1) rest_.remove_prefix(1);
        word.push_back(rest_[0]);
      }
      if (!rest_.empty()) rest_.remove_prefix(1);
      return word;
    }
    while (!rest_.empty() && !IsBlank(rest_[0]) &&
           std::string_view("()<>@,;:\\\"/[]?=").find(rest_[0]) == std::string_view::npos) {
      word.push_back(rest_[0]);
      rest_.remove_prefix(1);
    }
    return word;
  }

  // Goes behind the next semicolon.
  bool NextParameter() {
    char c = 0;
    while (Peek(&c)) {
      if (c == '"') {
        Word();
        continue;
      }
      rest_.remove_prefix(1);
      if (c == ';') return true;
    }
    return false;
  }

 private:
  std::string_view rest_;
};

std::string LowerWord(Value* value) {
  std::string word = value->Word();
  std::transform(word.begin(), word.end(), word.begin(), Lower);
  return word;
}

void ReadType(std::string_view text, MimeHeader* header) {
  Value value(text);
  const std::string type = LowerWord(&value);
  if (type.empty() || !value.Take('/')) return;
  const std::string subtype = LowerWord(&value);
  if (subtype.empty()) return;
  header->type = type + "/" + subtype;
  while (value.NextParameter()) {
    const std::string name = LowerWord(&value);
    if (!value.Take('=')) continue;
    std::string word = value.Word();
    if (name != "boundary" || !header->boundary.empty()) continue;
    while (!word.empty() && word.back() == ' ') word.pop_back();
    if (word.size() <= kBoundaryOctetsMax) header->boundary = word;
  }
}

}  // namespace

bool MimeHeader::Field::IsNamed(std::string_view lower) const {
  return name.size() == lower.size() &&
         std::equal(name.begin(), name.end(), lower.begin(),
                    [](char a, char b) { return Lower(a) == b; });
}

MimeHeader MimeHeader::Read(std::string_view section) {
  MimeHeader header;
  for (size_t at = 0; at < section.size();) {
    // To the first line end that no continuation follows.
    size_t end = section.find("\r\n", at);
    while (end != std::string_view::npos && end + 2 < section.size() &&
           (section[end + 2] == ' ' || section[end + 2] == '\t')) {
      end = section.find("\r\n", end + 2);
    }
    end = end == std::string_view::npos ? section.size() : end + 2;
    Field field;
    field.whole = section.substr(at, end - at);
    at = end;
    const size_t colon = field.whole.find(':');
    std::string_view name = field.whole.substr(0, colon);
    while (!name.empty() && IsBlank(name.back())) name.remove_suffix(1);
    const bool is_field =
        colon != std::string_view::npos && !name.empty() &&
        std::none_of(name.begin(), name.end(), [](char c) { return IsBlank(c); });
    if (is_field) {
      field.name = name;
      const std::string_view value = field.whole.substr(colon + 1);
      if (field.IsNamed("content-type")) {
        if (!header.has_type) ReadType(value, &header);
        header.has_type = true;
      } else if (field.IsNamed("content-transfer-encoding")) {
        Value words(value);
        if (header.encoding.empty()) header.encoding = LowerWord(&words);
      } else if (field.IsNamed("mime-version")) {
        header.has_version = true;
      }
    }
    header.fields.push_back(field);
  }
  return header;
}

}  // namespace outbox::smtp
