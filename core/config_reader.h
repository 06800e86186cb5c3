// ConfigReader: takes typed values out of a table of the configuration and collects what is wrong.
//
// Made for one table; asked for each key that the table may have; finished last, when every key
// that nobody asked for is an error. A key that is missing or wrong leaves its target as it was, so
// that defaults stand there and reading goes on to find the other errors.
#ifndef OUTBOX_CORE_CONFIG_READER_H_
#define OUTBOX_CORE_CONFIG_READER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/toml.h"

namespace outbox::core {

// A string of the configuration and where it stands.
struct ConfigText {
  std::string text;
  TomlPosition position;
};

// What is wrong with a configuration.
class ConfigProblems {
 public:
  void Add(TomlPosition position, std::string text);
  // "the text" what; expected ...
  void Expect(const ConfigText& at, std::string_view what, std::string_view expected);
  bool empty() const { return problems_.empty(); }
  // "file:line:column: text" in the order of the file, the first `max`.
  std::vector<std::string> Lines(std::string_view file, size_t max);

 private:
  // More are not kept: the first ones are enough to work with.
  static constexpr size_t kKeptMax = 1000;

  struct Problem {
    TomlPosition position;
    size_t number;  // in the order of finding
    std::string text;
  };
  std::vector<Problem> problems_;
};

// The table of a configuration file of at most kConfigFileBytes. None: the problem is there.
std::optional<TomlValue> ParseConfigToml(std::string_view text, ConfigProblems* problems);

class ConfigReader {
 public:
  // `table` is a kTable and outlives the reader; `name` is how errors call it: "[storage]"; empty
  // for the top level.
  ConfigReader(const TomlValue& table, std::string_view name, ConfigProblems* problems)
      : table_(table), name_(name), problems_(problems) {}

  // Each returns whether the target was set.
  bool Text(std::string_view key, ConfigText* target);
  bool Boolean(std::string_view key, bool* target);
  bool Integer(std::string_view key, uint32_t min, uint32_t max, uint32_t* target);
  bool Size(std::string_view key, uint64_t min, uint64_t max, uint64_t* target);
  enum class Never : bool { kRefused, kAllowed };
  bool Duration(std::string_view key, int64_t min_ns, int64_t max_ns, Never never,
                int64_t* target_ns);
  // A string or an array of strings: "one" or ["one", "two"]. An empty array is an error, since it
  // says less than leaving the key out.
  bool Texts(std::string_view key, std::string_view expected, size_t max,
             std::vector<ConfigText>* target);
  // A [table]; nullptr: missing or wrong.
  const TomlValue* Table(std::string_view key);
  // The tables of [[key]], at most `max`.
  std::vector<const TomlValue*> Tables(std::string_view key, size_t max);

  // Says that `key` must be there. The position is the table's.
  void Require(std::string_view key, std::string_view why);
  // Where the key's value stands, or the table where there is none.
  TomlPosition PositionOf(std::string_view key) const;
  TomlPosition position() const { return table_.position; }
  bool Has(std::string_view key) const { return Find(key) != nullptr; }

  // Reports the keys that nobody asked for.
  void Finish();

 private:
  const TomlValue* Find(std::string_view key) const;
  // Like Find, and notes that the key is known.
  const TomlValue* Ask(std::string_view key);
  void WrongKind(const TomlValue& value, std::string_view expected);

  const TomlValue& table_;
  const std::string name_;
  ConfigProblems* const problems_;
  std::vector<std::string_view> known_;
};

}  // namespace outbox::core

#endif  // OUTBOX_CORE_CONFIG_READER_H_
