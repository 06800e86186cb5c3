#include "core/config_sites.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <utility>

#include "core/config_rules.h"
#include "core/domain_name.h"
#include "core/idna.h"
#include "core/reply_pattern.h"
#include "core/toml.h"

namespace outbox::core {
namespace {

using SiteNever = ConfigReader::Never;

constexpr int64_t kShortestPauseNs = kNsPerSecond;
constexpr int64_t kLongestPauseNs = 7 * kNsPerDay;
constexpr uint32_t kSmallestPart = 100;  // a hundredth of a rate

struct PhaseName {
  ReplyPhase phase;
  const char* name;
};
constexpr PhaseName kPhases[] = {{ReplyPhase::kGreeting, "greeting"}, {ReplyPhase::kEhlo, "ehlo"},
                                 {ReplyPhase::kMail, "mail"},         {ReplyPhase::kRcpt, "rcpt"},
                                 {ReplyPhase::kData, "data"},         {ReplyPhase::kDot, "dot"}};

// N of "1/N"; 0: it is none, though it may be a rate.
uint32_t PartOf(std::string_view text) {
  if (!text.starts_with("1/")) return 0;
  uint32_t part = 0;
  const char* end = text.data() + text.size();
  const auto [after, error] = std::from_chars(text.data() + 2, end, part);
  return error == std::errc() && after == end && part >= 2 && part <= kSmallestPart ? part : 0;
}

}  // namespace

const char* ReplyPhaseName(ReplyPhase phase) {
  for (const PhaseName& one : kPhases) {
    if (one.phase == phase) return one.name;
  }
  return "";
}

void SiteReader::Read(const TomlValue& table) {
  ConfigReader reader(table, "[[site]]", problems_);
  SiteConfig site;
  site.max_connections = config_.delivery.max_connections;
  site.messages_per_connection = config_.delivery.messages_per_connection;
  if (!reader.Has("hosts") && !reader.Has("domains")) {
    reader.Require("hosts",
                   "names of mail hosts, for example \"*.mail.example.net\"; or "
                   "\"domains\", the recipients'");
  }
  ReadPatterns(&reader, "hosts", "mail hosts", &site.hosts);
  ReadPatterns(&reader, "domains", "recipient domains", &site.domains);
  ReadName(&reader, &site);
  reader.Integer("max_connections", 1, kMaxConnectionsPerSite, &site.max_connections);
  reader.Integer("messages_per_connection", 0, 1'000'000, &site.messages_per_connection);
  ConfigText rate;
  if (reader.Text("max_rate", &rate)) {
    const Result<Rate> parsed = ParseRate(rate.text);
    if (parsed.ok()) {
      site.max_rate = *parsed;
    } else {
      problems_->Add(rate.position, "\"max_rate\": " + parsed.status().message());
    }
  }
  for (const TomlValue* rule : reader.Tables("on_reply", kConfigReplyRules)) {
    ReadReplyRule(*rule, &site);
  }
  reader.Finish();
  if (Replaced(site.name)) return;
  if (config_.sites.size() == kConfigSites) {
    problems_->Add(reader.position(),
                   "more than " + std::to_string(kConfigSites) + " sites in all; expected fewer");
    return;
  }
  config_.sites.push_back(std::move(site));
}

bool SiteReader::Replaced(const std::string& name) const {
  const auto end = config_.sites.begin() + static_cast<ptrdiff_t>(before_);
  return std::any_of(config_.sites.begin(), end,
                     [&name](const SiteConfig& site) { return site.name == name; });
}

void SiteReader::ReadName(ConfigReader* reader, SiteConfig* site) {
  if (!site->hosts.empty() || !site->domains.empty()) {
    site->name = site->hosts.empty() ? site->domains[0] : site->hosts[0];
  }
  ConfigText name;
  const bool has_name = reader->Text("name", &name);
  if (has_name && (name.text.empty() || name.text.size() > kConfigRouteNameBytes)) {
    problems_->Expect(name, "is no name for a site",
                      "1 to " + std::to_string(kConfigRouteNameBytes) + " bytes");
  } else if (has_name) {
    site->name = name.text;
  }
  const TomlPosition at = has_name ? name.position : reader->position();
  if (const auto [first, is_new] = lines_.emplace(site->name, at.line);
      !is_new && !site->name.empty()) {
    problems_->Add(at, "\"" + site->name + "\" is the name of the site in line " +
                           std::to_string(first->second) + ", too; expected a name of its own");
  }
}

void SiteReader::ReadPatterns(ConfigReader* reader, std::string_view key, std::string_view of,
                              std::vector<std::string>* patterns) {
  std::vector<ConfigText> texts;
  if (!reader->Texts(key, "a pattern or an array of patterns", kConfigPatterns, &texts)) return;
  for (const ConfigText& text : texts) {
    const std::string pattern = DomainKey(text.text);
    if (IsRoutePattern(pattern)) {
      patterns->push_back(pattern);
    } else {
      problems_->Expect(text, WithIdnaReason("is not a pattern of " + std::string(of), text.text),
                        "\"example.net\", \"*.example.net\" or \"*\"");
    }
  }
}

void SiteReader::ReadReplyRule(const TomlValue& table, SiteConfig* site) {
  ConfigReader reader(table, "on_reply", problems_);
  ReplyRuleConfig rule;
  reader.Require("pattern", "a text in the reply, for example \"421*too many\"");
  ReadReplyPatterns(&reader, &rule);
  ReadReplyPhases(&reader, &rule);
  ReadReplyRate(&reader, *site, &rule);
  reader.Integer("connections", 1, kMaxConnectionsPerSite, &rule.connections);
  reader.Duration("suspend", kShortestPauseNs, kLongestPauseNs, SiteNever::kRefused,
                  &rule.suspend_ns);
  reader.Duration("for", kShortestPauseNs, kLongestPauseNs, SiteNever::kRefused, &rule.for_ns);
  const bool lowers = reader.Has("rate") || reader.Has("connections");
  if (!lowers && !reader.Has("suspend")) {
    problems_->Add(reader.position(),
                   "on_reply does nothing; expected \"rate\" or \"connections\" with \"for\", or "
                   "\"suspend\"");
  } else if (lowers) {
    reader.Require("for", "how long the site gets less, for example \"15m\"");
  } else if (reader.Has("for")) {
    problems_->Add(reader.PositionOf("for"),
                   "\"for\" is about \"rate\" and \"connections\", and neither is there; expected "
                   "one of them, or \"suspend\" alone");
  }
  if (lowers && rule.suspend_ns > 0 && rule.for_ns > 0 && rule.for_ns <= rule.suspend_ns) {
    problems_->Add(reader.PositionOf("for"),
                   "\"for\" is over before \"suspend\" is; expected a longer time, since both "
                   "begin with the reply");
  }
  ReadReplyExamples(&reader, rule);
  reader.Finish();
  site->on_reply.push_back(std::move(rule));
}

void SiteReader::ReadReplyPatterns(ConfigReader* reader, ReplyRuleConfig* rule) {
  std::vector<ConfigText> texts;
  if (!reader->Texts("pattern", "a text or an array of texts", kConfigReplyPatterns, &texts)) {
    return;
  }
  for (const ConfigText& text : texts) {
    // One that is in every reply is a mistake.
    const bool empty = text.text.find_first_not_of("* ") == std::string::npos;
    if (empty || text.text.size() > kConfigReplyPatternBytes) {
      problems_->Expect(text, "is no pattern of replies",
                        "1 to " + std::to_string(kConfigReplyPatternBytes) +
                            " bytes of a reply, with * for what differs");
      continue;
    }
    rule->patterns.push_back(ToLower(text.text));
  }
}

void SiteReader::ReadReplyPhases(ConfigReader* reader, ReplyRuleConfig* rule) {
  std::vector<ConfigText> texts;
  if (!reader->Texts("phase", "a phase or an array of phases", std::size(kPhases), &texts)) return;
  rule->phases = 0;
  for (const ConfigText& text : texts) {
    const auto* const found =
        std::find_if(std::begin(kPhases), std::end(kPhases),
                     [&text](const PhaseName& one) { return text.text == one.name; });
    if (found == std::end(kPhases)) {
      problems_->Expect(text, "is no phase of a session",
                        "\"greeting\", \"ehlo\", \"mail\", \"rcpt\", \"data\" or \"dot\"");
      continue;
    }
    rule->phases = static_cast<uint8_t>(rule->phases | static_cast<uint8_t>(found->phase));
  }
}

void SiteReader::ReadReplyRate(ConfigReader* reader, const SiteConfig& site,
                               ReplyRuleConfig* rule) {
  ConfigText text;
  if (!reader->Text("rate", &text)) return;
  rule->part = PartOf(text.text);
  if (rule->part > 0) {
    if (!site.max_rate.limited()) {
      problems_->Expect(text, "is a part of a rate, and the site has no \"max_rate\"",
                        "a \"max_rate\" in the [[site]], or here a rate as \"10/min\"");
    }
    return;
  }
  const Result<Rate> rate = ParseRate(text.text);
  if (rate.ok()) {
    rule->rate = *rate;
  } else {
    problems_->Add(text.position, "\"rate\": " + rate.status().message() +
                                      "; or a part of the present one, \"1/2\" to \"1/" +
                                      std::to_string(kSmallestPart) + "\"");
  }
}

// Replies that the rule is for, as hosts have given them: so that a pattern is never only believed.
void SiteReader::ReadReplyExamples(ConfigReader* reader, const ReplyRuleConfig& rule) {
  std::vector<ConfigText> texts;
  if (!reader->Texts("example", "a reply or an array of replies", kConfigReplyPatterns, &texts)) {
    return;
  }
  for (const ConfigText& text : texts) {
    const std::string line = ToLower(text.text);
    const bool refusal = line.size() >= 3 && (line[0] == '4' || line[0] == '5');
    const bool found =
        std::any_of(rule.patterns.begin(), rule.patterns.end(),
                    [&line](const std::string& pattern) { return IsInReply(pattern, line); });
    if (!refusal) {
      problems_->Expect(text, "is no refusal", "a reply that begins with 4 or 5");
    } else if (!found) {
      problems_->Expect(text, "has none of the patterns in it", "a reply that the rule is for");
    }
  }
}

void ReadSiteFiles(ConfigReader* reader, std::vector<SiteFileConfig>* files,
                   ConfigProblems* problems) {
  std::vector<ConfigText> texts;
  if (!reader->Texts("sites", "a file or an array of files", kConfigSiteFiles, &texts)) return;
  for (const ConfigText& text : texts) {
    if (text.text.empty() || text.text.size() > 4000 || text.text.find('\0') != std::string::npos) {
      problems->Expect(text, "is not a path that can be used", "1 to 4000 bytes");
      continue;
    }
    files->push_back({text.text, text.position.line, text.position.column});
  }
}

std::vector<std::string> ParseSites(std::string_view text, std::string_view file, Config* config) {
  ConfigProblems problems;
  if (const std::optional<TomlValue> root = ParseConfigToml(text, &problems)) {
    ConfigReader reader(*root, "", &problems);
    SiteReader sites(config, &problems);
    for (const TomlValue* table : reader.Tables("site", kConfigSites)) sites.Read(*table);
    reader.Finish();
  }
  return problems.Lines(file, kConfigErrors);
}

}  // namespace outbox::core
