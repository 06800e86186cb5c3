#include "queue/destination_view.h"

#include <algorithm>

#include "io/io.h"
#include "queue/destination.h"
#include "queue/shard_mail.h"
#include "queue/site.h"
#include "queue/site_state.h"

namespace outbox::queue {
namespace {

// 0: it is over.
int64_t WallOf(int64_t steady_ns, const io::Io& io) {
  return steady_ns > io.now_ns() ? io.wall_ns() + (steady_ns - io.now_ns()) : 0;
}

std::vector<HostView> HostViews(const HostPlan& plan, const io::Io& io) {
  std::vector<HostView> views;
  for (const PlannedHost& host : plan.hosts) {
    const int64_t down_wall_ns = WallOf(host.down_until_ns, io);
    const std::string_view trouble = down_wall_ns > 0 ? HostTroubleName(host.trouble) : "";
    views.push_back({host.name, down_wall_ns, trouble});
  }
  return views;
}

// Of a destination whose hosts are known.
DestinationLimit LimitOf(const DestinationView& view) {
  if (view.suspension.has_value()) return DestinationLimit::kSuspended;
  if (view.paused_until_wall_ns > 0) return DestinationLimit::kPaused;
  if (view.source_lost) return DestinationLimit::kSource;
  if (view.user_refused_until_wall_ns > 0) return DestinationLimit::kUser;
  if (view.blocked_until_wall_ns > 0) return DestinationLimit::kBackoff;
  // Its other mail is not ready, but on its shelf.
  const bool trial = view.trial || view.site_failures > 0;
  if (view.sending > 0 && trial) return DestinationLimit::kCanary;
  if (view.ready == 0) return DestinationLimit::kNone;
  if (view.rate_until_wall_ns > 0) {
    return view.site_rate_now.empty() ? DestinationLimit::kRate : DestinationLimit::kSlowed;
  }
  if (view.machine_short) return DestinationLimit::kShortage;
  if (view.in_line) return DestinationLimit::kOutbound;
  const bool window_full = view.site_window > 0 && view.site_connections >= view.site_window;
  if (window_full && view.site_failures > 0) return DestinationLimit::kCanary;
  if (window_full && view.lowered_until_wall_ns > 0) return DestinationLimit::kSlowed;
  if (window_full) return DestinationLimit::kSlowStart;
  if (view.has_site && view.site_connections >= view.site_limit) {
    return DestinationLimit::kConnections;
  }
  return view.connections > 0 ? DestinationLimit::kPace : DestinationLimit::kNone;
}

}  // namespace

void Destination::Describe(DestinationView* view) const {
  const io::Io& io = *shard_->context.io;
  const auto wall = [&io](int64_t steady_ns) { return WallOf(steady_ns, io); };
  view->key = key_;
  DescribeSource(view);
  view->shard = shard_->context.post->self();
  view->lanes = lane_open_;
  view->ready = ready_.size();
  view->sending = attempts_;
  view->trial = attempts_ > 0 && unfit_times_ > 0 && unfit_until_ns_ <= io.now_ns();
  view->resolving = waiting_;
  view->connections = connection_count_;
  if (const RecipientResult* trouble = Trouble()) view->trouble = trouble->text;
  const HostPlan* const hosts = plan();
  if (hosts != nullptr) {
    view->hosts = HostViews(*hosts, io);
    view->site = SiteText(hosts->policy.name, hosts->policy.source);
    if (hosts->policy.rate.limited()) view->site_rate = core::FormatRate(hosts->policy.rate);
    view->rate_until_wall_ns = wall(rate_until_ns_);
    view->shard_connections_max = shard_->gate->max_connections();
    view->in_line = asking_ && shard_->gate->InLine(hosts->site);
    view->machine_short = asking_ && shard_->gate->Short(hosts->site);
  }
  const Site* site = hosts == nullptr ? nullptr : shard_->gate->Look(hosts->site);
  if (site != nullptr) {
    const SiteState state = StateOf(*site, io.now_ns(), io.wall_ns());
    view->has_site = true;
    view->site_connections = state.connections;
    view->site_limit = state.limit;
    view->site_window = state.window;
    view->site_failures = state.failures;
    view->blocked_until_wall_ns = std::max(state.blocked_until_wall_ns, wall(unfit_until_ns_));
    if (unknown_) view->user_refused_until_wall_ns = wall(unfit_until_ns_);
    view->paused_until_wall_ns = state.suspended_until_wall_ns;
    view->lowered_until_wall_ns = std::max(state.narrow_until_wall_ns, state.slow_until_wall_ns);
    if (state.slowed) view->site_rate_now = FormatInterval(state.interval_ns);
    const bool by_reply =
        state.slowed || view->paused_until_wall_ns > 0 || view->lowered_until_wall_ns > 0;
    const auto note = by_reply ? shard_->context.sites->notes().Get(hosts->policy.hash)
                               : std::optional<SiteNote>();
    if (note.has_value()) {
      view->site_reply = note->reply;
      view->site_reply_host = note->mailhost;
    }
  }
  if (const Suspension* suspension = FindSuspension()) view->suspension = *suspension;
  switch (hosts_.standing()) {
    case HostsStanding::kUnrouted:
      SetLimit(DestinationLimit::kUnrouted, view);
      break;
    case HostsStanding::kPutOff:
    case HostsStanding::kUndeliverable:
      SetLimit(DestinationLimit::kUnresolved, view);
      view->asked_again_wall_ns = wall(hosts_.ask_again_ns());
      break;
    case HostsStanding::kUnknown:
      view->limit = view->suspension ? DestinationLimit::kSuspended : DestinationLimit::kResolving;
      break;
    case HostsStanding::kKnown:
      view->limit = LimitOf(*view);
      if (waiting_ > 0 && view->limit == DestinationLimit::kNone) {
        view->limit = DestinationLimit::kResolving;
      }
      break;
  }
}

}  // namespace outbox::queue
