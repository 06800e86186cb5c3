// FakeNames: what the DNS says, for the tests of those who ask through tools/doctor/names.h.
#ifndef OUTBOX_TESTS_TOOLS_FAKE_NAMES_H_
#define OUTBOX_TESTS_TOOLS_FAKE_NAMES_H_

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/domain_name.h"
#include "core/ip_address.h"
#include "tools/doctor/names.h"
#include "tools/doctor/reverse_name.h"

namespace outbox::tools {

class FakeNames final : public Names {
 public:
  void Text(const std::string& name, const std::string& text) {
    Records(name, dns::RecordType::kTxt).texts.push_back(text);
  }
  void Address(const std::string& name, const std::string& address) {
    const core::IpAddress ip = core::IpAddress::Parse(address).value();
    Records(name, ip.is_v4() ? dns::RecordType::kA : dns::RecordType::kAaaa)
        .addresses.push_back(ip);
  }
  void Mx(const std::string& name, const std::string& host) {
    Records(name, dns::RecordType::kMx).mx.push_back({10, host});
  }
  void Pointer(const std::string& address, const std::string& name) {
    const core::IpAddress ip = core::IpAddress::Parse(address).value();
    Records(ReverseName(ip), dns::RecordType::kPtr).names.push_back(name);
  }
  // No server answers about this name.
  void Fail(const std::string& name, dns::RecordType type) {
    dns::Answer& answer = Records(name, type);
    answer.kind = dns::AnswerKind::kFailed;
    answer.failure = "192.0.2.53 did not answer";
  }

  dns::AnswerPtr Ask(std::string_view name, dns::RecordType type) override {
    asked.push_back(std::string(name) + " " + dns::RecordTypeName(type));
    std::string key = core::ToLower(name);
    if (key.ends_with('.')) key.pop_back();
    dns::Answer answer;
    answer.kind = dns::AnswerKind::kNoSuchName;
    if (const auto found = known_.find(key); found != known_.end()) {
      answer.kind = dns::AnswerKind::kNoData;
      if (const auto records = found->second.find(type); records != found->second.end()) {
        answer = records->second;
      }
    }
    return std::make_shared<const dns::Answer>(std::move(answer));
  }

  std::vector<std::string> asked;  // "example.com TXT"

 private:
  dns::Answer& Records(const std::string& name, dns::RecordType type) {
    dns::Answer& answer = known_[name][type];
    answer.kind = dns::AnswerKind::kRecords;
    return answer;
  }

  std::map<std::string, std::map<dns::RecordType, dns::Answer>> known_;
};

}  // namespace outbox::tools

#endif  // OUTBOX_TESTS_TOOLS_FAKE_NAMES_H_
