// Reads a configuration: which keys there are, what they may hold, and what does not go together.
//
// It reads on after an error, so that an operator sees (nearly) all of them at once.
#include <algorithm>
#include <map>
#include <span>

#include "core/byte_size.h"
#include "core/config.h"
#include "core/config_archive.h"
#include "core/config_auth.h"
#include "core/config_dkim.h"
#include "core/config_local.h"
#include "core/config_reader.h"
#include "core/config_routes.h"
#include "core/config_rules.h"
#include "core/config_sites.h"
#include "core/config_sources.h"
#include "core/config_tls.h"
#include "core/domain_name.h"
#include "core/duration.h"
#include "core/idna.h"
#include "core/toml.h"
#include "core/utf8.h"

namespace outbox::core {
namespace {

using Never = ConfigReader::Never;

constexpr int64_t kLongestTimeoutNs = kNsPerDay;
constexpr size_t kControlPathBytes = 107;  // what fits a socket's address, unix(7)

void ReadPath(ConfigReader* reader, std::string_view key, size_t max, std::string* path,
              ConfigProblems* problems) {
  ConfigText text;
  if (!reader->Text(key, &text)) return;
  if (text.text.empty() || text.text.size() > max || text.text.find('\0') != std::string::npos) {
    problems->Expect(text, "is not a path that can be used",
                     "1 to " + std::to_string(max) + " bytes");
    return;
  }
  *path = text.text;
}

void ReadHostname(ConfigReader* reader, std::string* hostname, ConfigProblems* problems) {
  reader->Require("hostname", "this machine's full name, for example \"relay.example.com\"");
  ConfigText text;
  if (!reader->Text("hostname", &text)) return;
  // What is said in EHLO is ASCII (RFC 6531 3.7.1).
  const std::string name = IsAscii(text.text) ? text.text : DomainKey(text.text);
  if (!IsHostname(name)) {
    problems->Expect(text, WithIdnaReason("is not a full host name", text.text),
                     "for example \"relay.example.com\" or \"[192.0.2.1]\"");
    return;
  }
  *hostname = name;
}

void ReadTimeout(ConfigReader* reader, std::string_view key, int64_t* timeout_ns) {
  reader->Duration(key, 100 * kNsPerMs, kLongestTimeoutNs, Never::kRefused, timeout_ns);
}

class Parser {
 public:
  Parser(Config* config, ConfigProblems* problems) : config_(*config), problems_(problems) {}

