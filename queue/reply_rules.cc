#include "queue/reply_rules.h"

#include <algorithm>
#include <string>

#include "core/reply_pattern.h"
#include "queue/outcome.h"

namespace outbox::queue {
namespace {

// A reply between two messages (421) and to RSET is one before the next MAIL.
core::ReplyPhase PhaseOf(smtp::Stage stage) {
  switch (stage) {
    case smtp::Stage::kConnect:
    case smtp::Stage::kGreeting:
      return core::ReplyPhase::kGreeting;
    case smtp::Stage::kHello:
    case smtp::Stage::kStartTls:
    case smtp::Stage::kTls:
    case smtp::Stage::kAuth:
      return core::ReplyPhase::kEhlo;
    case smtp::Stage::kRcpt:
      return core::ReplyPhase::kRcpt;
    case smtp::Stage::kData:
      return core::ReplyPhase::kData;
    case smtp::Stage::kBody:
    case smtp::Stage::kFinalDot:
      return core::ReplyPhase::kDot;
    case smtp::Stage::kMail:
    case smtp::Stage::kReset:
    case smtp::Stage::kIdle:
    case smtp::Stage::kQuit:
      break;
  }
  return core::ReplyPhase::kMail;
}

}  // namespace

const ReplyRule* ReplyRules::Find(smtp::Stage stage, const smtp::Reply& reply) const {
  const std::string line = core::ReplyLine(reply.code, EnhancedText(reply.enhanced), reply.text);
  const uint8_t phase = static_cast<uint8_t>(PhaseOf(stage));
  for (const ReplyRule& rule : rules_) {
    if ((rule.phases & phase) == 0) continue;
    for (const std::string& pattern : rule.patterns) {
      if (core::IsInReply(pattern, line)) return &rule;
    }
  }
  return nullptr;
}

}  // namespace outbox::queue
