// ShardWorld: several shards on one thread, in virtual time, between fake homes and scripted peers.
//
// Everything between is the product's: post offices, site table, destination tables, deliveries. A
// home here makes tickets whose bytes it can lend, and keeps a ledger: how often each ticket came
// back and what became of each recipient. A peer is a script: how long it takes, whom it refuses,
// when it breaks. What happens is decided by the seed alone; trace() is a hash of all of it.
#ifndef OUTBOX_TESTS_QUEUE_SHARD_WORLD_H_
#define OUTBOX_TESTS_QUEUE_SHARD_WORLD_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <string>
#include <vector>

#include "core/hash.h"
#include "core/random.h"
#include "core/timer_wheel.h"
#include "queue/destination_table.h"
#include "queue/directory.h"
#include "queue/shard_mail.h"
#include "queue/site.h"
#include "smtp/delivery_result.h"
#include "tests/queue/clock_io.h"
#include "tests/queue/scripted_finder.h"

namespace outbox::queue {

inline constexpr char kHostA[] = "10.0.0.1:25";
inline constexpr char kHostB[] = "10.0.0.2:25";

class ScriptedLink;

// How a host behaves. Chances are percentages.
struct Script {
  int64_t step_ns = core::kNsPerMs;  // between any two things it does
  bool up = true;                    // false: connections are refused
  uint16_t greeting = 220;
  uint32_t refuse_rcpt = 0;                   // 550
  uint32_t defer_rcpt = 0;                    // 450
  uint32_t full_transaction = 0;              // 452 behind an accepted recipient
  uint32_t defer_data = 0;                    // 451 after the final dot
  uint32_t break_session = 0;                 // the connection dies in a transaction
  uint32_t accepts_connections = UINT32_MAX;  // then it goes down
  // So many connections to it are not made for want of something of our own.
  uint32_t shortages = 0;
  smtp::SessionEnd shortage = smtp::SessionEnd::kShortage;
};

// One message with its ticket, as its home sees it.
struct TestMail {
  Ticket ticket;
  std::string bytes;  // meta and inline body: part 0
  std::string body;   // as a peer must get it
  bool lease = true;
  std::vector<std::string> extents;  // parts 1..n
  uint32_t leases = 0;               // windows that are lent
  uint32_t returns = 0;
  uint32_t offers = 0;
  uint64_t taken = 0;      // masks of recipients: what peers say they have taken
  uint64_t delivered = 0;  // what came home
  uint64_t bounced = 0;
  bool out = false;
  bool recall_sent = false;
  int64_t accepted_ns = 0;
  int64_t returned_ns = 0;
  ReturnReason reason = ReturnReason::kAttempted;
};

class ShardWorld {
 public:
  struct Options {
    uint64_t seed = 1;
    uint32_t shards = 4;
    bool tiny_mailboxes = false;
    uint32_t limit = 20;                      // connections per site
    std::map<std::string, uint32_t> limits = {};  // the same, by destination key
    uint32_t max_connections = UINT32_MAX;    // per shard
    core::Rate rate = {};                     // messages per site
    int64_t fetch_ns = 100 * core::kNsPerUs;  // home's disk
    int64_t offer_again_ns = 0;               // > 0: home offers deferred tickets again after this
  };

  explicit ShardWorld(const Options& options);

  Script& host(const std::string& address) { return scripts_[address]; }
  ScriptedFinder& dns() { return finder_; }

  struct MailOptions {
    uint32_t recipients = 1;
    uint64_t sender = 1;
    uint8_t priority = 0;
    uint32_t extents = 0;
    bool lease = true;
    int64_t deadline_ns = core::kNever;
    uint32_t retry_s = 60;
  };
  // Makes a message at `home` and offers its ticket.
  TestMail* Send(uint32_t home, const std::string& key, const MailOptions& options);
  TestMail* Send(uint32_t home, const std::string& key) { return Send(home, key, MailOptions()); }
  void Recall(TestMail* mail);
  // Runs until `done` holds; false: it does not within limit_ns of virtual time.
  bool RunUntil(const std::function<bool()>& done, int64_t limit_ns);
  bool RunUntilHome(int64_t limit_ns);  // until no ticket is out
  void RunFor(int64_t ns);
  // A reload says this of every site from now on; `limit`: by destination key, else options.limit.
  void Reload(core::Rate rate, std::map<std::string, uint32_t> limits);
  // Closes all tables, runs until they are closed and every window is back.
  void Stop();
  void At(int64_t time_ns, std::function<void()> event);

