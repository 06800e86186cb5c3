// The daemon's `outbox suspend`, `resume`, `suspended` and `sites`: the book, its clock, and how
// all shards hear of a change.
#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <utility>

#include "core/time.h"
#include "core/time_format.h"
#include "queue/destination_key.h"
#include "queue/router.h"
#include "tools/daemon.h"
#include "tools/daemon_seat.h"
#include "tools/sites_answer.h"
#include "tools/suspend_request.h"

namespace outbox::tools {
namespace {

// How often it is looked whether a suspension is over, at the latest: the wall clock may jump.
constexpr int64_t kBookLookNs = 10 * core::kNsPerSecond;
constexpr int64_t kBookLookMinNs = 100 * core::kNsPerMs;

std::string Said(const queue::Suspension& one) {
  std::string text = (one.site ? "site " : "domain ") + one.name + ", by " + one.by;
  if (one.until_wall_ns != 0) {
    std::array<char, core::kRfc3339Bytes> buffer;
    text += ", until " + std::string(core::FormatRfc3339(one.until_wall_ns, buffer));
  }
  return one.reason.empty() ? text : text + ": " + one.reason;
}

// What [[site]] tables there are, for who has misspelt one.
std::string SiteNames(const core::Config& config) {
  constexpr size_t kNamesShown = 20;
  std::string names;
  for (size_t i = 0; i < std::min(config.sites.size(), kNamesShown); ++i) {
    names += (i == 0 ? "" : ", ") + config.sites[i].name;
  }
  if (config.sites.size() > kNamesShown) names += ", ...";
  return names.empty() ? "the configuration has no [[site]]" : "expected one of " + names;
}

}  // namespace

core::Status Daemon::LoadSuspensions() {
  core::Status status = book_.Load(WallClockNs());
  if (!status.ok()) return status;
  for (const queue::Suspension& one : book_.list()->all()) LogEvent("still_suspended", Said(one));
  return status;
}

// The answer comes when every shard has heard of it.
void Daemon::SpreadSuspensions(std::function<void()> then) {
  const auto left = std::make_shared<uint32_t>(shards_);
  const auto done = std::make_shared<std::function<void()>>(std::move(then));
  for (const auto& seat : seats_) {
    seat->shard->Post([this, left, done, list = book_.list()](queue::Shard* shard) {
      shard->SetSuspensions(list);
      control_->Post([left, done] {
        if (--*left == 0 && *done) (*done)();
      });
    });
  }
  WatchSuspensions();
}

// One timer, while anything ends by itself.
void Daemon::WatchSuspensions() {
  const int64_t next_ns = book_.next_wall_ns();
  if (next_ns == 0 || watching_suspensions_ || stopping_) return;
  watching_suspensions_ = true;
  const int64_t wait_ns = std::clamp(next_ns - WallClockNs(), kBookLookMinNs, kBookLookNs);
  control_->After(wait_ns, [this] {
    watching_suspensions_ = false;
    if (stopping_) return;
    const std::vector<queue::Suspension> over = book_.Expire(WallClockNs());
    for (const queue::Suspension& one : over) {
      LogEvent("resumed", Said(one) + " (its time is over)");
    }
    if (over.empty()) return WatchSuspensions();
    SpreadSuspensions(nullptr);
  });
}

void Daemon::AnswerAboutSites(const ControlRequest& request,
                              const std::shared_ptr<ReplyStream>& reply) {
  switch (request.command) {
    case ControlCommand::kSuspend:
      return AnswerSuspend(request.suspend, reply);
    case ControlCommand::kResume:
      return AnswerResume(request.suspend, reply);
    case ControlCommand::kSites:
      return AnswerSites(request.limit, reply);
    default:
      return AnswerSuspended(reply);
  }
}

void Daemon::AnswerSuspend(const SuspendRequest& request,
                           const std::shared_ptr<ReplyStream>& reply) {
  if (request.site) {
    // A site without a [[site]] is called by its hosts, "mx.example.net:25,...".
    const bool known = request.name.find(':') != std::string::npos ||
                       std::any_of(config_->sites.begin(), config_->sites.end(),
                                   [&](const auto& site) { return site.name == request.name; });
    if (known) return Suspend(request, reply);
    reply->Fail("no [[site]] is called \"" + request.name + "\"; " + SiteNames(*config_));
    return;
  }
  if (request.name.find('*') != std::string::npos) return Suspend(request, reply);
  // Mail for it that goes to hosts of a route is part of what goes there.
  seats_[0]->shard->Post([this, request, reply](queue::Shard* shard) {
    queue::RouteFacts facts;
    facts.released = true;
    const queue::RouteChoice choice = shard->router().Route("postmaster@" + request.name, facts);
    const queue::DestinationKey key = queue::ParseDestinationKey(choice.destination);
    const bool elsewhere = choice.action == core::RouteAction::kSend && !key.via_mx();
    control_->Post([this, request, reply, elsewhere, route = std::string(choice.route),
                    place = std::string(choice.destination)] {
      if (!elsewhere) return Suspend(request, reply);
      const size_t colon = place.find(':');
      reply->Fail("mail for " + request.name + " goes by the route " + route + " (" + place +
                  "), together with other domains' mail; suspend that: outbox suspend --site '" +
                  place.substr(colon + 1) + "', or its [[site]]");
    });
  });
}

void Daemon::Suspend(const SuspendRequest& request, const std::shared_ptr<ReplyStream>& reply) {
  queue::Suspension suspension;
  suspension.name = request.name;
  suspension.site = request.site;
  suspension.since_wall_ns = WallClockNs();
  if (request.for_ns > 0) suspension.until_wall_ns = suspension.since_wall_ns + request.for_ns;
  suspension.by = reply->user();
  suspension.reason = request.reason;
  bool replaced = false;
  if (const core::Status status = book_.Put(suspension, &replaced); !status.ok()) {
    reply->Fail("nothing has changed: " + status.message());
    return;
  }
  LogEvent("suspended", Said(suspension));
  SpreadSuspensions([reply, suspension, replaced] {
    reply->Finish(
        {{"suspended", SuspensionJson(suspension)}, {"replaced", replaced}, {"end", true}});
  });
}

void Daemon::AnswerResume(const SuspendRequest& request,
                          const std::shared_ptr<ReplyStream>& reply) {
  std::vector<queue::Suspension> removed;
  const core::Status status = book_.Remove(request.all, request.name, request.site, &removed);
  if (!status.ok()) {
    reply->Fail("nothing has changed: " + status.message());
    return;
  }
  // What replies have done to a site ends as well.
  nlohmann::json lifted = nlohmann::json::array();
  for (const core::SiteConfig& site : config_->sites) {
    const bool meant = request.all || (request.site && site.name == request.name);
    if (!meant) continue;
    const uint64_t hash = queue::HashOfSite(site.name);
    bool any = sites_->Lift(hash, SteadyClockNs());
    for (const core::SourceConfig& source : config_->sources) {
      any |= sites_->Lift(queue::HashFromSource(hash, source.name), SteadyClockNs());
    }
    if (!any) continue;
    lifted.push_back(site.name);
    LogEvent("site_lifted", "site " + site.name + ", by " + reply->user());
  }
  nlohmann::json resumed = nlohmann::json::array();
  for (const queue::Suspension& one : removed) {
    resumed.push_back(SuspensionJson(one));
    LogEvent("resumed", Said(one) + " (resumed by " + reply->user() + ")");
  }
  const nlohmann::json answer = {{"resumed", resumed}, {"lifted", lifted}, {"end", true}};
  if (removed.empty() && lifted.empty()) {
    reply->Finish(answer);
    return;
  }
  SpreadSuspensions([reply, answer] { reply->Finish(answer); });
}

void Daemon::AnswerSuspended(const std::shared_ptr<ReplyStream>& reply) {
  nlohmann::json all = nlohmann::json::array();
  for (const queue::Suspension& one : book_.list()->all()) all.push_back(SuspensionJson(one));
  reply->Finish({{"suspensions", all}, {"end", true}});
}

void Daemon::AnswerSites(uint32_t limit, const std::shared_ptr<ReplyStream>& reply) {
  constexpr uint32_t kSitesShown = 100;
  std::make_shared<SitesAnswer>(control_.get(), reply, sites_.get(), config_, book_.list(),
                                limit == 0 ? kSitesShown : limit)
      ->Start(Shards());
}

}  // namespace outbox::tools
