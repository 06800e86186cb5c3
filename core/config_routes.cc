#include "core/config_routes.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/byte_size.h"
#include "core/config_tls.h"
#include "core/config_verp.h"
#include "core/domain_name.h"
#include "core/duration.h"
#include "core/idna.h"
#include "core/utf8.h"

namespace outbox::core {
namespace {

constexpr int64_t kLongestPeriodNs = 365 * kNsPerDay;
constexpr std::string_view kBlanks = " \t";

std::string_view Trim(std::string_view text) {
  const size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

// local@domain, either with "*"; in a domain that is not ASCII, only as "*." in front.
bool IsAddressPattern(std::string_view text) {
  const size_t at = text.rfind('@');
  if (at == std::string_view::npos || at == 0 || at + 1 == text.size() || !IsUtf8(text) ||
      std::any_of(text.begin(), text.end(), [](char c) {
        return IsAscii(c) && !IsPrintable({&c, 1});
      })) {
    return false;
  }
  const std::string domain = DomainKey(text.substr(at + 1));
  if (!IsAscii(domain)) return false;
  return domain.find_first_of(" <>") == std::string::npos && text.front() != '<';
}

}  // namespace

void ReadConfigPeriods(ConfigReader* reader, RetryPeriods* periods, ConfigProblems* problems) {
  std::vector<ConfigText> steps;
  if (reader->Texts("retry", "a duration or an array of durations", kConfigRetrySteps, &steps)) {
    std::vector<int64_t> retry_ns;
    for (const ConfigText& step : steps) {
      const Result<int64_t> ns = ParseDuration(step.text);
      if (!ns.ok()) {
        problems->Add(step.position, "\"retry\": " + ns.status().message());
      } else if (*ns < kNsPerSecond || *ns > kLongestPeriodNs) {
        problems->Expect(step, "is no period to retry after", "a duration from 1s to 365d");
      } else {
        retry_ns.push_back(*ns);
      }
    }
    if (retry_ns.size() == steps.size()) periods->retry_ns = std::move(retry_ns);
  }
  reader->Duration("notify_after", kNsPerSecond, kLongestPeriodNs, ConfigReader::Never::kAllowed,
                   &periods->notify_after_ns);
  reader->Duration("retry_until", kNsPerSecond, kLongestPeriodNs, ConfigReader::Never::kRefused,
                   &periods->retry_until_ns);
  // Where only one of the two is said, the other one's default may well be beyond it.
  if (reader->Has("notify_after") && reader->Has("retry_until") &&
      periods->notify_after_ns != kNever && periods->notify_after_ns > periods->retry_until_ns) {
    problems->Add(reader->PositionOf("notify_after"),
                  "\"notify_after\" is " + FormatDuration(periods->notify_after_ns) +
                      ", when the mail has been given up after " +
                      FormatDuration(periods->retry_until_ns) +
                      "; expected at most \"retry_until\", or \"never\"");
  }
}

bool ReadConfigPort(ConfigReader* reader, uint16_t* port) {
  uint32_t number = *port;
  const bool is_set = reader->Integer("port", 1, UINT16_MAX, &number);
  *port = static_cast<uint16_t>(number);
  return is_set;
}

bool ParseSizeCondition(std::string_view text, SizeCondition* condition) {
  if (text.empty() || (text[0] != '<' && text[0] != '>')) return false;
  const bool or_equal = text.size() > 1 && text[1] == '=';
  const Result<uint64_t> bytes = ParseByteSize(Trim(text.substr(or_equal ? 2 : 1)));
  if (!bytes.ok()) return false;
  *condition = {};
  if (text[0] == '>') {
    condition->min = *bytes + (or_equal ? 0 : 1);
  } else if (!or_equal && *bytes == 0) {
    return false;  // no message is smaller
  } else {
    condition->max = *bytes - (or_equal ? 0 : 1);
  }
  condition->text = text;
  return true;
}

bool ParseHeaderCondition(std::string_view text, HeaderCondition* condition) {
  const size_t colon = text.find(':');
  const std::string_view name = Trim(text.substr(0, colon));
  if (name.empty() || !IsPrintable(text) || name.find(' ') != std::string_view::npos) return false;
  *condition = {ToLower(name), "", std::string(text)};
  if (colon == std::string_view::npos) return true;
  condition->value = ToLower(Trim(text.substr(colon + 1)));
  return !condition->value.empty();
}

void RouteReader::Read(const TomlValue& table) {
  ConfigReader reader(table, "[[route]]", problems_);
  RouteConfig route;
  route.periods = config_.delivery.periods;
  route.port = config_.delivery.port;
  route.max_connections = config_.delivery.max_connections;
  ReadConditions(&reader, &route);
  ReadVia(&reader, &route);
  ReadMatch(&reader, &route);
  ReadName(&reader, &route);
  ReadSending(&reader, &route);
  archive_->ReadRoute(&reader, &route);
  ReadConfigPeriods(&reader, &route.periods, problems_);
  if (KeyOf(route) == RouteKey::kNone && !route.match.empty() &&
      ++walked_ == kConfigWalkedRoutes + 1) {
    problems_->Add(
        reader.position(),
        "more than " + std::to_string(kConfigWalkedRoutes) +
            " routes that are for any domain and sender; expected fewer, or a \"match\", "
            "\"recipient\" or \"sender\" without \"*\" in each");
  }
  reader.Finish();
  config_.routes.push_back(std::move(route));
}

// --- What it is for ------------------------------------------------------------------------------

void RouteReader::ReadConditions(ConfigReader* reader, RouteConfig* route) {
  ReadAddresses(reader, "recipient", /*null_too=*/false, &route->recipients);
  ReadAddresses(reader, "sender", /*null_too=*/true, &route->senders);
  ReadSources(reader, route);
  ReadHeaders(reader, route);
  ReadSize(reader, route);
}

bool RouteReader::ReadList(ConfigReader* reader, std::string_view key, std::string_view expected,
                           Texts* texts) {
  if (!reader->Texts(key, expected, kConfigConditions, texts)) return false;
  std::erase_if(*texts, [this](const ConfigText& text) {
    if (text.text.size() <= kConfigConditionBytes) return false;
    problems_->Add(text.position, "a condition of " + std::to_string(text.text.size()) +
                                      " bytes; expected at most " +
                                      std::to_string(kConfigConditionBytes));
    return true;
  });
  return true;
}

void RouteReader::ReadAddresses(ConfigReader* reader, std::string_view key, bool null_too,
                                std::vector<std::string>* patterns) {
  Texts texts;
  if (!ReadList(reader, key, "an address or an array of addresses", &texts)) return;
  for (const ConfigText& text : texts) {
    if (IsAddressPattern(text.text) || (null_too && text.text == "<>")) {
      patterns->push_back(AddressKey(text.text));
    } else if (null_too) {
      problems_->Expect(text, WithIdnaReason("is no pattern of senders", DomainPart(text.text)),
                        "\"news@example.com\", \"*@example.com\" or, for the null return path, "
                        "\"<>\"");
    } else {
      problems_->Expect(text, WithIdnaReason("is no pattern of recipients", DomainPart(text.text)),
                        "\"anna@example.net\" or \"sales-*@example.net\"; domains belong to "
                        "\"match\"");
    }
  }
}

void RouteReader::ReadSources(ConfigReader* reader, RouteConfig* route) {
  Texts texts;
  if (!reader->Texts("source", "a network or an array of networks", kConfigNetworks, &texts)) {
    return;
  }
  for (const ConfigText& text : texts) {
    const Result<Network> network = Network::Parse(text.text);
    if (network.ok()) {
      route->sources.push_back(*network);
    } else {
      problems_->Add(text.position, network.status().message());
    }
  }
}

void RouteReader::ReadHeaders(ConfigReader* reader, RouteConfig* route) {
  Texts texts;
  if (!ReadList(reader, "header", "a header field or an array of fields", &texts)) return;
  for (const ConfigText& text : texts) {
    HeaderCondition condition;
    if (!ParseHeaderCondition(text.text, &condition)) {
      problems_->Expect(text, "is no header field",
                        "its name, or its name and a pattern of its value, for example "
                        "\"X-Class: bulk*\"");
    } else if (++header_conditions_ == kConfigHeaderConditions + 1) {
      problems_->Add(text.position, "more than " + std::to_string(kConfigHeaderConditions) +
                                        " header fields in all routes; expected fewer");
    } else {
      route->headers.push_back(std::move(condition));
    }
  }
}

void RouteReader::ReadSize(ConfigReader* reader, RouteConfig* route) {
  ConfigText text;
  if (!reader->Text("size", &text) || ParseSizeCondition(text.text, &route->size)) return;
  problems_->Expect(text, "is no condition for the size", "for example \">= 10MiB\" or \"< 1KiB\"");
}

void RouteReader::ReadMatch(ConfigReader* reader, RouteConfig* route) {
  const bool more = reader->Has("recipient") || reader->Has("sender") || reader->Has("source") ||
                    reader->Has("header") || reader->Has("size");
  if (!reader->Has("match") && more) {
    route->match = {"*"};
    return;
  }
  reader->Require("match", "recipient domains, for example \"*.example.net\" or \"*\"");
  // Mail that is held goes on by a later route when it is released.
  const bool covers = !more && route->action != RouteAction::kHold;
  Texts texts;
  if (!reader->Texts("match", "a pattern or an array of patterns", kConfigPatterns, &texts)) return;
  for (ConfigText& text : texts) {
    text.text = DomainKey(text.text);
    if (!IsRoutePattern(text.text)) {
      problems_->Expect(text, WithIdnaReason("is not a pattern of recipient domains", text.text),
                        "\"example.net\", \"*.example.net\" or \"*\"");
      continue;
    }
    const RoutePatterns::Earlier earlier =
        covers ? patterns_.Add(text.text, text.position.line) : patterns_.Find(text.text);
    if (earlier.line != 0) {
      problems_->Expect(text, "is never reached",
                        "it before \"" + earlier.pattern + "\" in line " +
                            std::to_string(earlier.line) + ", since the first match wins");
      continue;
    }
    route->match.push_back(std::move(text.text));
  }
}

void RouteReader::ReadName(ConfigReader* reader, RouteConfig* route) {
  ConfigText name;
  if (reader->Text("name", &name)) {
    CheckName(name);
    route->name = name.text;
    return;
  }
  if (reader->Has("match")) {
    if (!route->match.empty()) route->name = route->match[0];
  } else if (!route->recipients.empty()) {
    route->name = route->recipients[0];
  } else if (!route->senders.empty()) {
    route->name = route->senders[0];
  } else if (!route->sources.empty()) {
    route->name = route->sources[0].ToString();
  } else {
    route->name = route->headers.empty() ? route->size.text : route->headers[0].text;
  }
  if (!reader->Has("match"))
    route->name.resize(std::min(route->name.size(), kConfigRouteNameBytes));
  route->name = FreeName(std::move(route->name), reader->position().line);
}

void RouteReader::CheckName(const ConfigText& name) {
  static constexpr std::array<std::string_view, 3> kOurs = {"mx", "local", kArchiveRoute};
  if (name.text.empty() || name.text.size() > kConfigRouteNameBytes) {
    problems_->Expect(name, "is no name for a route",
                      "1 to " + std::to_string(kConfigRouteNameBytes) + " bytes");
  } else if (std::find(kOurs.begin(), kOurs.end(), name.text) != kOurs.end()) {
    problems_->Expect(name, "is the name of a way that mail takes without a route", "another name");
  } else if (const auto [first, is_new] = names_.try_emplace(name.text, Named{name.position.line});
             !is_new) {
    problems_->Expect(
        name, "is the name of the route in line " + std::to_string(first->second.line) + ", too",
        "a name of its own");
  }
}

// Routes with the same first pattern are told apart by a number.
std::string RouteReader::FreeName(std::string name, uint32_t line) {
  const auto [first, is_new] = names_.try_emplace(name, Named{line});
  if (is_new) return name;
  Named& others = first->second;
  std::string numbered;
  do {
    numbered = name + "#" + std::to_string(++others.routes);
  } while (!names_.try_emplace(numbered, Named{line}).second);
  return numbered;
}

// --- Where its mail goes -------------------------------------------------------------------------

bool RouteReader::ReadAction(const ConfigText& text, size_t values, RouteConfig* route) {
  const std::string_view word = std::string_view(text.text).substr(0, text.text.find(' '));
  const std::string_view rest = Trim(std::string_view(text.text).substr(word.size()));
  if (word == "reject") {
    route->action = RouteAction::kReject;
    route->reject_text = "Mail like this is not accepted here";
    std::string_view says = rest;
    if (says.size() > 1 && says.front() == '"' && says.back() == '"') {
      says = Trim(says.substr(1, says.size() - 2));
    }
    if (says.size() > kConfigRejectBytes || !IsPrintable(says)) {
      problems_->Expect(text, "says what no reply can",
                        "at most " + std::to_string(kConfigRejectBytes) +
                            " printable ASCII characters behind \"reject\"");
    } else if (!says.empty()) {
      route->reject_text = says;
    }
  } else if (rest.empty() && (word == "hold" || word == "discard")) {
    route->action = word == "hold" ? RouteAction::kHold : RouteAction::kDiscard;
  } else {
    return false;
  }
  if (values > 1) problems_->Expect(text, "stands beside others", "it alone");
  return true;
}

void RouteReader::ReadVia(ConfigReader* reader, RouteConfig* route) {
  reader->Require("via",
                  "\"mx\", hosts to send to, for example [\"192.0.2.25:25\"], \"hold\", "
                  "\"reject TEXT\" or \"discard\"");
  Texts texts;
  if (!reader->Texts("via", "an array of hosts", kConfigViaHosts, &texts)) return;
  for (const ConfigText& text : texts) {
    if (text.text == "mx") {
      route->via_mx = true;
      if (texts.size() > 1) {
        problems_->Expect(text, "stands beside hosts", "either \"mx\" alone or hosts");
      }
      continue;
    }
    ViaHost host;
    if (ReadAction(text, texts.size(), route)) {
      continue;
    }
    if (!ParseViaHost(text.text, &host)) {
      problems_->Expect(text, "is not a host to send to",
                        "\"mx\", \"mail.example.net\", \"192.0.2.25:2525\", "
                        "\"[2001:db8::25]:25\", \"lmtp:127.0.0.1:24\" or "
                        "\"lmtp:/run/dovecot/lmtp\"");
    } else if (IsOwnListener(host, config_)) {
      problems_->Expect(text, "is our own listener, and mail would go round in a circle",
                        "another host");
    } else if (std::any_of(route->via.begin(), route->via.end(), [&](const ViaHost& other) {
                 return other.host == host.host && other.port == host.port;
               })) {
      problems_->Expect(text, "stands twice", "each host once");
    } else {
      route->via.push_back(std::move(host));
    }
  }
  if (const char* expected = WhyNoViaList(route->via)) {
    problems_->Add(reader->PositionOf("via"),
                   std::string("\"via\" cannot be used as it is; expected ") + expected);
  }
}

void RouteReader::ReadSending(ConfigReader* reader, RouteConfig* route) {
  if (ReadConfigPort(reader, &route->port) && !route->via.empty()) {
    problems_->Add(reader->PositionOf("port"),
                   "\"port\" is for via = \"mx\"; expected it behind each host, for example "
                   "\"192.0.2.25:2525\"");
  }
  reader->Integer("max_connections", 1, kMaxConnectionsPerSite, &route->max_connections);
  ReadBind(reader, route);
  sources_->ReadRoute(reader, route);
  ReadTls(reader, route);
  auth_.Read(reader, route);
  ReadVerp(reader, route, problems_);
  if (route->action == RouteAction::kSend) return;
  std::vector<std::string_view> keys = {"port", "max_connections", "bind", "send_from", "tls"};
  keys.insert(keys.end(), std::begin(kRouteAuthKeys), std::end(kRouteAuthKeys));
  for (const std::string_view key : keys) {
    if (!reader->Has(key)) continue;
    problems_->Add(reader->PositionOf(key), "\"" + std::string(key) +
                                                "\" is for mail that is sent; expected it in a "
                                                "route with hosts or \"mx\" in \"via\"");
  }
}

void RouteReader::ReadBind(ConfigReader* reader, RouteConfig* route) {
  Texts texts;
  if (!reader->Texts("bind", "an address of this machine, or one of each family", 2, &texts))
    return;
  for (const ConfigText& text : texts) {
    const Result<IpAddress> address = IpAddress::Parse(text.text);
    if (!address.ok() || address->is_any()) {
      problems_->Expect(text, "is no address to send from",
                        "one of this machine's, for example \"192.0.2.7\" or \"2001:db8::7\"");
    } else if (!route->bind.empty() && route->bind[0].is_v4() == address->is_v4()) {
      problems_->Expect(text, "is the second address of its family",
                        "at most one of IPv4 and one of IPv6");
    } else {
      route->bind.push_back(*address);
    }
  }
  for (const ViaHost& host : route->via) {
    if (!host.is_address || route->bind.empty() ||
        std::any_of(route->bind.begin(), route->bind.end(),
                    [&](const IpAddress& one) { return one.is_v4() == host.address.ip.is_v4(); })) {
      continue;
    }
    problems_->Add(reader->PositionOf("bind"), "\"bind\" has no address from which " + host.host +
                                                   " can be reached; expected one of its family");
  }
}

void RouteReader::ReadTls(ConfigReader* reader, RouteConfig* route) {
  route->tls = config_.delivery.tls;
  TomlPosition place;
  if (!ReadTlsMode(reader, &route->tls, &place, problems_)) return;
  route->tls_line = place.line;
  route->tls_column = place.column;
  if (route->via.empty() || !route->via[0].lmtp || route->tls <= TlsMode::kOpportunistic) return;
  problems_->Add(place, "LMTP is not encrypted here; expected \"none\", or hosts that speak SMTP");
}

}  // namespace outbox::core