  int64_t now_ns() const { return now_ns_; }
  uint32_t limit() const { return options_.limit; }
  core::Random& random() { return random_; }
  const std::vector<std::unique_ptr<TestMail>>& mails() const { return mails_; }
  DestinationTable& table(uint32_t shard) { return *shards_[shard]->table; }
  PostOffice& post(uint32_t shard) { return *shards_[shard]->post; }
  SiteTable& sites() { return sites_; }
  uint64_t trace() const { return trace_; }
  void Note(uint64_t what) { trace_ = core::HashCombine(trace_, what); }

  // Of all time.
  uint32_t peak_connections(const std::string& host) { return peak_[host]; }
  uint32_t peak_connections() const { return peak_of_all_; }
  uint64_t connects(const std::string& host) { return connects_[host]; }
  uint32_t lanes_open(uint32_t shard) const { return shards_[shard]->lanes_open; }
  // Transactions that `shard` has finished with any host.
  uint64_t delivered_by(uint32_t shard) const { return shards_[shard]->delivered; }
  std::vector<TestMail*> order;  // in which mails were delivered

 private:
  friend class ScriptedLink;

  struct Shard : public HomeMail, public ControlMail, public LinkFactory {
    ShardWorld* world = nullptr;
    uint32_t index = 0;
    ClockIo io;
    std::unique_ptr<core::TimerWheel> wheel;
    std::unique_ptr<core::Random> random;
    std::unique_ptr<PostOffice> post;
    std::unique_ptr<DestinationTable> table;
    std::map<std::string, DirectoryEntry> directory;  // its entries stay in place
    uint32_t lanes_open = 0;
    uint64_t delivered = 0;

    void OnReturn(Ticket* ticket) override;
    void OnFetch(Ticket* ticket, uint32_t part, const Extent* extent) override;
    void OnRelease(Ticket* ticket, const Window& window) override;
    void OnLane(const LaneNotice& notice) override;
    void OnCommand(uint8_t, void*) override {}
    void OnReply(uint8_t, void*) override {}
    std::unique_ptr<DeliveryLink> Connect(const LinkTarget& target,
                                          smtp::DeliverySource* source) override;
  };

  struct Event {
    int64_t at_ns;
    uint64_t tie;
    uint64_t number;
    std::function<void()> run;
    bool operator<(const Event& other) const {
      if (at_ns != other.at_ns) return at_ns > other.at_ns;
      if (tie != other.tie) return tie > other.tie;
      return number > other.number;
    }
  };

  void Offer(TestMail* mail);
  // A peer has taken recipient `index` of a transaction, with this body.
  void OnPeerAccepted(const smtp::DeliveryRequest& request, size_t index, const std::string& body,
                      uint32_t shard);
  void Turn(Shard* shard);
  bool Step(int64_t end_ns);
  TestMail* MailOf(Ticket* ticket) { return by_ticket_.at(ticket); }
  void BuildBytes(TestMail* mail, const std::string& key, const MailOptions& options);

  const Options options_;
  core::Rate rate_;
  std::map<std::string, uint32_t> limits_;  // by destination key
  core::Random random_;
  int64_t now_ns_ = core::kNsPerSecond;
  uint64_t events_made_ = 0;
  uint64_t trace_ = 0;
  size_t home_so_far_ = 0;  // mails before this one are home for good
  std::priority_queue<Event> events_;
  ScriptedFinder finder_;
  Exchange exchange_;
  SiteTable sites_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::vector<std::unique_ptr<TestMail>> mails_;
  std::map<Ticket*, TestMail*> by_ticket_;
  std::map<std::string, Script> scripts_;
  std::map<std::string, uint32_t> connected_;
  std::map<std::string, uint32_t> peak_;
  std::map<std::string, uint64_t> connects_;
  uint32_t connected_to_all_ = 0;
  uint32_t peak_of_all_ = 0;
};

}  // namespace outbox::queue

#endif  // OUTBOX_TESTS_QUEUE_SHARD_WORLD_H_
