// Router: which route a recipient takes. Ordered static routes, the first match wins.
//
// Pure and built once from the configuration. Routes that domains alone decide about are looked up
// (queue/pattern_index.h: thousands cost no more than a few). Those with further conditions, or
// that can be passed over, are filed apart (queue/condition_index.h) and looked at only where they
// could match. A recipient that no route matches takes the implicit last one, "*" via MX, under the
// name kImplicitRoute. Recipients in local domains take none of
// them (queue/local_domains.h).
//
// Shard-local (Route uses a scratch buffer); outlives every draft and notice that it routes.
#ifndef OUTBOX_QUEUE_ROUTER_H_
#define OUTBOX_QUEUE_ROUTER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "core/config.h"
#include "core/config_archive.h"
#include "core/string_map.h"
#include "queue/condition_index.h"
#include "queue/destination_key.h"
#include "queue/local_domains.h"
#include "queue/message_meta.h"
#include "queue/pattern_index.h"
#include "queue/route_conditions.h"
#include "queue/source_choice.h"

namespace outbox::queue {

inline constexpr std::string_view kImplicitRoute = "mx";

// The answer to one question. Views belong to the router; `destination` only until the next
// question.
struct RouteChoice {
  std::string_view destination;  // queue/destination_key.h
  core::RouteAction action = core::RouteAction::kSend;
  // False: a route that is for some content could match. What is said here is what would be if none
  // did.
  bool decided = true;
  std::string_view route;             // its name
  std::span<const uint32_t> retry_s;  // schedule, seconds
  Periods periods;
  uint32_t index = 0;  // place in the list; the implicit one is behind the last
  // Whom the mail is for: the recipient as it came, or the mailbox that this means; also only until
  // the next question.
  std::string_view recipient;
  bool local = false;
  // Where it is sent from: a part of `destination`, empty for the system's choice or `bind`; what
  // was named, a pool or the source itself; and by whom.
  std::string_view source;
  std::string_view send_from;
  SourceRule source_rule = SourceRule::kNobody;
};

// What is different between two routers for mail that is queued already.
struct RouteChanges {
  std::set<std::string, std::less<>> keys;  // destinations of routes that are gone or go elsewhere
  bool mx = false;                          // and such routes went by MX
  bool sources = false;                     // where mail is sent from may be different

  bool empty() const { return keys.empty() && !mx && !sources; }
  bool Touches(std::string_view key) const;
};

class Router {
 public:
  explicit Router(const core::Config& config);
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;

  // `recipient`: local@domain, in any case and either form (core/idna.h). Without a domain it is
  // our own host's.
  RouteChoice Route(std::string_view recipient, const RouteFacts& facts) const;
  // Of a message of our own: from nobody, and without a client.
  RouteChoice Route(std::string_view recipient) const { return Route(recipient, RouteFacts()); }

  // By the route with this name, whatever it matches; the first one if several have it. Nothing:
  // there is none.
  std::optional<RouteChoice> RouteThrough(std::string_view name, std::string_view recipient,
                                          const RouteFacts& facts) const;
  // Gives mail that goes to hosts of an operator's a source, as if no route said anything of that:
  // changes `choice`, whose destination the router keeps from here on.
  void ChooseSource(const RouteFacts& facts, RouteChoice* choice) const;

  // Some route asks for more than the recipient's domain.
  bool has_conditions() const { return !conditions_.empty(); }
  // Some route asks for header fields or the size.
  bool needs_content() const { return needs_content_; }
  bool needs_header() const { return needs_header_; }
  // Where mail goes whose recipient is in a local domain and has no mailbox, as it is known by now.
  // REQUIRES: local() owns its domain.
  RouteChoice RouteNoMailbox(std::string_view recipient, const RouteFacts& facts) const;
  // Some mail is copied to an archive.
  bool archives() const { return archives_; }
  // The mailbox that gets a copy of mail with the choice of this `index`, or of a notice of ours
  // with it; empty: none.
  std::string_view ArchiveOf(uint32_t index) const;
  std::string_view ArchiveOfNotice(uint32_t index) const;
  // The way of a copy, under the name core::kArchiveRoute: to the local mailboxes, whether or not
  // this is one that strangers may write to. `mailbox` is the answer's `recipient`. REQUIRES:
  // local() is not null.
  RouteChoice RouteArchive(std::string_view mailbox) const;
  // Null: no mail is local.
  LocalDomains* local() const { return local_.get(); }

