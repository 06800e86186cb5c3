// DestinationKey: the text that names a destination.
//
// The router makes it, it is stored with the message, and the destination's owner reads it:
//   "mx:example.com"            the hosts that the MX records of example.com name, at port 25
//   "mx:example.com:2525"       the same at another port; "mx:[192.0.2.1]:2525" likewise
//   "via:10.1.2.3:25,backup.example.net:2525,[::1]:25"    these hosts, in this order
//   either with "@news-1" behind it: from the source of that name (core::SourceConfig)
//   or with "@192.0.2.7" or "@192.0.2.7,2001:db8::7" behind it: from these addresses of ours
//   and any of these with "#none", "#required", "#implicit" or "#verify" at the end: how the
//   sessions are encrypted (core::TlsMode); without, where the host offers it
//   and any of these with "~+=" behind all that: a return path for each recipient (queue/verp.h)
//   and any of these with "|me@example.com" at the very end: the user that we are to these hosts,
//   up to the end of the key, whatever is in it (AUTH; the secret: queue/route_credentials.h)
//   "lmtp:10.1.2.3:24,store.example.net:24"    these hosts, by LMTP
//   "lmtp:/run/dovecot/lmtp"                   this unix socket, by LMTP
//   "maildir:/var/mail/{domain}/{user}"        the recipient's Maildir (core/mailbox_name.h)
//   "nomailbox:"               nowhere: there is no such mailbox here, and its sender is told so
//   "hold:", "discard:", "reject:text"                     nowhere; see core::RouteAction
// A message keeps its key, so a key means the same in every later version.
#ifndef OUTBOX_QUEUE_DESTINATION_KEY_H_
#define OUTBOX_QUEUE_DESTINATION_KEY_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.h"

namespace outbox::queue {

inline constexpr std::string_view kNoMailboxKey = "nomailbox:";

// Who speaks to a destination's hosts.
enum class LinkKind : uint8_t { kSmtp, kLmtp, kMaildir };

struct DestinationKey {
  std::string domain;  // of an "mx:" key, in lower case; else empty
  uint16_t port = core::kSmtpPort;
  // Of a "via:" or "lmtp:" key, at most limits.h kConfigViaHosts.
  std::vector<core::ViaHost> hosts;
  // The addresses to send from, one of a family; empty: the system's choice.
  std::vector<core::IpAddress> bind;
  // The name of the source to send from; empty: none. Its addresses are those of today's
  // configuration: who knows that puts them into `bind`.
  std::string source;
  core::TlsMode tls = core::TlsMode::kOpportunistic;
  std::string user;  // whom we say to be; empty: nobody
  LinkKind link = LinkKind::kSmtp;
  std::string verp;         // two separators; empty: no VERP
  std::string place;        // the path of a unix socket, or of Maildirs; else empty
  bool no_mailbox = false;  // "nomailbox:"

  bool via_mx() const { return !domain.empty(); }
  // It says where mail goes. A key that is damaged, or of no known form, does not.
  bool valid() const {
    return via_mx() || !hosts.empty() || !place.empty() || no_mailbox;
  }
  // None of its hosts needs the DNS.
  bool all_addresses() const;
  // Whether hosts of this family can be sent to; then `from` is set, to null for the system's
  // choice.
  bool BindFor(const core::IpAddress& peer, const core::IpAddress** from) const;
};

// Never fails; see valid(). What is no host in a list is left out.
DestinationKey ParseDestinationKey(std::string_view text);

// `domain` in lower case.
void WriteMxKey(std::string_view domain, uint16_t port, std::string* key);
// Of SMTP or of LMTP hosts (core::WhyNoViaList).
std::string ViaKey(std::span<const core::ViaHost> hosts);
// What stands behind either kind of key; "" for no addresses.
std::string BindSuffix(std::span<const core::IpAddress> bind);
// The name of the source that a key names, as a part of it; "" for none.
std::string_view SourceOf(std::string_view key);
// The key without it: where the mail goes, from wherever.
std::string WithoutSource(std::string_view key);
// The same, from the source of this name instead; "" for none. A key that names addresses of ours,
// or that is of no SMTP host, stays as it is.
std::string WithSource(std::string_view key, std::string_view source);
// What stands behind that; "" for opportunistic TLS.
std::string TlsSuffix(core::TlsMode tls);
// And behind that; "" for no VERP. Its separators, of a whole key.
std::string VerpSuffix(std::string_view separators);
std::string_view VerpOf(std::string_view key);
// At the very end; "" for nobody.
std::string UserSuffix(std::string_view user);

// The keys of mail that goes nowhere.
inline constexpr std::string_view kHoldKey = "hold:";
inline constexpr std::string_view kDiscardKey = "discard:";
std::string RejectKey(std::string_view text);
// So many recipients share a ticket of this destination: a Maildir takes one at a time, and with
// VERP each has its own return path.
uint32_t TicketRecipientsFor(std::string_view key);
// Mail that is taken there is delivered: nobody passes it on (RFC 3461 5.2.6).
bool IsLastHop(std::string_view key);
// What a key means for its mail, and the text of a "reject:" key.
core::RouteAction ActionOf(std::string_view key);
std::string_view RejectText(std::string_view key);
std::string MaildirKey(std::string_view maildir);
// A key of one of the forms above.
bool IsRoutedKey(std::string_view key);

// "10.1.2.3:25", "backup.example.net:2525", "[::1]:25".
std::string HostText(const core::ViaHost& host);

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_DESTINATION_KEY_H_
