#include "core/toml.h"

#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

#include <algorithm>
#include <tuple>
#include <utility>

namespace outbox::core {
namespace {

constexpr int kDepthMax = 16;

TomlPosition PositionOf(const toml::source_region& region) {
  return {region.begin.line, region.begin.column};
}

class Converter {
 public:
  // Returns false when the document is nested too deeply; the position is in `too_deep`.
  bool Convert(const toml::node& node, int depth, TomlValue* value) {
    value->position = PositionOf(node.source());
    switch (node.type()) {
      case toml::node_type::string:
        value->kind = TomlValue::Kind::kString;
        value->string = node.as_string()->get();
        return true;
      case toml::node_type::integer:
        value->kind = TomlValue::Kind::kInteger;
        value->integer = node.as_integer()->get();
        return true;
      case toml::node_type::boolean:
        value->kind = TomlValue::Kind::kBoolean;
        value->integer = node.as_boolean()->get() ? 1 : 0;
        return true;
      case toml::node_type::floating_point:
        value->kind = TomlValue::Kind::kFloat;
        return true;
      case toml::node_type::array:
        return ConvertArray(*node.as_array(), depth, value);
      case toml::node_type::table:
        return ConvertTable(*node.as_table(), depth, value);
      default:
        value->kind = TomlValue::Kind::kDate;
        return true;
    }
  }

  TomlPosition too_deep;

 private:
  bool Enter(int depth, const TomlValue& value) {
    too_deep = value.position;
    return depth < kDepthMax;
  }

  bool ConvertArray(const toml::array& array, int depth, TomlValue* value) {
    value->kind = TomlValue::Kind::kArray;
    if (!Enter(depth, *value)) return false;
    value->items.reserve(array.size());
    for (const toml::node& item : array) {
      if (!Convert(item, depth + 1, &value->items.emplace_back())) return false;
    }
    return true;
  }

  bool ConvertTable(const toml::table& table, int depth, TomlValue* value) {
    value->kind = TomlValue::Kind::kTable;
    if (!Enter(depth, *value)) return false;
    value->items.reserve(table.size());
    for (auto it = table.begin(); it != table.end(); ++it) {
      TomlValue& member = value->items.emplace_back();
      member.key = it->first.str();
      member.key_position = PositionOf(it->first.source());
      if (!Convert(it->second, depth + 1, &member)) return false;
    }
    // The library sorts by name.
    std::sort(value->items.begin(), value->items.end(), [](const TomlValue& a, const TomlValue& b) {
      return std::tie(a.key_position, a.key) < std::tie(b.key_position, b.key);
    });
    return true;
  }
};

}  // namespace

const char* TomlKindName(TomlValue::Kind kind) {
  switch (kind) {
    case TomlValue::Kind::kString:
      return "a string";
    case TomlValue::Kind::kInteger:
      return "an integer";
    case TomlValue::Kind::kFloat:
      return "a fraction";
    case TomlValue::Kind::kBoolean:
      return "a boolean";
    case TomlValue::Kind::kDate:
      return "a date or time";
    case TomlValue::Kind::kArray:
      return "an array";
    case TomlValue::Kind::kTable:
      return "a table";
  }
  return "a value";
}

TomlResult ParseToml(std::string_view text) {
  TomlResult result;
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed) {
    result.error = parsed.error().description();
    result.error_position = PositionOf(parsed.error().source());
    return result;
  }
  Converter converter;
  if (!converter.Convert(parsed.table(), 0, &result.root)) {
    result.error = "nested too deeply";
    result.error_position = converter.too_deep;
  }
  return result;
}

}  // namespace outbox::core
