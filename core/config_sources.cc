#include "core/config_sources.h"

#include <algorithm>
#include <utility>

#include "core/domain_name.h"
#include "core/idna.h"
#include "core/limits.h"

namespace outbox::core {
namespace {

constexpr std::string_view kNameRule =
    "letters, digits, \"-\", \"_\" and \".\", with a letter among them, up to 63";

bool IsMulticast(const IpAddress& address) {
  const auto& octets = address.octets();
  return address.is_v4() ? octets[12] >= 224 : octets[0] == 0xff;
}

bool IsLinkLocal(const IpAddress& address) {
  return !address.is_v4() && address.octets()[0] == 0xfe && (address.octets()[1] & 0xc0) == 0x80;
}

bool Reaches(const SourceConfig& source, const IpAddress& host) {
  return std::any_of(source.addresses.begin(), source.addresses.end(),
                     [&](const IpAddress& one) { return one.is_v4() == host.is_v4(); });
}

}  // namespace

bool IsSourceName(std::string_view text) {
  bool letter = false;
  for (const char c : text) {
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    letter = letter || is_letter;
    const bool other = (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    if (!is_letter && !other) return false;
  }
  return letter && text.size() <= kSourceNameBytes;
}

std::vector<const SourceConfig*> SourcesOf(const Config& config, std::string_view name) {
  std::vector<const SourceConfig*> found;
  for (const SourceConfig& source : config.sources) {
    if (source.name == name) return {&source};
    if (std::find(source.pools.begin(), source.pools.end(), name) != source.pools.end()) {
      found.push_back(&source);
    }
  }
  return found;
}

void SourceReader::Read(const TomlValue& table) {
  ConfigReader reader(table, "[[source]]", problems_);
  SourceConfig source;
  source.helo = config_.hostname;
  ReadName(&reader, &source);
  ReadAddresses(&reader, &source);
  if (ConfigText helo; reader.Text("helo", &helo)) {
    if (!IsHostname(helo.text)) {
      problems_->Expect(helo, "is not a full host name",
                        "what its address is called in the DNS, for example \"out1.example.com\"");
    }
    source.helo = helo.text;
  }
  ReadPools(&reader, &source);
  if (reader.Integer("weight", 1, kSourceWeightMax, &source.weight) && source.pools.empty()) {
    problems_->Add(reader.PositionOf("weight"),
                   "\"weight\" is a share of a pool's mail; expected a \"pool\" beside it");
  }
  reader.Finish();
  config_.sources.push_back(std::move(source));
}

void SourceReader::ReadName(ConfigReader* reader, SourceConfig* source) {
  reader->Require("name", "what routes and listings call it, for example \"news-1\"");
  ConfigText name;
  if (!reader->Text("name", &name)) return;
  if (!IsSourceName(name.text)) {
    problems_->Expect(name, "is no name for a source", kNameRule);
    return;
  }
  const auto [first, is_new] = lines_.emplace(name.text, name.position.line);
  if (!is_new) {
    problems_->Expect(
        name, "is the name of the source in line " + std::to_string(first->second) + ", too",
        "a name of its own");
  }
  source->name = name.text;
}

void SourceReader::ReadAddresses(ConfigReader* reader, SourceConfig* source) {
  reader->Require("address",
                  "an address of this machine, or one of each family, for example "
                  "[\"192.0.2.7\", \"2001:db8::7\"]");
  std::vector<ConfigText> texts;
  if (!reader->Texts("address", "an address of this machine, or one of each family", 2, &texts)) {
    return;
  }
  for (const ConfigText& text : texts) {
    const Result<IpAddress> address = IpAddress::Parse(text.text);
    const bool mapped =
        address.ok() && address->is_v4() && text.text.find(':') != std::string::npos;
    if (!address.ok() || address->is_any() || IsMulticast(*address)) {
      problems_->Expect(text, "is no address to send from",
                        "one of this machine's, for example \"192.0.2.7\" or \"2001:db8::7\"");
    } else if (mapped) {
      problems_->Expect(text, "is an IPv4 address, written as one of IPv6",
                        "\"" + address->ToString() + "\"");
    } else if (IsLinkLocal(*address)) {
      problems_->Expect(text, "reaches nobody beyond its own link", "a global address");
    } else if (!source->addresses.empty() && source->addresses[0].is_v4() == address->is_v4()) {
      problems_->Expect(text, "is the second address of its family",
                        "at most one of IPv4 and one of IPv6; others are sources of their own, "
                        "perhaps in a pool");
    } else {
      source->addresses.push_back(*address);
    }
  }
}

void SourceReader::ReadPools(ConfigReader* reader, SourceConfig* source) {
  std::vector<ConfigText> texts;
  if (!reader->Texts("pool", "the name of a pool or an array of names", kConfigSourcePools,
                     &texts)) {
    return;
  }
  for (const ConfigText& text : texts) {
    if (!IsSourceName(text.text)) {
      problems_->Expect(text, "is no name for a pool", kNameRule);
    } else if (std::find(source->pools.begin(), source->pools.end(), text.text) !=
               source->pools.end()) {
      problems_->Expect(text, "stands twice", "each pool once");
    } else {
      source->pools.push_back(text.text);
      pools_.emplace(text.text, text);
    }
  }
}

void SourceReader::CheckPools() {
  for (const auto& [name, text] : pools_) {
    const auto source = lines_.find(name);
    if (source == lines_.end()) continue;
    problems_->Expect(text,
                      "is the name of the source in line " + std::to_string(source->second) +
                          ", and would be that of a pool",
                      "another name for the pool");
  }
}

bool SourceReader::ReadSendFrom(ConfigReader* reader, std::string* name) {
  ConfigText text;
  if (!reader->Text("send_from", &text)) return false;
  if (!text.text.empty() && !lines_.contains(text.text) && !pools_.contains(text.text)) {
    problems_->Expect(text, "is neither a source nor a pool",
                      "the name of a [[source]], of a pool of them, or \"\" for the system's "
                      "choice");
    return false;
  }
  *name = text.text;
  return true;
}

void SourceReader::ReadDefault(ConfigReader* reader) {
  ReadSendFrom(reader, &config_.delivery.send_from);
}

void SourceReader::ReadSender(const TomlValue& table) {
  ConfigReader reader(table, "[[sender]]", problems_);
  SenderConfig sender;
  reader.Require("domain", "domains of envelope senders, for example \"example.com\"");
  std::vector<ConfigText> texts;
  reader.Texts("domain", "a domain or an array of domains", kConfigPatterns, &texts);
  for (ConfigText& text : texts) {
    text.text = DomainKey(text.text);
    if (!IsRoutePattern(text.text)) {
      problems_->Expect(text, "is not a pattern of senders' domains",
                        "\"example.com\", \"*.example.com\" or \"*\"");
      continue;
    }
    const RoutePatterns::Earlier earlier = patterns_.Add(text.text, text.position.line);
    if (earlier.line != 0) {
      problems_->Expect(text, "is never reached",
                        "it before \"" + earlier.pattern + "\" in line " +
                            std::to_string(earlier.line) + ", since the first match wins");
      continue;
    }
    sender.domains.push_back(std::move(text.text));
  }
  reader.Require("send_from", "the name of a [[source]], or of a pool of them");
  ReadSendFrom(&reader, &sender.send_from);
  reader.Finish();
  config_.senders.push_back(std::move(sender));
}

void SourceReader::ReadRoute(ConfigReader* reader, RouteConfig* route) {
  const bool lmtp = !route->via.empty() && route->via[0].lmtp;
  for (const char* const key : {"bind", "send_from"}) {
    if (!lmtp || !reader->Has(key)) continue;
    problems_->Add(reader->PositionOf(key), "LMTP is for this site's own mailboxes; expected \"" +
                                                std::string(key) +
                                                "\" in a route with hosts that speak SMTP");
  }
  std::string name;
  if (!ReadSendFrom(reader, &name)) return;
  const TomlPosition place = reader->PositionOf("send_from");
  if (!route->bind.empty()) {
    problems_->Add(place,
                   "\"send_from\" stands beside \"bind\"; expected one of them: \"bind\" is an "
                   "address without a name");
  }
  for (const SourceConfig* source : SourcesOf(config_, name)) {
    for (const ViaHost& host : route->via) {
      if (!host.is_address || source->addresses.empty() || Reaches(*source, host.address.ip)) {
        continue;
      }
      problems_->Add(place, "the source \"" + source->name + "\" has no address from which " +
                                host.host + " can be reached; expected one of its family");
    }
  }
  route->send_from = std::move(name);
}

}  // namespace outbox::core