  void Read(const TomlValue& root) {
    ConfigReader reader(root, "", problems_);
    ReadHostname(&reader, &config_.hostname, problems_);
    ReadPath(&reader, "spool", 4000, &config_.spool, problems_);
    ReadPath(&reader, "control", kControlPathBytes, &config_.control, problems_);
    ReadStats(&reader);
    ReadPath(&reader, "maildrop", 4000, &config_.maildrop, problems_);
    reader.Integer("shards", 0, kMaxShards, &config_.shards);
    reader.Duration("stop_timeout", 0, kNsPerHour, Never::kRefused, &config_.stop_timeout_ns);
    if (const TomlValue* table = reader.Table("auth")) ReadAuth(*table, &config_.auth, problems_);
    const std::vector<const TomlValue*> listeners = reader.Tables("listener", kConfigListeners);
    for (const TomlValue* table : listeners) ReadListener(*table);
    if (!reader.Has("listener")) {
      problems_->Add(reader.position(),
                     "the configuration has no [[listener]]; expected at least one");
    }
    if (!config_.maildrop.empty() &&
        std::none_of(config_.listeners.begin(), config_.listeners.end(),
                     [](const ListenerConfig& listener) { return listener.is_unix(); })) {
      problems_->Add(reader.PositionOf("maildrop"),
                     "\"maildrop\" needs a way to hand its mail in; expected a [[listener]] with "
                     "address = \"unix:/...\"");
    }
    if (const TomlValue* table = reader.Table("storage")) ReadStorage(*table);
    if (const TomlValue* table = reader.Table("queue")) ReadQueue(*table);
    if (const TomlValue* table = reader.Table("resolver")) ReadResolver(*table);
    SourceReader sources(&config_, problems_);
    for (const TomlValue* table : reader.Tables("source", kConfigSources)) sources.Read(*table);
    sources.CheckPools();
    for (const TomlValue* table : reader.Tables("sender", kConfigSenders)) {
      sources.ReadSender(*table);
    }
    if (const TomlValue* table = reader.Table("delivery")) ReadDelivery(*table, &sources);
    ArchiveReader archive(&config_, problems_);
    if (const TomlValue* table = reader.Table("archive")) archive.Read(*table);
    RouteReader routes(&config_, &archive, &sources, problems_);
    for (const TomlValue* table : reader.Tables("route", kConfigRoutes)) routes.Read(*table);
    SiteReader sites(&config_, problems_);
    for (const TomlValue* table : reader.Tables("site", kConfigSites)) sites.Read(*table);
    ReadSiteFiles(&reader, &config_.site_files, problems_);
    if (const TomlValue* table = reader.Table("local")) ReadLocal(*table);
    archive.Check();
    DkimReader dkim(&config_, problems_);
    for (const TomlValue* table : reader.Tables("dkim", kConfigDkim)) dkim.Read(*table);
    if (const TomlValue* table = reader.Table("log")) ReadLog(*table);
    if (const TomlValue* table = reader.Table("talk")) ReadTalk(*table);
    if (const TomlValue* table = reader.Table("limits")) ReadLimits(*table);
    if (const TomlValue* table = reader.Table("io")) ReadIo(*table);
    reader.Finish();
    if (config_.talk.directory.empty()) config_.talk.directory = config_.spool + "/talk";
  }

 private:
  void ReadStats(ConfigReader* reader) {
    const size_t slash = config_.control.rfind('/');
    config_.stats = config_.control.substr(0, slash == std::string::npos ? 0 : slash + 1);
    config_.stats += "stats.sock";
    ReadPath(reader, "stats", kControlPathBytes, &config_.stats, problems_);
    if (config_.stats == config_.control) {
      problems_->Add(reader->PositionOf(reader->Has("stats") ? "stats" : "control"),
                     "\"stats\" and \"control\" are the same socket; expected two different paths");
    }
  }

  void ReadListener(const TomlValue& table) {
    ConfigReader reader(table, "[[listener]]", problems_);
    ListenerConfig listener;
    ReadListenerAddress(&reader, &listener);
    reader.Size("max_size", 1024, kMaxMessageBytes, &listener.max_size);
    reader.Integer("max_recipients", 1, kMaxRecipients, &listener.max_recipients);
    reader.Integer("max_connections", 1, kMaxConnectionsIn, &listener.max_connections);
    reader.Integer("max_connections_per_client", 1, kMaxConnectionsIn,
                   &listener.max_connections_per_client);
    reader.Boolean("refuse_nul", &listener.refuse_nul);
    reader.Boolean("chunking", &listener.chunking);
    ReadTimeout(&reader, "command_timeout", &listener.command_timeout_ns);
    ReadTimeout(&reader, "data_timeout", &listener.data_timeout_ns);
    ReadListenerTls(&reader, &listener, problems_);
    ReadListenerAuth(&reader, config_.auth, &listener, problems_);
    if (listener.is_unix()) {
      RefuseRelayFrom(&reader);
    } else {
      ReadRelayFrom(&reader, &listener);
    }
    reader.Finish();
    config_.listeners.push_back(std::move(listener));
  }

