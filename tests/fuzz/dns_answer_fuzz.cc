// Fuzzes what a name server sends: the message is taken apart, judged as the reply to the question
// that it repeats, and made a plan. Whatever the bytes are, the plan keeps what dns/mx_plan.h
// promises, and a stranger's id is never taken.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/check.h"
#include "core/limits.h"
#include "core/random.h"
#include "core/time.h"
#include "dns/answer.h"
#include "dns/codec.h"
#include "dns/mx_plan.h"
#include "dns/mx_rules.h"

namespace core = outbox::core;
namespace dns = outbox::dns;

namespace {

constexpr int64_t kNowNs = 1000 * core::kNsPerSecond;

void CheckPlan(const dns::MxPlan& plan) {
  CHECK(plan.valid_until_ns > kNowNs);
  CHECK(plan.valid_until_ns <= kNowNs + core::kDnsTtlMaxNs);
  CHECK(!plan.reason.empty());
  CHECK(plan.hosts.size() <= core::kDnsHostsMax);
  bool any_address = false;
  for (size_t i = 0; i < plan.hosts.size(); ++i) {
    const dns::MxHost& host = plan.hosts[i];
    CHECK(dns::CanAskFor(host.name));
    CHECK(host.addresses.size() <= core::kDnsAddressesMax);
    CHECK(std::is_sorted(host.addresses.begin(), host.addresses.end()));
    CHECK(i == 0 || plan.hosts[i - 1].preference <= host.preference);
    for (const core::IpAddress& address : host.addresses) CHECK(!address.is_any());
    any_address |= !host.addresses.empty();
  }
  CHECK((plan.kind == dns::MxPlanKind::kHosts) == any_address);
  core::Random random(1);
  CHECK(dns::ChooseCandidates(plan, core::kHostsPerAttempt, &random).size() <=
        core::kHostsPerAttempt);
}

dns::AnswerPtr AnswerOf(const dns::Reply& reply) {
  auto answer = std::make_shared<dns::Answer>();
  answer->kind = reply.answer;
  answer->mx = reply.mx;
  answer->addresses = reply.addresses;
  answer->expires_ns = kNowNs + int64_t{reply.ttl_s.value_or(0)} * core::kNsPerSecond;
  return answer;
}

void CheckReply(const dns::Reply& reply, dns::RecordType type) {
  CHECK(std::is_sorted(reply.mx.begin(), reply.mx.end()));
  CHECK(reply.mx.size() <= core::kDnsMxRecordsMax);
  CHECK(reply.addresses.size() <= core::kDnsAddressesMax);
  const bool records =
      reply.kind == dns::ReplyKind::kAnswer && reply.answer == dns::AnswerKind::kRecords;
  CHECK(records == !(reply.mx.empty() && reply.addresses.empty() && reply.names.empty() &&
                     reply.texts.empty()));
  CHECK(reply.names.size() <= core::kDnsNamesMax && reply.texts.size() <= core::kDnsTextsMax);
  if (records) CHECK(reply.ttl_s.has_value());
  for (const core::IpAddress& address : reply.addresses) {
    CHECK(address.is_v4() == (type == dns::RecordType::kA));
  }
  if (reply.kind != dns::ReplyKind::kAnswer) return;
  if (type == dns::RecordType::kPtr || type == dns::RecordType::kTxt) return;
  const dns::AnswerPtr answer = AnswerOf(reply);
  const dns::Self self = {{"us.example"}, {core::Network::Parse("10.0.0.0/8").value()}};
  dns::MxDraft draft = dns::ListHosts("example.com", *answer, self, kNowNs);
  if (draft.done) return CheckPlan(draft.plan);
  // As if every host had these addresses.
  std::vector<dns::HostAnswers> answers(draft.plan.hosts.size(), {answer, nullptr});
  CheckPlan(dns::FinishPlan(std::move(draft), answers, self, kNowNs));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::vector<char> bytes(data, data + size);  // its own memory: an overrun is seen
  dns::Message message;
  const bool readable = dns::DecodeMessage(bytes, &message);
  const dns::RecordType type = static_cast<dns::RecordType>(message.type);
  if (type != dns::RecordType::kMx && type != dns::RecordType::kA &&
      type != dns::RecordType::kAaaa && type != dns::RecordType::kPtr &&
      type != dns::RecordType::kTxt) {
    return 0;
  }
  const dns::Reply reply = dns::ReadReply(bytes, message.id, message.name, type);
  if (!readable) CHECK(reply.kind != dns::ReplyKind::kAnswer);
  CheckReply(reply, type);
  const uint16_t other_id = static_cast<uint16_t>(message.id + 1);
  CHECK(dns::ReadReply(bytes, other_id, message.name, type).kind == dns::ReplyKind::kMismatch);
  if (!dns::CanAskFor(message.name)) return 0;
  char question[dns::kQuestionBytesMax];
  const size_t question_size = dns::EncodeQuestion(message.name, type, message.id, true, question);
  dns::Message asked;
  CHECK(dns::DecodeMessage({question, question_size}, &asked));
  CHECK(asked.name == message.name && asked.type == message.type && asked.has_question);
  CHECK(!asked.is_response && asked.answers.empty());
  return 0;
}
