#include "dns/resolution.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "core/limits.h"
#include "dns/codec.h"

namespace outbox::dns {
namespace {

bool HasAddress(const AnswerPtr& answer) { return answer != nullptr && !answer->addresses.empty(); }

}  // namespace

Resolution::Resolution(ResolutionContext* context, bool patient)
    : context_(context), patient_(patient) {
  mx_wait_.Bind<&Resolution::OnMx>(this);
  patience_.Bind<&Resolution::OnPatience>(this);
}

Resolution::~Resolution() {
  patience_.Cancel();
  context_->lookups->Cancel(&mx_wait_);
  for (const std::unique_ptr<Host>& host : hosts_) {
    context_->lookups->Cancel(&host->a_wait);
    context_->lookups->Cancel(&host->aaaa_wait);
  }
}

MxPlanPtr Resolution::StartMx(std::string_view domain) {
  domain_ = domain;
  const AnswerPtr answer = context_->lookups->Find(&mx_wait_, domain_, RecordType::kMx, patient_);
  return answer == nullptr ? nullptr : GoOn(*answer);
}

MxPlanPtr Resolution::StartHosts(const std::vector<std::string>& names) {
  draft_ = ListOf(names);
  return AskHosts();
}

void Resolution::OnMx(AnswerWait*, const AnswerPtr& answer) {
  if (const MxPlanPtr plan = GoOn(*answer)) context_->done(context_->owner, this, plan);
}

MxPlanPtr Resolution::GoOn(const Answer& mx) {
  draft_ = ListHosts(domain_, mx, context_->self, now_ns());
  if (draft_.done) return std::make_shared<MxPlan>(std::move(draft_.plan));
  return AskHosts();
}

MxPlanPtr Resolution::AskHosts() {
  for (const MxHost& host : draft_.plan.hosts) {
    hosts_.push_back(std::make_unique<Host>());
    if (host.addresses.empty() && CanAskFor(host.name)) AskHost(host.name, hosts_.back().get());
  }
  if (pending_ == 0) return MakePlan();
  MaybeWaitShorter();
  return nullptr;
}

void Resolution::AskHost(std::string_view name, Host* host) {
  host->a_wait.Bind<&Resolution::OnAddress>(this);
  host->aaaa_wait.Bind<&Resolution::OnAddress>(this);
  if (context_->ipv4) host->answers.a = Ask(&host->a_wait, name, RecordType::kA);
  if (context_->ipv6) host->answers.aaaa = Ask(&host->aaaa_wait, name, RecordType::kAaaa);
}

AnswerPtr Resolution::Ask(AnswerWait* wait, std::string_view name, RecordType type) {
  AnswerPtr answer = context_->lookups->Find(wait, name, type, patient_);
  if (answer == nullptr) ++pending_;
  return answer;
}

void Resolution::OnAddress(AnswerWait* wait, const AnswerPtr& answer) {
  for (const std::unique_ptr<Host>& host : hosts_) {
    if (wait == &host->a_wait) host->answers.a = answer;
    if (wait == &host->aaaa_wait) host->answers.aaaa = answer;
  }
  CHECK(pending_ > 0);
  if (--pending_ == 0) return context_->done(context_->owner, this, MakePlan());
  MaybeWaitShorter();
}

void Resolution::MaybeWaitShorter() {
  if (patience_.set()) return;
  const bool known =
      std::any_of(hosts_.begin(), hosts_.end(), [](const std::unique_ptr<Host>& host) {
        return HasAddress(host->answers.a) || HasAddress(host->answers.aaaa);
      });
  if (!known) return;
  // Without a timer the slowest answer is waited for, which has its own limit.
  patience_.Set(context_->wheel, now_ns() + core::kDnsPatienceNs);
}

void Resolution::OnPatience() {
  const AnswerPtr late = context_->lookups->MakeFailure("no answer yet");
  for (const std::unique_ptr<Host>& host : hosts_) {
    if (host->a_wait.waiting()) host->answers.a = late;
    if (host->aaaa_wait.waiting()) host->answers.aaaa = late;
  }
  context_->done(context_->owner, this, MakePlan());
}

MxPlanPtr Resolution::MakePlan() {
  std::vector<HostAnswers> answers;
  for (const std::unique_ptr<Host>& host : hosts_) answers.push_back(host->answers);
  return std::make_shared<MxPlan>(FinishPlan(std::move(draft_), answers, context_->self, now_ns()));
}

}  // namespace outbox::dns
