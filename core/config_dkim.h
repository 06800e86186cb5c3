// [[dkim]] of the configuration: whose mail is signed, with which key, and what of it.
#ifndef OUTBOX_CORE_CONFIG_DKIM_H_
#define OUTBOX_CORE_CONFIG_DKIM_H_

#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "core/config.h"
#include "core/config_reader.h"
#include "core/toml.h"

namespace outbox::core {

// Reads the tables of [[dkim]] one after another into config->dkim. Key files are not opened here.
class DkimReader {
 public:
  DkimReader(Config* config, ConfigProblems* problems) : config_(*config), problems_(problems) {}

  void Read(const TomlValue& table);

 private:
  void ReadDomains(ConfigReader* reader, DkimConfig* dkim);
  void ReadSelector(ConfigReader* reader, DkimConfig* dkim);
  void ReadSigner(ConfigReader* reader, DkimConfig* dkim);
  void ReadCanonicalization(ConfigReader* reader, DkimConfig* dkim);
  void ReadHeaders(ConfigReader* reader, DkimConfig* dkim);
  bool ReadNames(ConfigReader* reader, std::string_view key, std::vector<std::string>* names);

  Config& config_;
  ConfigProblems* const problems_;
  std::map<std::pair<std::string, std::string>, uint32_t> lines_;  // of domains and selectors
};

// The d= of a signature for mail that `pattern`, one of the entry's domains, takes: signing_domain
// where there is one, else the domain itself, or that behind the "*.". Empty for "*": the author's.
std::string_view SigningDomainOf(const DkimConfig& dkim, std::string_view pattern);

// The same domain, or one below it.
bool IsSameOrBelow(std::string_view name, std::string_view domain);

}  // namespace outbox::core

#endif  // OUTBOX_CORE_CONFIG_DKIM_H_
