// Reads the [[route]] tables of a configuration: what a route is for, and where its mail goes.
#ifndef OUTBOX_CORE_CONFIG_ROUTES_H_
#define OUTBOX_CORE_CONFIG_ROUTES_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.h"
#include "core/config_archive.h"
#include "core/config_reader.h"
#include "core/config_route_auth.h"
#include "core/config_rules.h"
#include "core/config_sources.h"

namespace outbox::core {

// The three periods, of [delivery] or of a route, over what `periods` has.
void ReadConfigPeriods(ConfigReader* reader, RetryPeriods* periods, ConfigProblems* problems);
// The hosts that MX records name listen on one port. True: the key is there.
bool ReadConfigPort(ConfigReader* reader, uint16_t* port);

// ">= 10MiB", "<1KiB". False: it is none.
bool ParseSizeCondition(std::string_view text, SizeCondition* condition);
// "X-Class" or "X-Class: bulk*". False: it is none.
bool ParseHeaderCondition(std::string_view text, HeaderCondition* condition);

// One for all routes of a file, in order, behind everything that they take their defaults from.
class RouteReader {
 public:
  RouteReader(Config* config, ArchiveReader* archive, SourceReader* sources,
              ConfigProblems* problems)
      : config_(*config),
        archive_(archive),
        sources_(sources),
        problems_(problems),
        auth_(problems) {}

  // Reads one table and adds it to config->routes.
  void Read(const TomlValue& table);

 private:
  using Texts = std::vector<ConfigText>;

  void ReadConditions(ConfigReader* reader, RouteConfig* route);
  bool ReadList(ConfigReader* reader, std::string_view key, std::string_view expected,
                Texts* texts);
  void ReadAddresses(ConfigReader* reader, std::string_view key, bool null_too,
                     std::vector<std::string>* patterns);
  void ReadSources(ConfigReader* reader, RouteConfig* route);
  void ReadHeaders(ConfigReader* reader, RouteConfig* route);
  void ReadSize(ConfigReader* reader, RouteConfig* route);
  // Last, since whether a pattern can be reached depends on the rest.
  void ReadMatch(ConfigReader* reader, RouteConfig* route);
  // A name that no other route has, or that was not given.
  void CheckName(const ConfigText& name);
  std::string FreeName(std::string name, uint32_t line);
  void ReadVia(ConfigReader* reader, RouteConfig* route);
  bool ReadAction(const ConfigText& text, size_t values, RouteConfig* route);
  void ReadName(ConfigReader* reader, RouteConfig* route);
  void ReadSending(ConfigReader* reader, RouteConfig* route);
  void ReadBind(ConfigReader* reader, RouteConfig* route);
  void ReadTls(ConfigReader* reader, RouteConfig* route);

  Config& config_;
  ArchiveReader* const archive_;
  SourceReader* const sources_;
  ConfigProblems* const problems_;
  RouteAuthReader auth_;
  RoutePatterns patterns_;
  struct Named {
    uint32_t line = 0;
    uint32_t routes = 1;  // that would have this name by default
  };
  std::map<std::string, Named> names_;
  size_t header_conditions_ = 0;
  size_t walked_ = 0;  // routes of RouteKey::kNone
};

}  // namespace outbox::core

#endif  // OUTBOX_CORE_CONFIG_ROUTES_H_