  // Whether mail from this sender, of the route with this name, may still go to the destination
  // with this key; and of no route, to the hosts of an operator's.
  bool StillRoutes(std::string_view route, std::string_view key, std::string_view sender) const;
  bool StillSends(std::string_view key, std::string_view sender) const;
  const SourceChoice& sources() const { return sources_; }
  // What queued mail must be looked at when this router follows `old`.
  RouteChanges Since(const Router& old) const;

  // Connections that the routes allow to the destination with this key, over all shards; the
  // smallest number when several routes go there.
  uint32_t ConnectionsFor(std::string_view destination) const;

 private:
  struct Entry {
    std::string name;
    std::string destination;  // "" when it is via MX
    std::string suffix;       // of mail that is sent: what stands behind the hosts
    std::string hosts;        // not via MX: the key without that
    std::string session;      // of the suffix, what stands behind the source
    bool sourced = false;     // it may have a source: it goes by SMTP, and has no `bind`
    SourceChoice::Group send_from = SourceChoice::kUnsaid;
    std::optional<std::string> send_from_name;
    std::string archive;      // the mailbox that gets a copy; empty: none
    core::RouteAction action = core::RouteAction::kSend;
    uint16_t port = 0;  // with via MX
    uint32_t connections = 0;
    std::vector<uint32_t> retry_s;
    Periods periods;
  };

  static Entry MakeEntry(std::string name, const core::RetryPeriods& periods, uint16_t port,
                         uint32_t connections);
  // A route of which more than the domain must be looked at.
  struct Conditional {
    core::RouteConfig route;  // its conditions
    PatternIndex domains;
    bool Takes(std::string_view domain) const {
      return domains.Find(domain) != PatternIndex::kNone;
    }
  };

  void AddRoute(const core::RouteConfig& route, uint32_t index);
  RouteChoice RouteOut(std::string_view recipient, const RouteFacts& facts) const;
  // What the route with this number says; `domain_` is the recipient's.
  RouteChoice ChoiceOf(uint32_t index, std::string_view recipient, const RouteFacts& facts) const;
  // Outside of the table; `entry` says for how long.
  RouteChoice LocalChoice(const Entry& entry, std::string_view destination,
                          std::string_view recipient) const;
  RouteChoice RouteLocal(std::string_view recipient, const RouteFacts& facts) const;
  void SetDomain(std::string_view recipient) const;
  // The number of the first route by domain alone that matches; entries_.size() - 1 (the implicit
  // one) if none.
  uint32_t Match(std::string_view domain) const;
  // The same of all routes. `domain_` is the recipient's.
  uint32_t MatchConditions(std::string_view recipient, const RouteFacts& facts, uint32_t before,
                           bool* decided) const;
  // Whether mail of the entry, via MX, may go to this destination.
  static bool LeadsTo(const Entry& entry, const DestinationKey& key);

  std::string hostname_;
  SourceChoice sources_;
  std::vector<Entry> entries_;  // the implicit one is the last
  PatternIndex patterns_;
  ConditionIndex conditions_;
  absl::flat_hash_map<uint32_t, Conditional> conditional_;  // by number
  std::vector<uint32_t> limited_mx_;  // of them, via MX with connections of their own
  bool needs_content_ = false;
  bool needs_header_ = false;
  bool archives_ = false;
  bool archives_notices_ = false;
  core::StringMap<std::vector<uint32_t>> by_name_;  // routes that have this name
  core::StringMap<uint32_t> connections_;           // by destination key, of "via:" ones
  uint32_t default_connections_;
  std::unique_ptr<LocalDomains> local_;
  Entry local_entry_;
  Entry archive_entry_;
  mutable std::string domain_;                // scratch: a key (core/idna.h)
  mutable std::string recipient_;             // likewise
  mutable std::string sender_;                // likewise
  mutable std::vector<uint32_t> candidates_;  // scratch
  mutable std::string destination_;           // scratch: the answer's key
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_ROUTER_H_
