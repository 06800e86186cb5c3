// DmarcRecord: what a domain wants done with mail that fails SPF and DKIM (RFC 7489 6.3). Pure.
#ifndef OUTBOX_TOOLS_DOCTOR_DMARC_RECORD_H_
#define OUTBOX_TOOLS_DOCTOR_DMARC_RECORD_H_

#include <string>
#include <string_view>
#include <vector>

#include "core/status.h"

namespace outbox::tools {

struct DmarcRecord {
  std::string policy;            // none, quarantine or reject
  std::string subdomain_policy;  // likewise; as `policy` unless it is given
  int percent = 100;
  std::vector<std::string> report_domains;  // of the addresses in rua, lower case
};

// Whether a TXT record is a DMARC record: its first tag is "v=DMARC1".
bool IsDmarcRecord(std::string_view text);

// The record, or what is wrong with it. REQUIRES: IsDmarcRecord(text).
core::Result<DmarcRecord> ParseDmarc(std::string_view text);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_DOCTOR_DMARC_RECORD_H_
