#include "tools/outbox_table.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <utility>

#include "tools/outbox_text.h"

namespace outbox::tools {
namespace {

constexpr size_t kRowsForWidths = 500;
constexpr size_t kWidthMax = 48;  // wider cells push the rest of their row, they are not cut

// Characters, as far as each has one column.
size_t Columns(const std::string& text) {
  return static_cast<size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<uint8_t>(c) & 0xc0) != 0x80; }));
}

}  // namespace

void TextTable::Add(const Row& row) {
  if (streaming_) {
    Print(row, /*titles=*/false);
    return;
  }
  rows_.push_back(row);
  if (rows_.size() == kRowsForWidths) StartStreaming();
}

void TextTable::End() {
  if (!streaming_ && !rows_.empty()) StartStreaming();
}

void TextTable::StartStreaming() {
  streaming_ = true;
  for (size_t column = 0; column < titles_.size(); ++column) {
    size_t width = Columns(titles_[column]);
    for (const Row& row : rows_) width = std::max(width, Columns(row[column]));
    widths_.push_back(std::min(width, kWidthMax));
  }
  Print(titles_, /*titles=*/true);
  for (const Row& row : rows_) Print(row, /*titles=*/false);
  rows_.clear();
}

void TextTable::AppendCell(const std::string& text, size_t column, bool titles,
                           std::string* line) const {
  const size_t columns = Columns(text);
  const size_t room = widths_[column] > columns ? widths_[column] - columns : 0;
  const char* start = "";
  if (colour_ != nullptr && (titles || column == colour_column_)) {
    start = titles ? kBold : colour_(text);
  }
  if (right_[column]) line->append(room, ' ');
  line->append(start);
  const size_t at = line->size();
  line->append(text);
  MakeHarmless(line, at);
  if (*start != '\0') line->append(kPlain);
  if (column + 1 < widths_.size()) line->append((right_[column] ? 0 : room) + 2, ' ');
}

void TextTable::Print(const Row& row, bool titles) {
  line_ = indent_;
  for (size_t column = 0; column < row.size(); ++column) {
    AppendCell(row[column], column, titles, &line_);
  }
  line_.push_back('\n');
  if (out_ != nullptr) {
    out_->append(line_);
  } else {
    fwrite_unlocked(line_.data(), 1, line_.size(), stdout);
  }
}

}  // namespace outbox::tools
