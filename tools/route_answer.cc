#include "tools/route_answer.h"

#include <utility>

namespace outbox::tools {

void RouteAnswer::Ask(queue::Shard* shard) {
  self_ = shared_from_this();
  shard_ = shard;
  shard->Post([this](queue::Shard* one) { AskShard(one); });
}

void RouteAnswer::AskShard(queue::Shard* shard) {
  if (question_.destination.empty()) {
    verdict_ = RouteAsked(question_).Ask(shard->router());
  } else {
    verdict_.destination = question_.destination;
  }
  queue::FoundHosts none;
  if (verdict_.action != core::RouteAction::kSend) return OnHosts(std::move(none));
  if (shard->operations().FindHosts(verdict_.destination, this)) return;
  none.trouble = "too many commands at once; the hosts were not looked up";
  OnHosts(std::move(none));
}

void RouteAnswer::OnHosts(queue::FoundHosts found) {
  queue::SitePolicy policy;
  if (!found.hosts.empty()) policy = shard_->sites().For(verdict_.destination, found.site);
  server_->Post([this, found = std::move(found), policy] { Finish(found, policy); });
}

void RouteAnswer::Finish(const queue::FoundHosts& found, const queue::SitePolicy& policy) {
  nlohmann::json out;
  if (question_.destination.empty()) {
    out = RouteJson(*config_, question_, verdict_);
  } else {
    out["destination"] = question_.destination;
  }
  if (verdict_.action == core::RouteAction::kSend) AddHosts(found, policy, &out);
  out["end"] = true;
  reply_->Finish(out);
  self_.reset();
}

}  // namespace outbox::tools
