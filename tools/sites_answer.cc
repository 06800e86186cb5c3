#include "tools/sites_answer.h"

#include <algorithm>
#include <ctime>
#include <tuple>
#include <utility>

#include "core/time.h"
#include "queue/site_state.h"
#include "tools/suspend_request.h"

namespace outbox::tools {
namespace {

using nlohmann::json;

int64_t ClockNs(clockid_t clock) {
  timespec now = {};
  ::clock_gettime(clock, &now);
  return int64_t{now.tv_sec} * core::kNsPerSecond + now.tv_nsec;
}

json SecondsOrNull(int64_t wall_ns) {
  return wall_ns == 0 ? json(nullptr) : json(wall_ns / core::kNsPerSecond);
}

}  // namespace

int64_t SteadyClockNs() { return ClockNs(CLOCK_BOOTTIME); }
int64_t WallClockNs() { return ClockNs(CLOCK_REALTIME); }

// What is shown of a site, and where it stands in the list.
struct SitesAnswer::Row {
  const queue::SitePart* part = nullptr;
  queue::SiteState state;
  const queue::Suspension* suspension = nullptr;
  const char* word = "ok";
  int rank = 5;  // the worst first
  int64_t until_wall_ns = 0;

  void Judge() {
    if (suspension != nullptr) {
      Say("suspended", 0, suspension->until_wall_ns);
    } else if (state.suspended_until_wall_ns > 0) {
      Say("paused", 1, state.suspended_until_wall_ns);
    } else if (state.blocked_until_wall_ns > 0) {
      Say("backoff", 2, state.blocked_until_wall_ns);
    } else if (state.slowed || state.narrow_until_wall_ns > 0) {
      Say("slowed", 3, std::max(state.slow_until_wall_ns, state.narrow_until_wall_ns));
    } else if (state.window > 0) {
      Say("slow_start", 4, 0);
    }
  }
  void Say(const char* what, int at, int64_t until) {
    word = what;
    rank = at;
    until_wall_ns = until;
  }
};

void SitesAnswer::Start(const std::vector<queue::Shard*>& shards) {
  self_ = shared_from_this();
  shards_left_ = shards.size();
  for (queue::Shard* const to : shards) {
    to->Post([this](queue::Shard* shard) {
      if (shard->operations().ListSites(this)) return;
      server_->Post([this] {
        refused_ = true;
        EndOne();
      });
    });
  }
}

void SitesAnswer::OnSites(std::vector<queue::SitePart> sites) {
  server_->Post([this, got = std::move(sites)] {
    Take(got);
    EndOne();
  });
}

void SitesAnswer::Take(const std::vector<queue::SitePart>& sites) {
  for (const queue::SitePart& one : sites) {
    const auto [at, fresh] = sites_.try_emplace(one.hash, one);
    if (fresh) continue;
    at->second.destinations += one.destinations;
    at->second.suspended += one.suspended;
    at->second.ready += one.ready;
    at->second.sending += one.sending;
  }
}

void SitesAnswer::AddQuiet(int64_t now_ns) {
  for (const core::SiteConfig& site : config_->sites) {
    AddQuietOne(site, "", now_ns);
    for (const core::SourceConfig& source : config_->sources) {
      AddQuietOne(site, source.name, now_ns);
    }
  }
}

void SitesAnswer::AddQuietOne(const core::SiteConfig& site, const std::string& source,
                              int64_t now_ns) {
  const uint64_t hash = queue::HashFromSource(queue::HashOfSite(site.name), source);
  if (sites_.contains(hash)) return;
  const queue::Site* const shared = table_->Peek(hash);
  // What is suspended is so from everywhere: once is enough.
  const bool shown = (shared != nullptr && shared->Lowered(now_ns)) ||
                     (source.empty() && suspensions_->FindSite(site.name) != nullptr);
  if (!shown) return;
  queue::SitePart& part = sites_[hash];
  part.name = site.name;
  part.source = source;
  part.hash = hash;
  part.rate = site.max_rate;
  part.limit = site.max_connections;
}

void SitesAnswer::EndOne() {
  if (--shards_left_ > 0) return;
  if (refused_) {
    reply_->Fail("too many commands at once; try again");
  } else {
    Finish();
  }
  self_.reset();
}

void SitesAnswer::Finish() {
  const int64_t now_ns = SteadyClockNs();
  const int64_t wall_ns = WallClockNs();
  AddQuiet(now_ns);
  std::vector<Row> rows;
  for (const auto& [hash, part] : sites_) {
    Row& row = rows.emplace_back();
    row.part = &part;
    const queue::Site* const shared = table_->Peek(hash);
    row.state.limit = part.limit;
    if (shared != nullptr) row.state = queue::StateOf(*shared, now_ns, wall_ns);
    row.suspension = suspensions_->FindSite(part.name);
    row.Judge();
  }
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
    return std::tie(a.rank, b.part->ready, a.part->name, a.part->source) <
           std::tie(b.rank, a.part->ready, b.part->name, b.part->source);
  });
  const size_t shown = std::min<size_t>(rows.size(), limit_);
  for (size_t i = 0; i < shown; ++i) {
    const Row& row = rows[i];
    json line = {{"site", row.part->name},
                 {"source", row.part->source.empty() ? json(nullptr) : json(row.part->source)},
                 {"state", row.word},
                 {"until", SecondsOrNull(row.until_wall_ns)},
                 {"destinations", row.part->destinations},
                 {"suspended_destinations", row.part->suspended},
                 {"ready", row.part->ready},
                 {"sending", row.part->sending},
                 {"connections", row.state.connections},
                 {"max_connections", row.state.limit},
                 {"window", row.state.window},
                 {"failures", row.state.failures}};
    if (row.part->rate.limited()) line["max_rate"] = core::FormatRate(row.part->rate);
    if (row.state.slowed) line["rate_now"] = queue::FormatInterval(row.state.interval_ns);
    if (row.suspension != nullptr) line["suspension"] = SuspensionJson(*row.suspension);
    const auto note = table_->notes().Get(row.part->hash);
    const bool by_reply = row.state.slowed || row.state.suspended_until_wall_ns > 0 ||
                          row.state.narrow_until_wall_ns > 0;
    if (by_reply && note.has_value()) {
      line["reply"] = note->reply;
      line["mailhost"] = note->mailhost;
      line["replied"] = SecondsOrNull(note->wall_ns);
    }
    if (!reply_->Send(line)) return;
  }
  reply_->Finish({{"end", true}, {"sites", rows.size()}, {"more", rows.size() - shown}});
}

}  // namespace outbox::tools
