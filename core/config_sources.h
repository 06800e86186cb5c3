// Reads [[source]] and [[sender]]: the addresses that we send from, and whose mail goes from which.
#ifndef OUTBOX_CORE_CONFIG_SOURCES_H_
#define OUTBOX_CORE_CONFIG_SOURCES_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.h"
#include "core/config_reader.h"
#include "core/config_rules.h"
#include "core/toml.h"

namespace outbox::core {

// A name that a source or a pool may have: letters, digits, "-", "_" and ".", one letter at least,
// so that it is no address; 1 to limits.h kSourceNameBytes.
bool IsSourceName(std::string_view text);

// The members of a pool, or the one source of that name; empty: there is neither.
std::vector<const SourceConfig*> SourcesOf(const Config& config, std::string_view name);

// One for a file. All [[source]] come first, then Check, then what names them.
class SourceReader {
 public:
  SourceReader(Config* config, ConfigProblems* problems) : config_(*config), problems_(problems) {}

  // A table each of [[source]] and [[sender]].
  void Read(const TomlValue& table);
  void ReadSender(const TomlValue& table);
  // No pool has the name of a source.
  void CheckPools();
  // `send_from` of [delivery].
  void ReadDefault(ConfigReader* reader);
  // `send_from` of a route, behind its hosts and its `bind`.
  void ReadRoute(ConfigReader* reader, RouteConfig* route);

 private:
  void ReadName(ConfigReader* reader, SourceConfig* source);
  void ReadAddresses(ConfigReader* reader, SourceConfig* source);
  void ReadPools(ConfigReader* reader, SourceConfig* source);
  // False: the key is not there, or names nothing.
  bool ReadSendFrom(ConfigReader* reader, std::string* name);

  Config& config_;
  ConfigProblems* const problems_;
  std::map<std::string, uint32_t> lines_;    // of the sources
  std::map<std::string, ConfigText> pools_;  // where each is named first
  RoutePatterns patterns_;                   // of [[sender]]
};

}  // namespace outbox::core

#endif  // OUTBOX_CORE_CONFIG_SOURCES_H_
