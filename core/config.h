// Config: what an operator has written, as plain values.
//
// core/config_parser.cc reads it; whoever needs a part takes that part. Every duration is in
// nanoseconds, every size in bytes, every default is here or in core/limits.h.
// docs/configuration.md explains each key.
#ifndef OUTBOX_CORE_CONFIG_H_
#define OUTBOX_CORE_CONFIG_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/auth_mechanism.h"
#include "core/ip_address.h"
#include "core/limits.h"
#include "core/rate.h"
#include "core/secret.h"
#include "core/time.h"

namespace outbox::dkim {
class SignerKey;  // dkim/signer_key.h
}

namespace outbox::core {

class UserList;  // core/user_list.h

// When mail is tried again, when its sender is told, when it is given up. Fixed for a message when
// it is accepted.
struct RetryPeriods {
  // The delay after the first attempt, the second, and so on; the last one repeats. Never empty.
  std::vector<int64_t> retry_ns = {15 * kNsPerMinute};
  int64_t notify_after_ns = 4 * kNsPerHour;  // kNever: the sender is not told
  int64_t retry_until_ns = 5 * kNsPerDay;
};

// Whether a session is encrypted, and what must be true of it.
enum class TlsMode : uint8_t {
  kNone,
  kOpportunistic,  // where the host offers it
  kRequired,       // or not at all
  kImplicit,       // from the first byte (RFC 8314)
  kVerify,         // required, with a certificate of the host's name
};

// A file that the configuration names, and where it does.
struct ConfigFile {
  std::string path;
  uint32_t line = 0;  // 0: it is a default
  uint32_t column = 0;
};

// Whether a listener's clients authenticate themselves (RFC 4954).
enum class AuthMode : uint8_t {
  kNone,
  kOffered,   // who does may send to anywhere
  kRequired,  // and who does not sends nothing
};

// Of a listener.
struct ListenerAuth {
  AuthMode mode = AuthMode::kNone;
  bool without_tls = false;  // also in plain text
  ConfigFile file;           // of users; [auth]'s where the listener has none of its own
  std::shared_ptr<const UserList> users;  // what it holds: tools/user_files.h
};

// [[listener]]
struct ListenerConfig {
  SocketAddress address;  // port 0: none, it is a unix socket at `path`
  std::string path;
  // Who may send mail to anywhere; empty: nobody, and at a unix socket everybody who can open it.
  std::vector<Network> relay_from;
  uint64_t max_size = kDefaultMessageBytes;
  uint32_t max_recipients = kSmtpRecipientsMax;
  uint32_t max_connections = kDefaultConnectionsIn;
  uint32_t max_connections_per_client = kDefaultConnectionsPerClient;
  bool chunking = true;     // BDAT (RFC 3030) is offered
  bool refuse_nul = false;  // messages with NUL octets, which no MIME encoding has (RFC 2045 2.7)
  int64_t command_timeout_ns = 5 * kNsPerMinute;  // RFC 5321 4.5.3.2.7
  int64_t data_timeout_ns = 5 * kNsPerMinute;     // without progress within a message
  // kNone; kOpportunistic: STARTTLS is offered; kRequired: and no mail is taken without; kImplicit.
  TlsMode tls = TlsMode::kNone;
  // The first is for who asks for none by name (or for one that none has); and the key of each.
  std::vector<ConfigFile> tls_certificates;
  std::vector<ConfigFile> tls_keys;
  ListenerAuth auth;

