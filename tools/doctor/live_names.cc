#include "tools/doctor/live_names.h"

#include <memory>
#include <utility>

#include "core/domain_name.h"
#include "core/time.h"
#include "dns/codec.h"

namespace outbox::tools {
namespace {

// For all questions together. A domain takes some dozens; with a name server that works, each takes
// a fraction of a second.
constexpr int64_t kWaitingNs = 60 * core::kNsPerSecond;
// For operations of a transport that is closed.
constexpr int64_t kCloseNs = 5 * core::kNsPerSecond;

struct Waiting {
  void OnAnswer(dns::AnswerWait*, const dns::AnswerPtr& made) { answer = made; }
  dns::AnswerWait wait;
  dns::AnswerPtr answer;
};

struct Asking {
  void OnDone(dns::QuestionResult* made) {
    result = std::move(*made);
    done = true;
  }
  dns::Question question;
  dns::QuestionResult result;
  bool done = false;
};

}  // namespace

LiveNames::LiveNames(BlockingLoop* loop, const std::vector<core::SocketAddress>& servers)
    : loop_(loop),
      transport_(loop->io(), loop->wheel(), &counters_),
      lookups_(loop->io(), &transport_, &counters_),
      left_ns_(kWaitingNs) {
  transport_.SetServers(servers);
}

LiveNames::~LiveNames() {
  transport_.Close();
  lookups_.Close();
  CHECK(loop_->RunUntil([this] { return transport_.closed(); }, kCloseNs));
}

dns::AnswerPtr LiveNames::Ask(std::string_view name, dns::RecordType type) {
  std::string asked = core::ToLower(name);
  if (asked.ends_with('.')) asked.pop_back();
  if (!dns::CanAskFor(asked)) {
    auto nothing = std::make_shared<dns::Answer>();
    nothing->kind = dns::AnswerKind::kNoSuchName;
    return nothing;
  }
  Waiting waiting;
  waiting.wait.Bind<&Waiting::OnAnswer>(&waiting);
  if (dns::AnswerPtr known = lookups_.Find(&waiting.wait, asked, type)) return known;
  const int64_t begin_ns = loop_->now_ns();
  const bool answered = loop_->RunUntil([&] { return waiting.answer != nullptr; }, left_ns_);
  left_ns_ -= std::min(left_ns_, loop_->now_ns() - begin_ns);
  if (answered) return waiting.answer;
  lookups_.Cancel(&waiting.wait);
  return lookups_.MakeFailure("the name servers are too slow: the doctor waits no longer");
}

ServerProbe ProbeServer(BlockingLoop* loop, const core::SocketAddress& server,
                        const std::string& name, dns::RecordType type, bool tcp, int64_t limit_ns) {
  dns::ResolverCounters counters;
  dns::Transport transport(loop->io(), loop->wheel(), &counters);
  transport.SetServers({server});
  Asking asking;
  asking.question.Bind<&Asking::OnDone>(&asking);
  asking.question.name = name;
  asking.question.type = type;
  asking.question.tcp = tcp;
  loop->RunUntil([] { return true; }, 0);  // the clock
  const int64_t begin_ns = loop->now_ns();
  transport.Ask(&asking.question);
  ServerProbe probe;
  if (loop->RunUntil([&] { return asking.done; }, limit_ns)) {
    probe.answered = asking.result.answered;
    probe.reply = std::move(asking.result.reply);
    probe.failure = std::move(asking.result.failure);
    probe.edns = asking.result.edns;
  } else {
    probe.failure =
        "did not answer within " + std::to_string(limit_ns / core::kNsPerSecond) + " seconds";
  }
  probe.took_ns = loop->now_ns() - begin_ns;
  transport.Close();
  CHECK(loop->RunUntil([&] { return transport.closed(); }, kCloseNs));
  return probe;
}

}  // namespace outbox::tools
