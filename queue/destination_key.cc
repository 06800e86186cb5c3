#include "queue/destination_key.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "core/config_rules.h"
#include "core/config_sources.h"
#include "core/limits.h"
#include "core/mailbox_name.h"

namespace outbox::queue {
namespace {

constexpr std::string_view kMx = "mx:";
constexpr std::string_view kVia = "via:";
constexpr std::string_view kLmtp = "lmtp:";
constexpr std::string_view kMaildir = "maildir:";
constexpr std::string_view kReject = "reject:";

// Cuts "@192.0.2.7,2001:db8::7" or "@news-1" off. No name of a host has an "@".
void TakeBind(std::string_view* text, std::vector<core::IpAddress>* bind, std::string* source) {
  const size_t at = text->rfind('@');
  if (at == std::string_view::npos) return;
  std::string_view list = text->substr(at + 1);
  *text = text->substr(0, at);
  if (core::IsSourceName(list)) {
    source->assign(list);
    return;
  }
  while (!list.empty() && bind->size() < 2) {
    const size_t comma = std::min(list.find(','), list.size());
    const core::Result<core::IpAddress> address = core::IpAddress::Parse(list.substr(0, comma));
    if (address.ok()) bind->push_back(*address);
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
}

constexpr std::array<std::string_view, 5> kTlsWords = {"#none", "", "#required", "#implicit",
                                                      "#verify"};

// Cuts "#required" off. False: nobody knows what it asks for, and mail must not go without it.
bool TakeTls(std::string_view* text, core::TlsMode* tls) {
  const size_t hash = text->rfind('#');
  if (hash == std::string_view::npos) return true;
  const auto* const word = std::find(kTlsWords.begin(), kTlsWords.end(), text->substr(hash));
  *text = text->substr(0, hash);
  if (word == kTlsWords.end()) return false;
  *tls = static_cast<core::TlsMode>(word - kTlsWords.begin());
  return true;
}

// Cuts "|me@example.com" off. Neither a host nor anything else before it has a "|". False: nobody
// is named.
bool TakeUser(std::string_view* text, std::string* user) {
  const size_t bar = text->find('|');
  if (bar == std::string_view::npos) return true;
  *user = text->substr(bar + 1);
  *text = text->substr(0, bar);
  return !user->empty();
}

void ParseMx(std::string_view text, DestinationKey* key) {
  // A colon that ends in a port; those inside of an address literal do not.
  const size_t colon = text.rfind(':');
  const size_t bracket = text.rfind(']');
  if (colon != std::string_view::npos && (bracket == std::string_view::npos || bracket < colon)) {
    const char* end = text.data() + text.size();
    const auto [after, error] = std::from_chars(text.data() + colon + 1, end, key->port);
    if (error != std::errc() || after != end || key->port == 0) return;
    text = text.substr(0, colon);
  }
  key->domain = text;
}

}  // namespace

bool DestinationKey::all_addresses() const {
  return !via_mx() && std::all_of(hosts.begin(), hosts.end(),
                                  [](const core::ViaHost& host) { return host.is_address; });
}

bool DestinationKey::BindFor(const core::IpAddress& peer, const core::IpAddress** from) const {
  *from = nullptr;
  for (const core::IpAddress& address : bind) {
    if (address.is_v4() == peer.is_v4()) *from = &address;
  }
  return bind.empty() || *from != nullptr;
}

DestinationKey ParseDestinationKey(std::string_view text) {
  DestinationKey key;
  if (text.starts_with(kMx) || text.starts_with(kVia)) {
    if (!TakeUser(&text, &key.user)) return key;
    key.verp = VerpOf(text);
    text.remove_suffix(VerpSuffix(key.verp).size());
    if (!TakeTls(&text, &key.tls)) return key;
    TakeBind(&text, &key.bind, &key.source);
  }
  if (text.starts_with(kMx)) {
    ParseMx(text.substr(kMx.size()), &key);
    return key;
  }
  key.no_mailbox = text == kNoMailboxKey;
  if (text.starts_with(kMaildir)) {
    text.remove_prefix(kMaildir.size());
    if (core::WhyNoMaildirTemplate(text) != nullptr) return key;
    key.link = LinkKind::kMaildir;
    key.place = text;
    return key;
  }
  const bool lmtp = text.starts_with(kLmtp);
  if (!lmtp && !text.starts_with(kVia)) return key;
  text.remove_prefix(lmtp ? kLmtp.size() : kVia.size());
  if (lmtp) key.link = LinkKind::kLmtp;
  while (!text.empty() && key.hosts.size() < core::kConfigViaHosts) {
    const size_t comma = std::min(text.find(','), text.size());
    core::ViaHost host;
    const std::string_view one = text.substr(0, comma);
    const bool fine = lmtp ? core::ParseLmtpHost(one, &host)
                           : core::ParseViaHost(one, &host) && !host.lmtp;
    if (fine && host.path.empty()) {
      key.hosts.push_back(std::move(host));
    } else if (fine && key.hosts.empty()) {
      key.place = std::move(host.path);
      return key;
    }
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return key;
}

void WriteMxKey(std::string_view domain, uint16_t port, std::string* key) {
  key->assign(kMx).append(domain);
  if (port != core::kSmtpPort) key->append(":").append(std::to_string(port));
}

std::string HostText(const core::ViaHost& host) {
  if (!host.path.empty()) return host.path;
  if (host.is_address) return host.address.ToString();
  return host.host + ":" + std::to_string(host.port);
}

std::string BindSuffix(std::span<const core::IpAddress> bind) {
  std::string suffix;
  for (const core::IpAddress& address : bind) {
    suffix.append(suffix.empty() ? "@" : ",").append(address.ToString());
  }
  return suffix;
}

std::string_view SourceOf(std::string_view key) {
  if (!key.starts_with(kMx) && !key.starts_with(kVia)) return {};
  key = key.substr(0, key.find('|'));  // a user may have anything in his name
  key.remove_suffix(VerpSuffix(VerpOf(key)).size());
  const size_t at = key.rfind('@');
  if (at == std::string_view::npos) return {};
  const std::string_view name = key.substr(at + 1, key.find('#', at) - at - 1);
  return core::IsSourceName(name) ? name : std::string_view();
}

std::string WithoutSource(std::string_view key) {
  std::string without(key);
  if (const std::string_view source = SourceOf(key); !source.empty()) {
    without.erase(static_cast<size_t>(source.data() - key.data()) - 1, source.size() + 1);
  }
  return without;
}

std::string WithSource(std::string_view key, std::string_view source) {
  std::string with = WithoutSource(key);
  const bool smtp = with.starts_with(kMx) || with.starts_with(kVia);
  const size_t end = std::min(with.find_first_of("#~|"), with.size());
  if (source.empty() || !smtp || with.find('@') < end) return with;
  with.insert(end, "@" + std::string(source));
  return with;
}

std::string TlsSuffix(core::TlsMode tls) {
  return std::string(kTlsWords[static_cast<size_t>(tls)]);
}

std::string UserSuffix(std::string_view user) {
  return user.empty() ? std::string() : "|" + std::string(user);
}

std::string VerpSuffix(std::string_view separators) {
  return separators.empty() ? "" : std::string("~").append(separators);
}

std::string_view VerpOf(std::string_view key) {
  constexpr size_t kSuffix = 3;
  key = key.substr(0, key.find('|'));  // the user may have any name
  if (key.size() < kSuffix || key[key.size() - kSuffix] != '~') return {};
  return key.starts_with(kMx) || key.starts_with(kVia) ? key.substr(key.size() - 2)
                                                       : std::string_view();
}

std::string RejectKey(std::string_view text) { return std::string(kReject).append(text); }

core::RouteAction ActionOf(std::string_view key) {
  if (key == kHoldKey) return core::RouteAction::kHold;
  if (key == kDiscardKey) return core::RouteAction::kDiscard;
  return key.starts_with(kReject) ? core::RouteAction::kReject : core::RouteAction::kSend;
}

uint32_t TicketRecipientsFor(std::string_view key) {
  return key.starts_with(kMaildir) || !VerpOf(key).empty() ? 1 : core::kTicketRecipients;
}

bool IsLastHop(std::string_view key) { return key.starts_with(kMaildir) || key.starts_with(kLmtp); }

std::string_view RejectText(std::string_view key) { return key.substr(kReject.size()); }

std::string ViaKey(std::span<const core::ViaHost> hosts) {
  const std::string_view head = !hosts.empty() && hosts[0].lmtp ? kLmtp : kVia;
  std::string key(head);
  for (const core::ViaHost& host : hosts) {
    if (key.size() > head.size()) key.push_back(',');
    key.append(HostText(host));
  }
  return key;
}

std::string MaildirKey(std::string_view maildir) {
  return std::string(kMaildir).append(maildir);
}

bool IsRoutedKey(std::string_view key) {
  return key.starts_with(kVia) || key.starts_with(kMx) || key.starts_with(kLmtp) ||
         key.starts_with(kMaildir) || key == kNoMailboxKey || key == kDiscardKey;
}

}  // namespace outbox::queue