  bool is_unix() const { return !path.empty(); }
  // As it is written in a configuration.
  std::string ToString() const { return is_unix() ? "unix:" + path : address.ToString(); }
  bool SamePlace(const ListenerConfig& other) const {
    return address == other.address && path == other.path;
  }
};

// [auth]: what listeners have in common.
struct AuthConfig {
  ConfigFile users;
  // So many failures of an address within the first time, and it is refused for the other.
  uint32_t max_failures = 10;
  int64_t failure_period_ns = 10 * kNsPerMinute;
  int64_t refuse_for_ns = 10 * kNsPerMinute;
};

// [storage]: the spool's own tuning; its place is the top-level key `spool`.
struct StorageConfig {
  uint64_t segment_size = uint64_t{32} << 20;
  uint64_t reserve = uint64_t{256} << 20;    // of the file system, left to others: then 452
  uint64_t max_size = 0;                     // of all logs together; 0: the disk
  uint64_t hot_memory = uint64_t{64} << 20;  // a shard's, for mail that is sent from memory
  bool direct = true;                        // O_DIRECT
};

// [queue]
struct QueueConfig {
  // For so long `outbox undo` takes back what was purged; 0: it is final at once.
  int64_t undo_period_ns = kNsPerHour;
};

// [resolver]
struct ResolverConfig {
  std::vector<SocketAddress> servers;  // empty: the system's
};

// [delivery]
struct DeliveryConfig {
  RetryPeriods periods;
  uint16_t port = kSmtpPort;                              // of hosts that MX records name
  uint32_t max_connections = kDefaultConnectionsPerSite;  // per site, over all shards
  uint32_t messages_per_connection = 1000;                // then QUIT; 0: no limit
  int64_t idle_timeout_ns = 5 * kNsPerSecond;             // an open connection without mail
  int64_t connect_timeout_ns = 30 * kNsPerSecond;
  // RFC 5321 4.5.3.2.1 to 4.5.3.2.6.
  int64_t greeting_timeout_ns = 5 * kNsPerMinute;
  int64_t helo_timeout_ns = 5 * kNsPerMinute;
  int64_t mail_timeout_ns = 5 * kNsPerMinute;
  int64_t rcpt_timeout_ns = 5 * kNsPerMinute;
  int64_t data_timeout_ns = 2 * kNsPerMinute;
  int64_t block_timeout_ns = 3 * kNsPerMinute;  // for each piece of a message to be sent
  int64_t final_dot_timeout_ns = 10 * kNsPerMinute;
  int64_t quit_timeout_ns = 5 * kNsPerSecond;
  int64_t tls_timeout_ns = 30 * kNsPerSecond;  // STARTTLS and the handshake, each
  TlsMode tls = TlsMode::kOpportunistic;       // where no route says otherwise
  std::string send_from;  // of [[source]], where nobody says otherwise; empty: the system's choice
  // Who may vouch for certificates that are verified.
  ConfigFile tls_ca = {"/etc/ssl/certs/ca-certificates.crt", 0, 0};
  bool chunking = false;          // BDAT, to hosts that offer CHUNKING
  bool convert_eight_bit = true;  // for hosts without 8BITMIME; otherwise such mail is returned
  // Larger messages do not come back with a notice, whatever RET says (RFC 3461 4.3).
  uint64_t return_full_max = uint64_t{64} << 10;
};

// [[source]]: where we send from, and who we say we are there.
struct SourceConfig {
  std::string name;
  std::vector<IpAddress> addresses;  // one, or one of each family
  std::string helo;                  // the name in EHLO
  std::vector<std::string> pools;    // that it belongs to
  uint32_t weight = 1;               // there: its share of the messages
};

// [[sender]]: what is different for mail from some domains.
struct SenderConfig {
  std::vector<std::string> domains;  // of the envelope sender; patterns as RouteConfig::match
  std::string send_from;             // a source or a pool; empty: the system's choice
};

// A host to send to: an address, or a name whose addresses the DNS knows.
struct ViaHost {
  std::string host;  // without the port; a name in lower case
  uint16_t port = kSmtpPort;
  bool is_address = false;
  SocketAddress address;  // with is_address
  bool lmtp = false;      // it speaks LMTP (RFC 2033)
  std::string path = {};  // with lmtp: it is at this unix socket, and `host` is the same
};

// What becomes of the mail of a route.
enum class RouteAction : uint8_t {
  kSend,     // to MX hosts, or to the hosts in `via`
  kHold,     // it stays in the queue until an operator releases it
  kReject,   // refused; `reject_text` says why
  kDiscard,  // accepted, and thrown away
};

// A field of the header section: there, or there with a value that the pattern takes.
struct HeaderCondition {
  std::string name;   // in lower case
  std::string value;  // a pattern; empty: any value
  std::string text;   // as it was written
};

struct SizeCondition {
  uint64_t min = 0;  // both belong to it
  uint64_t max = UINT64_MAX;
  std::string text;  // as it was written; empty: there is no condition
};

// Who we are to the hosts of a route.
struct RouteAuth {
  std::string user;         // empty: nobody
  std::string secret_file;  // one of the two
  std::string secret_env;
  std::shared_ptr<const Secret> secret;  // what they hold: tools/route_secrets.h
  bool plain_in_clear = false;           // the secret itself may be said without TLS
  AuthMechanisms mechanisms = kAllAuthMechanisms;
  uint32_t line = 0;                     // of the key that names the secret
  uint32_t column = 0;
};

// [[route]]
struct RouteConfig {
  std::string name;  // for listings; default: the first pattern or condition
  // Recipient domains, in lower case: "example.net", "*.example.net" (not itself), "*".
  std::vector<std::string> match;
  // Further conditions; empty: none. One of each list must be met. Patterns in lower case, in which
  // "*" stands for any run of characters; the null return path is "<>".
  std::vector<std::string> recipients;
  std::vector<std::string> senders;
  std::vector<Network> sources;  // of the client
  std::vector<HeaderCondition> headers;
  SizeCondition size;