  void ReadListenerAddress(ConfigReader* reader, ListenerConfig* listener) {
    reader->Require("address", "for example address = \"127.0.0.1:25\"");
    ConfigText text;
    if (!reader->Text("address", &text)) return;
    if (text.text.starts_with("unix:")) {
      listener->path = text.text.substr(5);
      if (listener->path[0] != '/' || listener->path.size() > kControlPathBytes ||
          listener->path.find('\0') != std::string::npos) {
        problems_->Expect(text, "is not the path of a unix socket",
                          "an absolute path, for example \"unix:/run/outbox/submit.sock\", of at "
                          "most " +
                              std::to_string(kControlPathBytes) + " bytes");
        return;
      }
    } else {
      const Result<SocketAddress> address = SocketAddress::Parse(text.text);
      if (!address.ok()) {
        problems_->Add(text.position, address.status().message());
        return;
      }
      if (address->port == 0) {
        problems_->Expect(text, "has port 0", "a port from 1 to 65535");
        return;
      }
      listener->address = *address;
    }
    const auto [first, is_new] = listener_lines_.emplace(listener->ToString(), text.position.line);
    if (!is_new) {
      problems_->Expect(
          text, "is the address of the listener in line " + std::to_string(first->second) + ", too",
          "a different address for each");
    } else if (text.text == "unix:" + config_.control || text.text == "unix:" + config_.stats) {
      problems_->Expect(text, "is the socket of \"control\" or \"stats\"", "a path of its own");
    }
  }

  // Networks say nothing there: the kernel says who it is, and the directory who may come.
  void RefuseRelayFrom(ConfigReader* reader) {
    std::vector<ConfigText> texts;
    if (!reader->Has("relay_from")) return;
    reader->Texts("relay_from", "an array of networks", kConfigNetworks, &texts);
    problems_->Add(reader->PositionOf("relay_from"),
                   "\"relay_from\" means nothing at a unix socket, where who can open it may send; "
                   "expected no such key");
  }

  void ReadRelayFrom(ConfigReader* reader, ListenerConfig* listener) {
    // Who authenticates himself needs no network of ours.
    if (!reader->Has("relay_from") && listener->auth.mode != AuthMode::kNone) return;
    reader->Require("relay_from",
                    "the networks that may send mail here, for example [\"127.0.0.0/8\", \"::1\"]");
    std::vector<ConfigText> texts;
    if (!reader->Texts("relay_from", "an array of networks", kConfigNetworks, &texts)) return;
    bool all_fine = true;
    for (const ConfigText& text : texts) {
      const Result<Network> network = Network::Parse(text.text);
      if (!network.ok()) {
        problems_->Add(text.position, network.status().message());
        all_fine = false;
      } else if (IsTooWideToRelay(*network)) {
        problems_->Expect(text, "would make this an open relay",
                          "networks of your own: /8 or longer for IPv4, /16 or longer for IPv6");
        all_fine = false;
      } else {
        listener->relay_from.push_back(*network);
      }
    }
    if (all_fine && AreTooManyToRelay(listener->relay_from)) {
      problems_->Add(reader->PositionOf("relay_from"),
                     "\"relay_from\" would make this an open relay; expected public networks that "
                     "are together no more than a /8 of IPv4 and a /16 of IPv6");
    }
  }

  void ReadStorage(const TomlValue& table) {
    ConfigReader reader(table, "[storage]", problems_);
    StorageConfig& storage = config_.storage;
    if (reader.Size("segment_size", uint64_t{1} << 20, kSegmentBytesMax, &storage.segment_size) &&
        storage.segment_size % 4096 != 0) {
      problems_->Add(reader.PositionOf("segment_size"), "\"segment_size\" is " +
                                                            FormatByteSize(storage.segment_size) +
                                                            "; expected a multiple of 4KiB");
    }
    reader.Size("reserve", 0, uint64_t{1} << 50, &storage.reserve);
    reader.Size("max_size", 0, uint64_t{1} << 50, &storage.max_size);
    const uint64_t least = 16 * storage.segment_size;
    if (storage.max_size > 0 && storage.max_size < least) {
      problems_->Add(reader.PositionOf("max_size"),
                     "\"max_size\" is " + FormatByteSize(storage.max_size) +
                         "; expected at least 16 segments (" + FormatByteSize(least) +
                         "), or 0 for no limit but the disk's");
    }
    reader.Size("hot_memory", uint64_t{4} << 20, uint64_t{1} << 40, &storage.hot_memory);
    reader.Boolean("direct", &storage.direct);
    reader.Finish();
  }

