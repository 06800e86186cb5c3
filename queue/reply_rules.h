// ReplyRules: the `on_reply` of one site, looked up.
//
// Made once from the configuration, shared by the destinations of the site, only asked after that.
// Nobody asks about a reply that is no refusal.
#ifndef OUTBOX_QUEUE_REPLY_RULES_H_
#define OUTBOX_QUEUE_REPLY_RULES_H_

#include <memory>
#include <utility>
#include <vector>

#include "core/config.h"
#include "smtp/delivery_result.h"

namespace outbox::queue {

using ReplyRule = core::ReplyRuleConfig;

class ReplyRules {
 public:
  // Null for no rules.
  static std::shared_ptr<const ReplyRules> Make(std::vector<ReplyRule> rules) {
    if (rules.empty()) return nullptr;
    return std::make_shared<const ReplyRules>(std::move(rules));
  }
  explicit ReplyRules(std::vector<ReplyRule> rules) : rules_(std::move(rules)) {}

  // The first rule for this reply, 4xx or 5xx, to what was being done; null: none.
  const ReplyRule* Find(smtp::Stage stage, const smtp::Reply& reply) const;

  bool operator==(const ReplyRules&) const = default;

 private:
  const std::vector<ReplyRule> rules_;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_REPLY_RULES_H_
