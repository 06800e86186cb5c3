// TextTable: aligned columns on standard output, also of a list that is too long to keep.
#ifndef OUTBOX_TOOLS_OUTBOX_TABLE_H_
#define OUTBOX_TOOLS_OUTBOX_TABLE_H_

#include <cstddef>
#include <string>
#include <vector>

namespace outbox::tools {

// Prints rows as they come, once the first ones have told how wide the columns are; later rows keep
// the widths, so that a long list streams.
class TextTable {
 public:
  using Row = std::vector<std::string>;
  // Starts a colour for a cell of this text, or is empty.
  using Colour = const char* (*)(const std::string& text);

  // `indent` spaces stand before each row.
  explicit TextTable(Row titles, size_t indent = 0)
      : titles_(std::move(titles)), indent_(indent, ' '), right_(titles_.size(), false) {}

  // REQUIRES: as many cells as there are titles.
  void Add(const Row& row);
  // Appends instead of printing, from now on; for tests and for texts in pieces.
  void SetOutput(std::string* out) { out_ = out; }
  // The column is aligned to the right: numbers.
  void AlignRight(size_t column) { right_[column] = true; }
  // Titles in bold, and a column whose cells have colours. For terminals.
  void SetColours(size_t column, Colour colour) {
    colour_column_ = column;
    colour_ = colour;
  }
  // Prints what is kept; nothing for a table without rows.
  void End();

 private:
  void StartStreaming();
  void Print(const Row& row, bool titles);
  void AppendCell(const std::string& text, size_t column, bool titles, std::string* line) const;

  const Row titles_;
  const std::string indent_;
  std::vector<bool> right_;
  std::vector<Row> rows_;
  std::vector<size_t> widths_;
  bool streaming_ = false;
  size_t colour_column_ = 0;
  Colour colour_ = nullptr;
  std::string line_;
  std::string* out_ = nullptr;
};

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_OUTBOX_TABLE_H_
