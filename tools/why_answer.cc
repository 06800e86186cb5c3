#include "tools/why_answer.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "core/idna.h"
#include "core/limits.h"
#include "core/time.h"
#include "queue/destination_key.h"
#include "queue/local_domains.h"
#include "queue/message_id.h"
#include "queue/router.h"
#include "tools/queue_json.h"
#include "tools/suspend_request.h"

namespace outbox::tools {
namespace {

using nlohmann::json;

// Sources that a domain's mail is looked for at.
constexpr size_t kSourcesAsked = 64;
// A shard looks through all the attempts that it remembers for each of them, in one turn.
constexpr size_t kDestinationsAtOnce = 4;

json Seconds(int64_t wall_ns) {
  return wall_ns == 0 ? json(nullptr) : json(wall_ns / core::kNsPerSecond);
}

// What a recipient waits for: the step that it is at.
const char* WaitsFor(const queue::RecipientFacts& facts) {
  if (facts.final_wall_ns != 0) return "undo";
  if (facts.held_by_route || facts.held_by_operator) return "release";
  switch (facts.place) {
    case queue::TicketPlace::kWaiting:
      return "retry";
    case queue::TicketPlace::kNotice:
      return facts.rerouted ? "reroute" : "notice";
    case queue::TicketPlace::kOut:
      break;
  }
  if (facts.line.state == queue::RecipientState::kSending) return "reply";
  return facts.line.state == queue::RecipientState::kResolving ? "dns" : "destination";
}

// A reason in words, and when it is over if that is known.
void AddReason(queue::WaitReason reason, int64_t until_wall_ns, json* out) {
  const queue::WaitReasonInfo& info = queue::InfoOf(reason);
  (*out)["cause"] = info.name;
  (*out)["cause_text"] = info.what;
  (*out)["lifted_by"] = info.lifts;
  (*out)["lifted_at"] = Seconds(until_wall_ns);
}

// When what holds up the destination is over; 0: that is not known.
int64_t BlockedUntil(const queue::DestinationView& view) {
  switch (view.limit) {
    case queue::WaitReason::kRate:
      return view.rate_until_wall_ns;
    case queue::WaitReason::kSlowed:
      return view.rate_until_wall_ns > 0 ? view.rate_until_wall_ns : view.lowered_until_wall_ns;
    case queue::WaitReason::kPaused:
      return view.paused_until_wall_ns;
    case queue::WaitReason::kSuspended:
      return view.suspension.has_value() ? view.suspension->until_wall_ns : 0;
    case queue::WaitReason::kUser:
      return view.user_refused_until_wall_ns;
    default:
      return std::max(view.blocked_until_wall_ns, view.asked_again_wall_ns);
  }
}

// Of a destination over all shards: where the mail is that is held up.
const queue::DestinationView* MainView(const std::vector<queue::DestinationFacts>& parts) {
  const queue::DestinationView* main = nullptr;
  for (const queue::DestinationFacts& part : parts) {
    if (!part.view.has_value()) continue;
    if (main == nullptr || main->limit == queue::WaitReason::kNone) main = &*part.view;
  }
  return main;
}

// What holds the recipient, of all that could: its own time, or its destination, whichever is over
// later.
void AddCause(const queue::RecipientFacts& facts, const queue::DestinationView* destination,
              json* out) {
  using queue::WaitReason;
  const std::string step = WaitsFor(facts);
  if (step == "undo") return AddReason(WaitReason::kPurged, facts.final_wall_ns, out);
  if (facts.held_by_route) return AddReason(WaitReason::kHeldByRoute, 0, out);
  if (facts.held_by_operator) return AddReason(WaitReason::kHeldByOperator, 0, out);
  if (step == "notice") return AddReason(WaitReason::kNotice, 0, out);
  if (step == "reroute") return AddReason(WaitReason::kReroute, 0, out);
  if (step == "reply") return AddReason(WaitReason::kReply, 0, out);
  const WaitReason limit = destination == nullptr ? WaitReason::kNone : destination->limit;
  const int64_t until = destination == nullptr ? 0 : BlockedUntil(*destination);
  if (step == "retry") {
    const int64_t next = facts.line.next_attempt_wall_ns;
    const bool endless = until == 0 && limit == WaitReason::kSuspended;
    const bool later = limit == WaitReason::kUnrouted || endless || until > next;
    return AddReason(later ? limit : WaitReason::kRetry, later ? until : next, out);
  }
  if (step == "dns" && limit == WaitReason::kNone) return AddReason(WaitReason::kResolving, 0, out);
  AddReason(limit, until, out);
}

json ToJson(const queue::RecipientFacts& facts) {
  json out = QueueLineJson(facts.line);
  out["route"] = facts.route;
  out["destination"] = facts.destination;
  out["waits_for"] = WaitsFor(facts);
  out["accepted"] = Seconds(facts.accepted_wall_ns);
  out["since"] = Seconds(facts.since_wall_ns);
  out["notify"] = Seconds(facts.notify_wall_ns);
  out["expire"] = Seconds(facts.expire_wall_ns);
  if (facts.final_wall_ns != 0) out["final"] = Seconds(facts.final_wall_ns);
  out["notified"] = facts.notified;
  const std::pair<const char*, const std::string&> asked[] = {
      {"notify", facts.notify}, {"orcpt", facts.orcpt}, {"envid", facts.envid}, {"ret", facts.ret}};
  for (const auto& [key, value] : asked) {
    if (!value.empty()) out["dsn"][key] = value;
  }
  if (facts.original_id != 0) {
    out["original"] = {{"id", queue::FormatMessageId(facts.original_id)},
                       {"sender", facts.original_sender},
                       {"recipients", facts.original_recipients},
                       {"count", facts.original_count}};
  }
  if (facts.held_by_route) out["held_by"] = "route";
  if (facts.held_by_operator) out["held_by"] = "operator";
  return out;
}

json ToJson(const queue::AttemptFact& fact) {
  return {{"time", Seconds(fact.wall_ns)},
          {"id", queue::FormatMessageId(fact.message_id)},
          {"recipient", fact.recipient.empty() ? json(nullptr) : json(fact.recipient)},
          {"mailhost", fact.mailhost},
          {"reply", fact.reply},
          {"final", fact.final}};
}

json TrailJson(std::vector<queue::AttemptFact> trail) {
  std::sort(trail.begin(), trail.end(), [](const auto& a, const auto& b) {
    return std::tie(a.wall_ns, a.message_id, a.recipient) <
           std::tie(b.wall_ns, b.message_id, b.recipient);
  });
  if (trail.size() > core::kAttemptTrailShown) {
    trail.erase(trail.begin(), trail.end() - core::kAttemptTrailShown);
  }
  json out = json::array();
  for (const queue::AttemptFact& fact : trail) out.push_back(ToJson(fact));
  return out;
}

// The destination over all shards: what each sends, and the site, which they share.
json ToJson(const std::string& key, const std::vector<queue::DestinationFacts>& parts) {
  uint64_t tickets = 0;
  uint64_t ready = 0;
  uint64_t resolving = 0;
  uint64_t sending = 0;
  uint64_t connections = 0;
  bool lanes = false;
  const queue::DestinationView* const main = MainView(parts);
  for (const queue::DestinationFacts& part : parts) {
    tickets += part.tickets;
    if (!part.view.has_value()) continue;
    const queue::DestinationView& view = *part.view;
    ready += view.ready;
    resolving += view.resolving;
    sending += view.sending;
    connections += view.connections;
    lanes = lanes || view.lanes;
  }
  json out = {{"destination", key},    {"queued", tickets},          {"ready", ready},
              {"sending", sending},    {"connections", connections}, {"lanes", lanes},
              {"limit", "none"},       {"blocked_until", nullptr},   {"hosts", json::array()},
              {"resolving", resolving}};
  const std::string user = queue::ParseDestinationKey(key).user;
  if (!user.empty()) out["user"] = user;
  if (main == nullptr) {
    AddReason(queue::WaitReason::kNone, 0, &out);
    return out;
  }
  AddReason(main->limit, BlockedUntil(*main), &out);
  out["limit"] = out["cause"];
  out["blocked_until"] = out["lifted_at"];
  if (!main->trouble.empty()) out["trouble"] = main->trouble;
  if (!main->source.empty()) {
    out["source"] = {
        {"name", main->source}, {"addresses", main->source_addresses}, {"helo", main->source_helo}};
  }
  for (const queue::HostView& host : main->hosts) {
    json one = {{"host", host.name}, {"down_until", Seconds(host.down_until_wall_ns)}};
    if (!host.trouble.empty()) one["down_because"] = host.trouble;
    out["hosts"].push_back(std::move(one));
  }
  if (main->has_site) {
    out["site"] = {{"name", main->site},
                   {"connections", main->site_connections},
                   {"limit", main->site_limit},
                   {"window", main->site_window},
                   {"failures", main->site_failures}};
    if (!main->site_rate.empty()) out["site"]["max_rate"] = main->site_rate;
    if (!main->site_rate_now.empty()) out["site"]["rate_now"] = main->site_rate_now;
    if (main->lowered_until_wall_ns > 0) {
      out["site"]["lowered_until"] = Seconds(main->lowered_until_wall_ns);
    }
    if (!main->site_reply.empty()) {
      out["site"]["reply"] = main->site_reply;
      out["site"]["mailhost"] = main->site_reply_host;
    }
  }
  if (main->suspension.has_value()) out["suspension"] = SuspensionJson(*main->suspension);
  return out;
}

}  // namespace

void WhyAnswer::Part::OnMessageFacts(queue::MessageFacts facts) {
  answer->server_->Post(
      [one = answer, got = std::move(facts)]() mutable { one->TakeMessage(std::move(got)); });
}

void WhyAnswer::AskMessage(uint64_t id) {
  id_ = id;
  queue::QueueFilter filter;
  filter.id = id;
  filter.states = queue::kAllStates;
  AskHomes(filter);
}

void WhyAnswer::AskRecipient(const std::string& address) {
  recipient_ = address;
  queue::QueueFilter filter;
  filter.recipient = address;
  filter.states = queue::kAllStates;
  filter.domain = core::DomainKey(queue::DomainOf(address));
  AskHomes(filter);
}

void WhyAnswer::AskHomes(const queue::QueueFilter& filter) {
  self_ = shared_from_this();
  left_ = shards_.size();
  for (queue::Shard* const to : shards_) {
    parts_.push_back(std::make_unique<Part>());
    parts_.back()->answer = this;
    to->Post([filter, part = parts_.back().get()](queue::Shard* shard) {
      // A shard with too much to do for others answers nothing of its own.
      if (!shard->operations().Explain(filter, part)) part->OnMessageFacts({});
    });
  }
}

void WhyAnswer::TakeMessage(queue::MessageFacts facts) {
  for (queue::RecipientFacts& one : facts.recipients) {
    destinations_.try_emplace(one.destination);
    message_.recipients.push_back(std::move(one));
  }
  for (queue::AttemptFact& one : facts.trail) {
    message_.trail.push_back(std::move(one));
  }
  message_.forgotten += facts.forgotten;
  message_.more += facts.more;
  if (--left_ > 0) return;
  if (!recipient_.empty()) {
    domain_ = core::DomainKey(queue::DomainOf(recipient_));
    if (destinations_.empty()) return FindRoute();  // as of its domain, then
  }
  for (const auto& [key, known] : destinations_) asked_.push_back(key);
  AskDestinations();
}

void WhyAnswer::AskDomain(const std::string& domain) {
  self_ = shared_from_this();
  domain_ = domain;
  FindRoute();
}

void WhyAnswer::FindRoute() {
  const std::string address = recipient_.empty() ? "postmaster@" + domain_ : recipient_;
  shards_[0]->Post([this, address](queue::Shard* shard) {
    // What decides besides the address is not known here: as if no such route matched.
    queue::RouteFacts facts;
    facts.released = true;
    const queue::Router& router = shard->router();
    const queue::RouteChoice choice = router.Route(address, facts);
    std::string where(choice.destination);
    // Whether or not there is a mailbox of that name: this is where the mailboxes are.
    if (router.local() != nullptr && router.local()->OwnsDomainOf(address)) {
      where = router.local()->key();
    }
    // Whose mail it is decides where it is sent from: it may be waiting at any of these.
    std::vector<std::string> elsewhere;
    for (const std::string& source : router.sources().AllSources(kSourcesAsked)) {
      elsewhere.push_back(queue::WithSource(where, source));
    }
    server_->Post([this, key = std::move(where), name = std::string(choice.route),
                   others = std::move(elsewhere)] {
      route_ = name;
      destinations_.try_emplace(key);
      for (const std::string& other : others) {
        if (destinations_.try_emplace(other).second) others_.insert(other);
      }
      destinations_.try_emplace("mx:" + domain_);  // where mail from before a reload may be
      for (const auto& [one, known] : destinations_) asked_.push_back(one);
      AskDestinations();
    });
  });
}

void WhyAnswer::AskDestinations() {
  if (asked_.empty() || reply_->gone()) return Finish();
  const size_t rest = asked_.size() - std::min(asked_.size(), kDestinationsAtOnce);
  const std::vector<std::string> keys(asked_.begin() + static_cast<ptrdiff_t>(rest), asked_.end());
  asked_.resize(rest);
  left_ = shards_.size();
  for (queue::Shard* const to : shards_) {
    to->Post([this, keys](queue::Shard* shard) {
      std::vector<queue::DestinationFacts> facts;
      for (const std::string& key : keys) {
        facts.push_back(shard->operations().LookAt(key, domain_));
      }
      server_->Post([this, got = std::move(facts)]() mutable { TakeDestinations(std::move(got)); });
    });
  }
}

void WhyAnswer::TakeDestinations(std::vector<queue::DestinationFacts> facts) {
  for (queue::DestinationFacts& one : facts) {
    destinations_[one.key].push_back(std::move(one));
  }
  if (--left_ == 0) AskDestinations();
}

const queue::Suspension* WhyAnswer::SuspensionOf(const std::string& key) const {
  const queue::DestinationKey parsed = queue::ParseDestinationKey(key);
  if (!parsed.valid() || parsed.link != queue::LinkKind::kSmtp) return nullptr;
  return suspensions_->Find(parsed.domain, "");
}

json WhyAnswer::Recipients() const {
  json out = json::array();
  for (const queue::RecipientFacts& one : message_.recipients) {
    json facts = ToJson(one);
    const auto found = destinations_.find(one.destination);
    const queue::DestinationView* view =
        found == destinations_.end() ? nullptr : MainView(found->second);
    queue::DestinationView suspended;  // of one that nothing is ready at
    if (const queue::Suspension* by = SuspensionOf(one.destination); by && view == nullptr) {
      suspended.limit = queue::WaitReason::kSuspended;
      suspended.suspension = *by;
      view = &suspended;
    }
    AddCause(one, view, &facts);
    out.push_back(std::move(facts));
  }
  return out;
}

// Of those that destinations remember, what is about a recipient: its own, and what hosts said to
// everybody.
bool WhyAnswer::About(const queue::AttemptFact& fact) const {
  return recipient_.empty() || fact.recipient.empty() ||
         queue::MatchesPattern(recipient_, fact.recipient);
}

void WhyAnswer::Finish() {
  json out;
  if (id_ != 0) out["id"] = queue::FormatMessageId(id_);
  if (!recipient_.empty()) out["recipient"] = recipient_;
  if (id_ != 0 || !recipient_.empty()) {
    out["recipients"] = Recipients();
    out["more"] = message_.more;
  }
  if (!domain_.empty()) out["domain"] = domain_;
  if (!route_.empty()) out["route"] = route_;
  out["destinations"] = json::array();
  std::vector<queue::AttemptFact> trail = std::move(message_.trail);
  uint64_t forgotten = message_.forgotten;
  std::set<std::pair<int64_t, std::string>> seen;  // two destinations may share a fact
  for (const auto& [key, parts] : destinations_) {
    if (queue::ActionOf(key) != core::RouteAction::kSend) continue;  // nothing is sent there
    json one = ToJson(key, parts);
    if (const queue::Suspension* by = SuspensionOf(key); by && !one.contains("suspension")) {
      AddReason(queue::WaitReason::kSuspended, by->until_wall_ns, &one);
      one["limit"] = one["cause"];
      one["suspension"] = SuspensionJson(*by);
    }
    // The other places where mail of the domain could be is shown only if there is some.
    const bool other = key == "mx:" + domain_ || others_.contains(key);
    if (id_ == 0 && destinations_.size() > 1 && other && one["queued"] == 0) {
      continue;
    }
    out["destinations"].push_back(one);
    if (id_ != 0) continue;
    for (const queue::DestinationFacts& part : parts) {
      forgotten += part.forgotten;
      for (const queue::AttemptFact& fact : part.trail) {
        if (!About(fact)) continue;
        if (seen.emplace(fact.wall_ns, fact.recipient + fact.reply).second) trail.push_back(fact);
      }
    }
  }
  out["trail"] = TrailJson(std::move(trail));
  out["trail_forgotten"] = forgotten > 0;
  out["end"] = true;
  reply_->Finish(out);
  self_.reset();
}

}  // namespace outbox::tools