  RouteAction action = RouteAction::kSend;
  std::string reject_text;    // with kReject
  bool via_mx = false;        // kSend
  std::vector<ViaHost> via;   // tried in this order; empty with via_mx
  uint16_t port = kSmtpPort;  // of the hosts that MX records name; with via_mx
  // The addresses that connections come from, at most one of each family; empty: the system's.
  std::vector<IpAddress> bind;
  // Instead of these: a source or a pool, or "", the system's choice. Nothing: the sender decides.
  std::optional<std::string> send_from;
  TlsMode tls = TlsMode::kOpportunistic;
  uint32_t tls_line = 0;  // of the key; 0: it is not there
  uint32_t tls_column = 0;
  RouteAuth auth;
  std::string verp;  // the two separators (queue/verp.h); empty: no VERP
  // The mailbox that gets a copy of its mail, user@domain of a local domain; empty: none.
  std::string archive;
  // [delivery]'s where the route says nothing.
  RetryPeriods periods;
  uint32_t max_connections = kDefaultConnectionsPerSite;

  // Domains alone decide.
  bool by_domain_alone() const {
    return recipients.empty() && senders.empty() && sources.empty() && !needs_content();
  }
  // What decides is not known before the message has come.
  bool needs_content() const { return !headers.empty() || !size.text.empty(); }
};

// What becomes of mail to a local domain that has no such mailbox.
enum class Undelivered : uint8_t {
  kReject,   // 550 at RCPT
  kReport,   // taken, and reported to its sender as failed
  kForward,  // to forward_to
  kRelay,    // to relay_to
  kDiscard,
};

// [local]
struct LocalConfig {
  std::vector<std::string> domains;  // lower case; empty: no mail is local
  // Domains that stand for one of those.
  std::vector<std::pair<std::string, std::string>> aliases;
  std::vector<ViaHost> lmtp;  // where mail goes: to these, or
  std::string maildir;        // into Maildirs, core/mailbox_name.h
  // Which mailboxes there are: these names (core/mailbox_name.h), or those in a file, or
  std::vector<std::string> mailboxes;
  std::string mailbox_file;
  bool ask = false;              // those that the LMTP server takes at RCPT
  std::string subaddress = "+";  // parts user and detail; empty: nothing does
  Undelivered undelivered = Undelivered::kReject;
  std::string forward_to;
  std::vector<ViaHost> relay_to;
  RetryPeriods periods;
  uint32_t max_connections = kDefaultConnectionsPerSite;
};

// [archive]: where copies of outgoing mail go, unless its route says something else.
struct ArchiveConfig {
  std::string to;        // as RouteConfig::archive
  bool notices = false;  // of our own notices as well
};

// When a reply comes, as bits of a set.
enum class ReplyPhase : uint8_t {
  kGreeting = 1,
  kEhlo = 2,
  kMail = 4,
  kRcpt = 8,
  kData = 16,
  kDot = 32,
};
inline constexpr uint8_t kAllReplyPhases = 63;

// An entry of a site's `on_reply`: what a refusal in these words leads to.
struct ReplyRuleConfig {
  // Texts that are anywhere in "code status text", in lower case; "*" stands for any run of
  // characters (core/reply_pattern.h). One is enough.
  std::vector<std::string> patterns;
  uint8_t phases = kAllReplyPhases;
  Rate rate;                 // no more than that while it lasts, or
  uint32_t part = 0;         // one so-manieth of what is allowed now, each time anew; 0: neither
  uint32_t connections = 0;  // no more than that while it lasts; 0: as before
  int64_t for_ns = 0;        // how long these two last
  int64_t suspend_ns = 0;    // nothing is sent for so long; 0: no