  void ReadQueue(const TomlValue& table) {
    ConfigReader reader(table, "[queue]", problems_);
    reader.Duration("undo_period", 0, kUndoPeriodMaxNs, ConfigReader::Never::kRefused,
                    &config_.queue.undo_period_ns);
    reader.Finish();
  }

  void ReadResolver(const TomlValue& table) {
    ConfigReader reader(table, "[resolver]", problems_);
    std::vector<ConfigText> texts;
    if (reader.Texts("servers", "an array of addresses", kConfigResolvers, &texts)) {
      for (const ConfigText& text : texts) {
        const Result<SocketAddress> address = SocketAddress::Parse(text.text, 53);
        if (address.ok() && address->port != 0) {
          config_.resolver.servers.push_back(*address);
        } else {
          problems_->Expect(text, "is not the address of a name server",
                            "for example \"192.0.2.53\" or \"127.0.0.1:5300\"");
        }
      }
    }
    reader.Finish();
  }

  void ReadDelivery(const TomlValue& table, SourceReader* sources) {
    ConfigReader reader(table, "[delivery]", problems_);
    DeliveryConfig& delivery = config_.delivery;
    ReadConfigPeriods(&reader, &delivery.periods, problems_);
    ReadConfigPort(&reader, &delivery.port);
    reader.Integer("max_connections", 1, kMaxConnectionsPerSite, &delivery.max_connections);
    reader.Integer("messages_per_connection", 0, 1'000'000, &delivery.messages_per_connection);
    ReadTimeout(&reader, "idle_timeout", &delivery.idle_timeout_ns);
    ReadTimeout(&reader, "connect_timeout", &delivery.connect_timeout_ns);
    ReadTimeout(&reader, "greeting_timeout", &delivery.greeting_timeout_ns);
    ReadTimeout(&reader, "helo_timeout", &delivery.helo_timeout_ns);
    ReadTimeout(&reader, "mail_timeout", &delivery.mail_timeout_ns);
    ReadTimeout(&reader, "rcpt_timeout", &delivery.rcpt_timeout_ns);
    ReadTimeout(&reader, "data_timeout", &delivery.data_timeout_ns);
    ReadTimeout(&reader, "block_timeout", &delivery.block_timeout_ns);
    ReadTimeout(&reader, "final_dot_timeout", &delivery.final_dot_timeout_ns);
    ReadTimeout(&reader, "quit_timeout", &delivery.quit_timeout_ns);
    reader.Boolean("chunking", &delivery.chunking);
    if (ConfigText text; reader.Text("eight_bit", &text)) {
      delivery.convert_eight_bit = text.text == "convert";
      if (!delivery.convert_eight_bit && text.text != "return") {
        problems_->Expect(text, "is no such way", "\"convert\" or \"return\"");
      }
    }
    reader.Size("return_full_max", 0, kInlineBodyBytesMax, &delivery.return_full_max);
    ReadTimeout(&reader, "tls_timeout", &delivery.tls_timeout_ns);
    ReadDeliveryTls(&reader, &delivery, problems_);
    sources->ReadDefault(&reader);
    reader.Finish();
  }

  void ReadLocal(const TomlValue& table) {
    ConfigReader reader(table, "[local]", problems_);
    config_.local.periods = config_.delivery.periods;
    config_.local.max_connections = config_.delivery.max_connections;
    ReadConfigPeriods(&reader, &config_.local.periods, problems_);
    reader.Integer("max_connections", 1, kMaxConnectionsPerSite, &config_.local.max_connections);
    ReadLocalKeys(&reader, &config_, problems_);
    reader.Finish();
  }

