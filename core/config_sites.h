// Reads the [[site]] tables of a configuration, and of the files that it names in `sites`.
#ifndef OUTBOX_CORE_CONFIG_SITES_H_
#define OUTBOX_CORE_CONFIG_SITES_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.h"
#include "core/config_reader.h"

namespace outbox::core {

// One for all sites of a file, in order, behind [delivery], which they take their defaults from.
class SiteReader {
 public:
  SiteReader(Config* config, ConfigProblems* problems)
      : config_(*config), problems_(problems), before_(config->sites.size()) {}

  // Reads one table and adds it to config->sites, unless one that was there before has its name.
  void Read(const TomlValue& table);

 private:
  void ReadPatterns(ConfigReader* reader, std::string_view key, std::string_view of,
                    std::vector<std::string>* patterns);
  void ReadName(ConfigReader* reader, SiteConfig* site);
  void ReadReplyRule(const TomlValue& table, SiteConfig* site);
  void ReadReplyPatterns(ConfigReader* reader, ReplyRuleConfig* rule);
  void ReadReplyPhases(ConfigReader* reader, ReplyRuleConfig* rule);
  void ReadReplyRate(ConfigReader* reader, const SiteConfig& site, ReplyRuleConfig* rule);
  void ReadReplyExamples(ConfigReader* reader, const ReplyRuleConfig& rule);
  bool Replaced(const std::string& name) const;

  Config& config_;
  ConfigProblems* const problems_;
  const size_t before_;  // sites that were there
  std::map<std::string, uint32_t> lines_;
};

// `sites`: paths of files, one or several.
void ReadSiteFiles(ConfigReader* reader, std::vector<SiteFileConfig>* files,
                   ConfigProblems* problems);

// The name of a phase in on_reply: "greeting", "ehlo", "mail", "rcpt", "data", "dot".
const char* ReplyPhaseName(ReplyPhase phase);

}  // namespace outbox::core

#endif  // OUTBOX_CORE_CONFIG_SITES_H_