  bool operator==(const ReplyRuleConfig&) const = default;
};

// [[site]]: hosts that share limits, whatever domains they serve. In order, the first match wins.
struct SiteConfig {
  std::string name;  // for listings; default: the first pattern
  // A site takes mail that goes to hosts of these names, or to these recipient domains. Patterns
  // in lower case as RouteConfig::match; at least one of the two lists has some.
  std::vector<std::string> hosts;
  std::vector<std::string> domains;
  uint32_t max_connections = kDefaultConnectionsPerSite;  // over all shards
  uint32_t messages_per_connection = 1000;                // then QUIT; 0: no limit
  Rate max_rate;                                          // messages, over all shards
  std::vector<ReplyRuleConfig> on_reply;                  // the first that matches counts
};

// A file with more of them: `sites`.
struct SiteFileConfig {
  std::string path;
  uint32_t line = 0;  // where it is named
  uint32_t column = 0;
};

// [[dkim]]: mail whose author is in one of the domains gets a signature (RFC 6376). Every entry
// that takes a domain signs, in the order of the file.
struct DkimConfig {
  // Patterns as RouteConfig::match.
  std::vector<std::string> domains;
  std::string selector;        // lower case
  std::string signing_domain;  // d=; empty: as dkim/signing_table.h says
  std::string identity;        // i=; empty: none
  bool relaxed_header = true;
  bool relaxed_body = true;
  // Names of header fields in lower case: those that are signed as often as they are there, with
  // "from" among them; and those of them that nobody may add one of.
  std::vector<std::string> headers;
  std::vector<std::string> oversign;
  int64_t expire_ns = 0;  // x=, from the time of signing; 0: none
  std::string key_file;
  std::shared_ptr<const dkim::SignerKey> key;  // what it holds: tools/dkim_keys.h
  uint32_t line = 0;                           // of `key`
  uint32_t column = 0;
};

// [log]
enum class LogLevel : uint8_t { kDebug, kInfo, kWarning, kError };
// How its lines look: one JSON object each, or as Postfix's, for programs that read those.
enum class LogFormat : uint8_t { kJson, kClassic };
struct LogConfig {
  std::string file;  // empty: stderr
  LogLevel level = LogLevel::kInfo;
  LogFormat format = LogFormat::kJson;
  std::string name = "outbox";  // of the program, in a classic line
};

// [talk]: what was said in attempts, for `outbox talk`.
struct TalkConfig {
  uint64_t memory = uint64_t{4} << 20;      // a shard's, for the newest attempts
  uint64_t disk = uint64_t{64} << 20;       // for those that failed; 0: none
  std::string directory;                    // of these; default: "talk" below the spool
};

// [limits]
struct LimitsConfig {
  // Of the process. Above it new mail is answered with 452 4.3.1.
  uint64_t memory = uint64_t{1} << 30;
  // Outbound connections in all; 0: as many as the descriptors of the process allow.
  uint32_t connections_out = 0;
};

// [io]
struct IoConfig {
  std::vector<std::string> disable;  // features of the kernel not to use
};

struct Config {
  std::string hostname;  // in the greeting, HELO and Received; a domain or an address literal
  std::string spool = "/var/spool/outbox";
  std::string control = "/run/outbox/control.sock";
  std::string stats;    // the read-only socket; default: stats.sock beside the control socket
  std::string maildrop;  // where mail waits that came while we were down; empty: nowhere
  uint32_t shards = 0;   // 0: one per core
  int64_t stop_timeout_ns = 10 * kNsPerSecond;
  StorageConfig storage;
  QueueConfig queue;
  AuthConfig auth;
  std::vector<ListenerConfig> listeners;  // at least one
  ResolverConfig resolver;
  DeliveryConfig delivery;
  std::vector<SourceConfig> sources;
  std::vector<SenderConfig> senders;  // in order, the first match wins
  // In order, the first match wins. A recipient that none matches is sent to by MX.
  std::vector<RouteConfig> routes;
  std::vector<SiteConfig> sites;           // those of site_files behind the others
  std::vector<SiteFileConfig> site_files;  // to be read by ParseSites, in order
  LocalConfig local;
  ArchiveConfig archive;
  std::vector<DkimConfig> dkim;
  LogConfig log;
  TalkConfig talk;
  LimitsConfig limits;
  IoConfig io;
};

// The outcome of reading a configuration: all of it, or none and why.
struct ConfigResult {
  Config config;  // meaningful only without errors
  // "file:line:column: what is wrong, and what was expected", in the order of the file; at most
  // kConfigErrors.
  std::vector<std::string> errors;

  bool ok() const { return errors.empty(); }
};

// Reads `text` (TOML 1.0). `file` is its name, for the errors. Pure: reads no file and no
// environment.
ConfigResult ParseConfig(std::string_view text, std::string_view file);

// Reads a file of [[site]] tables, and nothing else, behind the sites that `config` has. One with
// the name of a site of the configuration itself is left out: that one takes its place. Returns the
// errors, as above; `config` is good only without.
std::vector<std::string> ParseSites(std::string_view text, std::string_view file, Config* config);

}  // namespace outbox::core

#endif  // OUTBOX_CORE_CONFIG_H_
