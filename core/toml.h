// TomlValue: a TOML document as plain values with positions.
//
// The one place that knows the TOML library is core/toml.cc; everything else sees this tree, in
// which the members of a table stand in the order of the file.
#ifndef OUTBOX_CORE_TOML_H_
#define OUTBOX_CORE_TOML_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace outbox::core {

// Both count from 1; columns count characters.
struct TomlPosition {
  uint32_t line = 1;
  uint32_t column = 1;

  auto operator<=>(const TomlPosition&) const = default;
};

struct TomlValue {
  enum class Kind : uint8_t { kString, kInteger, kFloat, kBoolean, kDate, kArray, kTable };

  Kind kind = Kind::kTable;
  TomlPosition position;  // of the value; of a table's header
  std::string key;        // of a table's member
  TomlPosition key_position;
  std::string string;            // kString
  int64_t integer = 0;           // kInteger; 0 or 1 for kBoolean
  std::vector<TomlValue> items;  // kArray: its elements; kTable: its members, in the file's order
};

// "a string", "an integer", ...
const char* TomlKindName(TomlValue::Kind kind);

struct TomlResult {
  TomlValue root;     // meaningful only without error
  std::string error;  // what the syntax error is; empty: none
  TomlPosition error_position;

  bool ok() const { return error.empty(); }
};

// Reads a document. Tables nested more than 16 deep are an error, as no configuration has them.
TomlResult ParseToml(std::string_view text);

}  // namespace outbox::core

#endif  // OUTBOX_CORE_TOML_H_
