#include "core/config_dkim.h"

#include <algorithm>
#include <array>

#include "core/domain_name.h"
#include "core/idna.h"

namespace outbox::core {
namespace {

constexpr int64_t kExpireMinNs = kNsPerHour;
constexpr int64_t kExpireMaxNs = 365 * kNsPerDay;
constexpr size_t kSelectorBytes = 63;
constexpr size_t kKeyPathBytes = 4000;

// RFC 6376 5.4.1, what mail has had since, and the fields of lists. Of the first seven nobody may
// add one: programs show one of several, and not all of them the one that was signed.
constexpr std::string_view kSigned[] = {
    "from",         "to",
    "cc",           "subject",
    "date",         "message-id",
    "reply-to",     "sender",
    "in-reply-to",  "references",
    "mime-version", "content-type",
    "content-id",   "content-transfer-encoding",
    "resent-date",  "content-description",
    "resent-from",  "resent-sender",
    "resent-to",    "resent-cc",
    "list-id",      "resent-message-id",
    "list-help",    "list-unsubscribe",
    "list-post",    "list-unsubscribe-post",
    "list-owner",   "list-subscribe",
    "list-archive", "feedback-id",
};
constexpr size_t kOversigned = 7;

// What hosts on the way add, take away or write anew.
constexpr std::string_view kNeverSigned[] = {
    "received",     "return-path", "dkim-signature", "bcc", "resent-bcc", "authentication-results",
    "delivered-to",
};

bool IsFieldName(std::string_view text) {
  return !text.empty() && text.size() <= 76 && std::all_of(text.begin(), text.end(), [](char c) {
    return c > ' ' && c <= '~' && c != ':' && c != ';';  // RFC 6376 3.2: no ";" in a tag
  });
}

bool IsIdentityUser(std::string_view text) {
  constexpr std::string_view kOthers = "!#$%&'*+-/?^_`{|}~.";
  return text.size() <= 64 && std::all_of(text.begin(), text.end(), [&](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  kOthers.find(c) != std::string_view::npos;
         });
}

bool Contains(const std::vector<std::string>& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

}  // namespace

std::string_view SigningDomainOf(const DkimConfig& dkim, std::string_view pattern) {
  if (!dkim.signing_domain.empty()) return dkim.signing_domain;
  if (pattern == "*") return {};
  return pattern.starts_with("*.") ? pattern.substr(2) : pattern;
}

bool IsSameOrBelow(std::string_view name, std::string_view domain) {
  if (!name.ends_with(domain)) return false;
  const size_t rest = name.size() - domain.size();
  return rest == 0 || name[rest - 1] == '.';
}

void DkimReader::Read(const TomlValue& table) {
  ConfigReader reader(table, "[[dkim]]", problems_);
  DkimConfig dkim;
  ReadSelector(&reader, &dkim);
  ReadDomains(&reader, &dkim);
  ReadSigner(&reader, &dkim);
  ReadCanonicalization(&reader, &dkim);
  ReadHeaders(&reader, &dkim);
  reader.Duration("expire", kExpireMinNs, kExpireMaxNs, ConfigReader::Never::kRefused,
                  &dkim.expire_ns);
  reader.Require("key", "the file of the private key, for example \"/etc/outbox/dkim/s1.pem\"");
  ConfigText key;
  if (reader.Text("key", &key)) {
    dkim.line = key.position.line;
    dkim.column = key.position.column;
    if (key.text.empty() || key.text.size() > kKeyPathBytes ||
        key.text.find('\0') != std::string::npos) {
      problems_->Expect(key, "is not a path that can be used", "1 to 4000 bytes");
    }
    dkim.key_file = key.text;
  }
  reader.Finish();
  config_.dkim.push_back(std::move(dkim));
}

void DkimReader::ReadSelector(ConfigReader* reader, DkimConfig* dkim) {
  reader->Require("selector",
                  "the name below which the public key is published, for example "
                  "\"s2026\"");
  ConfigText text;
  if (!reader->Text("selector", &text)) return;
  const std::string selector = ToLower(text.text);
  if (!IsDomainName(selector) || selector.size() > kSelectorBytes) {
    problems_->Expect(text, "is not a selector",
                      "letters, digits and hyphens, for example \"s2026\"");
    return;
  }
  dkim->selector = selector;
}

void DkimReader::ReadDomains(ConfigReader* reader, DkimConfig* dkim) {
  reader->Require("domain", "the authors' domains, for example \"example.com\"");
  std::vector<ConfigText> texts;
  if (!reader->Texts("domain", "a domain or an array of domains", kConfigPatterns, &texts)) return;
  for (const ConfigText& text : texts) {
    const std::string pattern = DomainKey(text.text);
    const std::string_view name =
        std::string_view(pattern).substr(pattern.starts_with("*.") ? 2 : 0);
    if (pattern != "*" && !IsQualifiedDomainName(name)) {
      problems_->Expect(text, WithIdnaReason("is not a domain of authors", text.text),
                        "\"example.com\", \"*.example.com\" or \"*\"");
      continue;
    }
    const auto [first, is_new] =
        lines_.emplace(std::pair(pattern, dkim->selector), text.position.line);
    if (!is_new && !dkim->selector.empty()) {
      problems_->Expect(text,
                        "has the selector \"" + dkim->selector + "\" in line " +
                            std::to_string(first->second) + ", too",
                        "another selector for each key");
      continue;
    }
    dkim->domains.push_back(pattern);
  }
}

void DkimReader::ReadSigner(ConfigReader* reader, DkimConfig* dkim) {
  ConfigText text;
  if (reader->Text("signing_domain", &text)) {
    dkim->signing_domain = DomainKey(text.text);
    if (!IsQualifiedDomainName(dkim->signing_domain)) {
      problems_->Expect(text, WithIdnaReason("is not a domain that can sign", text.text),
                        "for example \"example.com\"");
    }
  }
  if (!reader->Text("identity", &text)) return;
  const size_t at = text.text.rfind('@');
  const std::string_view all = text.text;
  const std::string domain =
      DomainKey(at == std::string::npos ? std::string_view() : all.substr(at + 1));
  if (at == std::string::npos || !IsIdentityUser(all.substr(0, at)) ||
      !IsQualifiedDomainName(domain)) {
    problems_->Expect(text, WithIdnaReason("is not an identity", DomainPart(text.text)),
                      "for example \"@news.example.com\" or \"billing@example.com\"");
    return;
  }
  for (const std::string& pattern : dkim->domains) {
    const std::string_view signs = SigningDomainOf(*dkim, pattern);
    if (!signs.empty() && IsSameOrBelow(domain, signs)) continue;
    problems_->Expect(text, "is not within what signs for \"" + pattern + "\"",
                      "the domain of the signature, or one below it (RFC 6376 3.5)");
    return;
  }
  dkim->identity = text.text.substr(0, at + 1) + domain;
}

void DkimReader::ReadCanonicalization(ConfigReader* reader, DkimConfig* dkim) {
  ConfigText text;
  if (!reader->Text("canonicalization", &text)) return;
  const size_t slash = text.text.find('/');
  const std::string header = text.text.substr(0, slash);
  const std::string body = slash == std::string::npos ? "" : text.text.substr(slash + 1);
  if ((header != "relaxed" && header != "simple") || (body != "relaxed" && body != "simple")) {
    problems_->Expect(text, "is not a canonicalization",
                      "\"relaxed/relaxed\", \"relaxed/simple\", \"simple/relaxed\" or "
                      "\"simple/simple\": of the header, and of the body");
    return;
  }
  dkim->relaxed_header = header == "relaxed";
  dkim->relaxed_body = body == "relaxed";
}

// False: the key is not there.
bool DkimReader::ReadNames(ConfigReader* reader, std::string_view key,
                           std::vector<std::string>* names) {
  std::vector<ConfigText> texts;
  if (!reader->Texts(key, "an array of names", kConfigDkimHeaders, &texts)) return false;
  for (const ConfigText& text : texts) {
    const std::string name = ToLower(text.text);
    if (!IsFieldName(name)) {
      problems_->Expect(text, "is not the name of a header field", "for example \"Subject\"");
    } else if (std::find(std::begin(kNeverSigned), std::end(kNeverSigned), name) !=
               std::end(kNeverSigned)) {
      problems_->Expect(text, "cannot be signed, since hosts on the way add or change it",
                        "fields that stay as they are");
    } else if (!Contains(*names, name)) {
      names->push_back(name);
    }
  }
  return true;
}

void DkimReader::ReadHeaders(ConfigReader* reader, DkimConfig* dkim) {
  if (!ReadNames(reader, "headers", &dkim->headers)) {
    dkim->headers.assign(std::begin(kSigned), std::end(kSigned));
  } else if (!Contains(dkim->headers, "from")) {
    problems_->Add(reader->PositionOf("headers"),
                   "\"headers\" leaves out \"From\", without which a signature is worth nothing "
                   "(RFC 6376 5.4); expected it among them");
  }
  if (!ReadNames(reader, "oversign", &dkim->oversign)) {
    for (size_t i = 0; i < kOversigned; ++i) {
      if (Contains(dkim->headers, kSigned[i])) dkim->oversign.emplace_back(kSigned[i]);
    }
  }
  for (const std::string& name : dkim->oversign) {
    if (!Contains(dkim->headers, name)) dkim->headers.push_back(name);
  }
}

}  // namespace outbox::core
