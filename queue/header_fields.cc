#include "queue/header_fields.h"

#include <algorithm>

#include "core/domain_name.h"
#include "core/limits.h"
#include "queue/address_match.h"

namespace outbox::queue {
namespace {

bool IsBlank(char c) { return c == ' ' || c == '\t'; }

}  // namespace

void HeaderFields::Clear() {
  text_.clear();
  fields_.clear();
}

void HeaderFields::Read(std::string_view message) {
  Clear();
  message = message.substr(0, core::kRouteHeaderBytes);
  size_t field = 0;  // where the present one begins in text_
  while (!message.empty()) {
    const size_t end = message.find("\r\n");
    std::string_view line = message.substr(0, end);
    message.remove_prefix(end == std::string_view::npos ? message.size() : end + 2);
    if (line.empty()) break;
    if (line.starts_with('.')) {  // stuffed, or the end of a message without a body
      line.remove_prefix(1);
      if (line.empty()) break;
    }
    if (!IsBlank(line[0])) {
      AddUnfolded(field);
      field = text_.size();
    }
    text_.append(line);
  }
  AddUnfolded(field);
}

void HeaderFields::Add(std::string_view line) {
  const size_t from = text_.size();
  text_.append(line);
  AddUnfolded(from);
}

// What is no field ("name:") is forgotten again.
void HeaderFields::AddUnfolded(size_t from) {
  const size_t colon = text_.find(':', from);
  size_t name_end = std::min(colon, text_.size());
  while (name_end > from && IsBlank(text_[name_end - 1])) --name_end;
  if (colon == std::string::npos || name_end == from) {
    text_.resize(from);
    return;
  }
  std::transform(text_.begin() + static_cast<ptrdiff_t>(from),
                 text_.begin() + static_cast<ptrdiff_t>(name_end),
                 text_.begin() + static_cast<ptrdiff_t>(from),
                 [](char c) { return core::ToLower(c); });
  size_t begin = colon + 1;
  size_t end = text_.size();
  while (begin < end && IsBlank(text_[begin])) ++begin;
  while (end > begin && IsBlank(text_[end - 1])) --end;
  fields_.push_back({static_cast<uint32_t>(from), static_cast<uint32_t>(name_end - from),
                     static_cast<uint32_t>(begin), static_cast<uint32_t>(end - begin)});
}

bool HeaderFields::Has(const core::HeaderCondition& condition) const {
  const std::string_view text = text_;
  return std::any_of(fields_.begin(), fields_.end(), [&](const Field& field) {
    return text.substr(field.name_at, field.name_size) == condition.name &&
           (condition.value.empty() ||
            MatchesPattern(condition.value, text.substr(field.value_at, field.value_size)));
  });
}

}  // namespace outbox::queue
