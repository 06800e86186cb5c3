// [archive] of the configuration, and what routes say about it: which mailbox gets a copy of mail.
#ifndef OUTBOX_CORE_CONFIG_ARCHIVE_H_
#define OUTBOX_CORE_CONFIG_ARCHIVE_H_

#include <string>
#include <string_view>
#include <vector>

#include "core/config.h"
#include "core/config_reader.h"

namespace outbox::core {

// The name of what copies go by, in the place of a route's; no [[route]] has it.
inline constexpr std::string_view kArchiveRoute = "archive";

// One for all tables of a file: [archive] first, then the routes, then Check.
class ArchiveReader {
 public:
  ArchiveReader(Config* config, ConfigProblems* problems) : config_(*config), problems_(problems) {}

  void Read(const TomlValue& table);
  // The key `archive` of a route, whose action is known. Without the key it has the mailbox of
  // [archive], unless its mail goes nowhere.
  void ReadRoute(ConfigReader* reader, RouteConfig* route);
  // [local] has been read: the mailboxes are in it, in domains of their own name.
  void Check();

 private:
  void Take(ConfigText text, std::string* mailbox);
  Config& config_;
  ConfigProblems* const problems_;
  std::vector<ConfigText> mailboxes_;  // as they were written
};

}  // namespace outbox::core

#endif  // OUTBOX_CORE_CONFIG_ARCHIVE_H_
