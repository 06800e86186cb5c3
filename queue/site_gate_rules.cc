// What the words of a site's hosts do to its limits: the gate's side of `on_reply`.
#include <algorithm>
#include <string>

#include "core/time.h"
#include "io/io.h"
#include "queue/attempt_log.h"
#include "queue/outcome.h"
#include "queue/site_gate.h"

namespace outbox::queue {
namespace {

// Of a suspension: what is under way when it begins gets the same answer a little later, and that
// is no news.
constexpr int64_t kNewsShare = 8;

std::string NoteText(const smtp::Reply& reply) {
  std::string text = std::to_string(reply.code);
  if (const std::string status = EnhancedText(reply.enhanced); !status.empty()) {
    text.append(" ").append(status);
  }
  return text.append(" ").append(reply.text);
}

}  // namespace

void SiteGate::Obey(LocalSite* site, const ReplyRule& rule, const SiteReply& reply) {
  if (site->index == SiteTable::kNoSite) return;  // it has just changed: this was about another
  Site& at = shared(site);
  const int64_t now_ns = io_->now_ns();
  SiteLowered fact{.site = site->name, .mailhost = reply.mailhost, .reply = reply.reply};
  if (rule.rate.limited() || rule.part > 0) {
    const SlowDown wanted = {SiteRate<StdAtomic>::IntervalOf(rule.rate), rule.part, rule.for_ns};
    if (at.rate.Slow(wanted, reply.began_ns, now_ns)) fact.interval_ns = at.rate.Interval(now_ns);
  }
  if (rule.connections > 0 && at.slots.Narrow(rule.connections, now_ns + rule.for_ns)) {
    fact.connections = rule.connections;
  }
  if (fact.interval_ns > 0 || fact.connections > 0) {
    fact.lower_for_ns = rule.for_ns;
    ++slowdowns_;
  }
  const int64_t until_ns = now_ns + rule.suspend_ns;
  if (rule.suspend_ns > 0 &&
      until_ns - at.slots.SuspendedUntil(now_ns) > rule.suspend_ns / kNewsShare) {
    bool longer = false;
    TellNews(site, at.slots.Suspend(until_ns, &longer));
    if (longer) {
      fact.suspended_for_ns = rule.suspend_ns;
      ++suspensions_;
    }
  }
  if (fact.lower_for_ns == 0 && fact.suspended_for_ns == 0) return;
  table_->notes().Put(site->hash, {.reply = NoteText(reply.reply),
                                   .mailhost = std::string(reply.mailhost),
                                   .wall_ns = io_->wall_ns()});
  if (log_ != nullptr) log_->OnSiteLowered(fact);
}

void SiteGate::EndSlow(LocalSite* site) {
  if (!shared(site).rate.EndSlow(io_->now_ns())) return;
  if (log_ != nullptr) log_->OnSiteRecovered(site->name);
}

void SiteGate::StartSlowly(LocalSite* site) {
  if (site->index != SiteTable::kNoSite) shared(site).slots.StartSlowly();
}

}  // namespace outbox::queue
