#include "tools/doctor/dmarc_record.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "core/domain_name.h"
#include "tools/doctor/tag_list.h"

namespace outbox::tools {
namespace {

core::Status WrongTag(const std::string& name, const std::string& value, const char* expected) {
  return core::Status(core::StatusCode::kInvalidArgument,
                      "\"" + name + "=" + value + "\"; expected " + expected);
}

bool IsPolicy(std::string_view value) {
  return value == "none" || value == "quarantine" || value == "reject";
}

// "mailto:reports@example.com!10m": the domain; "" when it is something else.
std::string ReportDomain(std::string_view uri) {
  constexpr std::string_view kScheme = "mailto:";
  if (core::ToLower(uri.substr(0, kScheme.size())) != kScheme) return "";
  uri = uri.substr(kScheme.size(), uri.find('!') - kScheme.size());
  const size_t at = uri.rfind('@');
  if (at == std::string_view::npos || at == 0) return "";
  const std::string domain = core::ToLower(uri.substr(at + 1));
  return core::IsQualifiedDomainName(domain) ? domain : "";
}

core::Status ReadTag(const Tag& tag, DmarcRecord* record) {
  // RFC 7489 6.4: names and values in any case.
  const std::string value = core::ToLower(tag.value);
  if (tag.name == "p" || tag.name == "sp") {
    if (!IsPolicy(value)) return WrongTag(tag.name, tag.value, "none, quarantine or reject");
    (tag.name == "p" ? record->policy : record->subdomain_policy) = value;
  } else if (tag.name == "adkim" || tag.name == "aspf") {
    if (value != "r" && value != "s") return WrongTag(tag.name, tag.value, "r or s");
  } else if (tag.name == "pct") {
    const char* const end = value.data() + value.size();
    const auto [at, error] = std::from_chars(value.data(), end, record->percent);
    if (error != std::errc() || at != end || record->percent < 0 || record->percent > 100) {
      return WrongTag(tag.name, tag.value, "a number from 0 to 100");
    }
  } else if (tag.name == "rua" || tag.name == "ruf") {
    for (const std::string& uri : SplitItems(tag.value, ',')) {
      std::string domain = ReportDomain(uri);
      if (domain.empty()) {
        return WrongTag(tag.name, uri,
                        "addresses such as mailto:dmarc@example.com, with commas "
                        "between them");
      }
      if (tag.name == "rua") record->report_domains.push_back(std::move(domain));
    }
  }
  return core::OkStatus();
}

}  // namespace

bool IsDmarcRecord(std::string_view text) {
  const std::string_view first = text.substr(0, text.find(';'));
  const core::Result<TagList> tags = TagList::Parse(first);
  if (!tags.ok() || tags->tags().size() != 1) return false;
  return tags->tags()[0].name == "v" && tags->tags()[0].value == "DMARC1";
}

core::Result<DmarcRecord> ParseDmarc(std::string_view text) {
  const core::Result<TagList> tags = TagList::Parse(text);
  if (!tags.ok()) return tags.status();
  DmarcRecord record;
  for (const Tag& tag : tags->tags()) {
    if (core::Status status = ReadTag(tag, &record); !status.ok()) return status;
  }
  if (record.policy.empty()) {
    return core::Status(core::StatusCode::kInvalidArgument,
                        "\"p=\" is missing; expected none, quarantine or reject");
  }
  if (record.subdomain_policy.empty()) record.subdomain_policy = record.policy;
  return record;
}

}  // namespace outbox::tools
