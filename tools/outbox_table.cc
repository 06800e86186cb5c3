#include "tools/outbox_table.h"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace outbox::tools {
namespace {

constexpr size_t kRowsForWidths = 500;
constexpr size_t kWidthMax = 48;  // wider cells push the rest of their row, they are not cut

// Text of peers must not move the cursor of a terminal.
std::string Printable(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return (c >= 0 && c < ' ') || c == 0x7f; }, ' ');
  return text;
}

}  // namespace

void TextTable::Add(Row row) {
  for (std::string& cell : row) cell = Printable(std::move(cell));
  if (streaming_) {
    Print(row);
    return;
  }
  rows_.push_back(std::move(row));
  if (rows_.size() == kRowsForWidths) StartStreaming();
}

void TextTable::End() {
  if (!streaming_ && !rows_.empty()) StartStreaming();
}

void TextTable::StartStreaming() {
  streaming_ = true;
  for (size_t column = 0; column < titles_.size(); ++column) {
    size_t width = titles_[column].size();
    for (const Row& row : rows_) width = std::max(width, row[column].size());
    widths_.push_back(std::min(width, kWidthMax));
  }
  Print(titles_);
  for (const Row& row : rows_) Print(row);
  rows_.clear();
}

void TextTable::Print(const Row& row) {
  std::string text = indent_;
  for (size_t column = 0; column < row.size(); ++column) {
    text += row[column];
    if (column + 1 == row.size()) break;
    const size_t width = widths_[column];
    text.append(row[column].size() < width ? width - row[column].size() + 2 : 2, ' ');
  }
  text.push_back('\n');
  if (out_ != nullptr) {
    out_->append(text);
  } else {
    std::fwrite(text.data(), 1, text.size(), stdout);
  }
}

}  // namespace outbox::tools
