// Fuzzes what strangers publish: SPF records are evaluated, with more of them behind their includes
// and redirects; DKIM keys and DMARC records are read. Lines of the input are the records: the name
// that is asked for chooses one. Whatever they say, the lookups stay within their bounds.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/check.h"
#include "dns/codec.h"
#include "tools/doctor/dkim_key.h"
#include "tools/doctor/dmarc_record.h"
#include "tools/doctor/names.h"
#include "tools/doctor/spf_check.h"
#include "tools/doctor/spf_record.h"

namespace core = outbox::core;
namespace dns = outbox::dns;
namespace tools = outbox::tools;

namespace {

// Ten terms; each with ten hosts and their addresses, and as many names of the address.
constexpr size_t kQuestionsMax = 200;

class FuzzNames final : public tools::Names {
 public:
  explicit FuzzNames(std::vector<std::string> records) : records_(std::move(records)) {}

  dns::AnswerPtr Ask(std::string_view name, dns::RecordType type) override {
    CHECK(++asked <= kQuestionsMax);
    CHECK(name.size() <= 253 || name.find('.') == std::string_view::npos);
    auto answer = std::make_shared<dns::Answer>();
    answer->kind = dns::AnswerKind::kNoSuchName;
    size_t hash = 0;
    for (const char c : name) hash = hash * 31 + static_cast<uint8_t>(c);
    if (!dns::CanAskFor(name) || hash % 7 == 0) return answer;
    answer->kind = hash % 11 == 0 ? dns::AnswerKind::kFailed : dns::AnswerKind::kRecords;
    if (answer->kind == dns::AnswerKind::kFailed) return answer;
    for (size_t i = 0; i < 1 + hash % 12; ++i) {
      const std::string host = "h" + std::to_string(i) + "." + std::string(name.substr(0, 200));
      if (type == dns::RecordType::kMx) answer->mx.push_back({10, host});
      if (type == dns::RecordType::kPtr) answer->names.push_back(host);
      if (type == dns::RecordType::kA) {
        answer->addresses.push_back(core::IpAddress::V4(192, 0, 2, static_cast<uint8_t>(hash)));
      }
    }
    if (type == dns::RecordType::kTxt) answer->texts.push_back(records_[hash % records_.size()]);
    return answer;
  }

  size_t asked = 0;

 private:
  const std::vector<std::string> records_;
};

void CheckRecord(const std::string& record) {
  if (const auto key = tools::ParseDkimKey(record); key.ok()) {
    CHECK(key->revoked == (key->bits == 0));
  }
  if (tools::IsDmarcRecord(record)) {
    if (const auto dmarc = tools::ParseDmarc(record); dmarc.ok()) {
      CHECK(!dmarc->policy.empty() && !dmarc->subdomain_policy.empty());
      CHECK(dmarc->percent >= 0 && dmarc->percent <= 100);
    }
  }
  bool bare = false;
  CHECK(tools::RsaKeyBits(record, &bare) <= 8 * record.size());
  if (!tools::IsSpfRecord(record)) return;
  const auto spf = tools::ParseSpf(record);
  if (!spf.ok()) CHECK(!spf.status().message().empty());
  const std::string more = tools::WithSpfMechanism(record, "ip4:192.0.2.1");
  CHECK(tools::IsSpfRecord(more));
  if (spf.ok()) CHECK(tools::ParseSpf(more)->terms.size() == spf->terms.size() + 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::vector<std::string> records;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    records.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  for (const std::string& record : records) CheckRecord(record);
  for (const bool match_nothing : {false, true}) {
    FuzzNames names(records);
    tools::SpfQuestion question;
    question.address = core::IpAddress::V4(192, 0, 2, 1);
    question.domain = "example.com";
    question.helo = "mail.example.com";
    question.match_nothing = match_nothing;
    const tools::SpfVerdict verdict = tools::CheckSpf(question, &names);
    CHECK(!verdict.reason.empty());
    CHECK(verdict.lookups <= tools::kSpfLookupsMax + 1);
  }
  return 0;
}