  void ReadLog(const TomlValue& table) {
    ConfigReader reader(table, "[log]", problems_);
    ReadPath(&reader, "file", 4000, &config_.log.file, problems_);
    ConfigText text;
    if (reader.Text("level", &text)) {
      static constexpr std::string_view kLevels[] = {"debug", "info", "warning", "error"};
      const auto* const level = std::find(std::begin(kLevels), std::end(kLevels), text.text);
      if (level == std::end(kLevels)) {
        problems_->Expect(text, "is not a level", "\"debug\", \"info\", \"warning\" or \"error\"");
      } else {
        config_.log.level = static_cast<LogLevel>(level - std::begin(kLevels));
      }
    }
    if (reader.Text("format", &text)) {
      if (text.text == "json" || text.text == "classic") {
        config_.log.format = text.text == "json" ? LogFormat::kJson : LogFormat::kClassic;
      } else {
        problems_->Expect(text, "is not a format", "\"json\" or \"classic\"");
      }
    }
    if (reader.Text("name", &text)) {
      if (!IsProgramName(text.text)) {
        problems_->Expect(text, "is not a program's name",
                          "1 to 32 letters, digits, hyphens or underscores");
      }
      config_.log.name = text.text;
    }
    reader.Finish();
  }

  void ReadTalk(const TomlValue& table) {
    ConfigReader reader(table, "[talk]", problems_);
    TalkConfig& talk = config_.talk;
    reader.Size("memory", kTalkMemoryMin, kTalkMemoryMax, &talk.memory);
    reader.Size("disk", 0, uint64_t{1} << 50, &talk.disk);
    if (talk.disk > 0 && talk.disk < kTalkDiskMin) {
      problems_->Add(reader.PositionOf("disk"),
                     "\"disk\" is too small; expected 0 or at least \"1MiB\"");
    }
    ReadPath(&reader, "directory", 4000, &talk.directory, problems_);
    reader.Finish();
  }

  void ReadLimits(const TomlValue& table) {
    ConfigReader reader(table, "[limits]", problems_);
    reader.Size("memory", uint64_t{64} << 20, uint64_t{1} << 50, &config_.limits.memory);
    reader.Integer("connections_out", 1, kMaxConnectionsOut, &config_.limits.connections_out);
    reader.Finish();
  }

  void ReadIo(const TomlValue& table) {
    ConfigReader reader(table, "[io]", problems_);
    std::vector<ConfigText> texts;
    if (reader.Texts("disable", "an array of features", kConfigIoFeatures.size(), &texts)) {
      for (ConfigText& text : texts) {
        if (std::find(kConfigIoFeatures.begin(), kConfigIoFeatures.end(), text.text) !=
            kConfigIoFeatures.end()) {
          config_.io.disable.push_back(std::move(text.text));
          continue;
        }
        std::string expected = "one of";
        for (const std::string_view feature : kConfigIoFeatures) {
          expected.append(feature == kConfigIoFeatures.front() ? " " : ", ").append(feature);
        }
        problems_->Expect(text, "is not a feature that can be disabled", expected);
      }
    }
    reader.Finish();
  }

  Config& config_;
  ConfigProblems* const problems_;
  std::map<std::string, uint32_t> listener_lines_;
};

}  // namespace

ConfigResult ParseConfig(std::string_view text, std::string_view file) {
  ConfigResult result;
  ConfigProblems problems;
  if (const std::optional<TomlValue> root = ParseConfigToml(text, &problems)) {
    Parser(&result.config, &problems).Read(*root);
  }
  result.errors = problems.Lines(file, kConfigErrors);
  return result;
}

}  // namespace outbox::core
