#include "tests/simulation/simulation.h"

#include <algorithm>
#include <cinttypes>
#include <memory>
#include <set>
#include <utility>

#include "core/random.h"
#include "io/sim_disk.h"
#include "io/sim_io.h"
#include "io/sim_network.h"
#include "tests/simulation/ledger.h"
#include "tests/simulation/scripted_client.h"
#include "tests/simulation/simulation_run.h"

namespace outbox::simulation {
namespace {

constexpr int64_t kDownMaxNs = 20 * core::kNsPerSecond;
constexpr int kTriesMax = 4;  // of a client with one message; each is a message of its own

core::SocketAddress HostAddress(int host) {
  return {core::IpAddress::V4(10, 1, 0, static_cast<uint8_t>(host + 1)), 25};
}

}  // namespace

Script Simulation::MakeScript() {
  core::Random& random = world_.random();
  Script script;
  if (random.Chance(1, 3)) script.extensions = {"8BITMIME"};
  if (random.Chance(1, 10)) script.extensions.clear();
  if (random.Chance(1, 2)) script.extensions.push_back("DSN");
  if (!world_.Chance(options_.bad_host_ppm)) return script;
  using Then = ScriptRule::Then;
  static const ScriptRule kTroubles[] = {
      {.at = "connect", .reply = "421 4.3.2 not now", .then = Then::kClose},
      {.at = "connect", .reply = "554 5.3.2 never", .then = Then::kClose},
      {.at = "connect", .reply = "", .then = Then::kStall},
      {.at = "connect", .reply = "", .then = Then::kReset},
      {.at = "EHLO", .reply = "502 5.5.1 what is EHLO"},
      {.at = "MAIL", .reply = "451 4.7.1 greylisted"},
      {.at = "RCPT", .reply = "450 4.2.0 later"},
      {.at = "RCPT", .reply = "452 4.5.3 too many"},
      {.at = "RCPT", .reply = "550 5.1.1 nobody of that name"},
      {.at = "RCPT", .reply = "421 4.3.2 going down", .then = Then::kClose},
      {.at = "DATA", .reply = "451 4.3.0 try again"},
      {.at = "DATA", .reply = "", .then = Then::kReset},
      {.at = "body", .reply = "", .then = Then::kReset},
      {.at = "body", .reply = "", .then = Then::kStall},
      {.at = "body", .reply = "", .delay_ns = 30 * core::kNsPerSecond},
      {.at = ".", .reply = "451 4.3.0 try again"},
      {.at = ".", .reply = "554 5.6.0 I do not like it"},
      {.at = ".", .reply = "", .then = Then::kReset},  // taken, and not said
      {.at = ".", .reply = "", .then = Then::kStall},
      {.at = ".", .reply = "250 2.0.0 OK", .delay_ns = 2 * core::kNsPerMinute},
      {.at = "QUIT", .reply = "", .then = Then::kStall},
  };
  const int rules = static_cast<int>(random.Between(1, 4));
  for (int i = 0; i < rules; ++i) {
    ScriptRule rule = kTroubles[random.Below(std::size(kTroubles))];
    rule.chance_ppm = static_cast<uint32_t>(random.Between(50'000, 600'000));
    script.rules.push_back(rule);
  }
  return script;
}

bool Simulation::RefusesSessions(const core::SocketAddress& address) const {
  for (const auto& host : hosts_) {
    if (host->address() != address) continue;
    for (const ScriptRule& rule : host->script().rules) {
      if (rule.at == "connect" && rule.reply.starts_with("5")) return true;
    }
  }
  return false;
}

void Simulation::MakeHosts() {
  core::Random& random = world_.random();
  for (int i = 0; i < options_.hosts; ++i) {
    Script script = MakeScript();
    script.name = "host" + std::to_string(i) + ".example";
    hosts_.push_back(std::make_unique<ScriptedServer>(&peers_, HostAddress(i), script));
    hosts_.back()->set_on_refused(
        [this](const std::vector<std::string>& recipients) { ledger_.Refused(recipients); });
  }
  options_.relay.routes.clear();
  for (int i = 0; i < options_.domains; ++i) {
    RelayRoute route{"d" + std::to_string(i) + ".example", {}};
    const int first = static_cast<int>(random.Below(static_cast<uint64_t>(options_.hosts)));
    const int count = static_cast<int>(random.Between(1, std::min(3, options_.hosts)));
    for (int j = 0; j < count; ++j)
      route.hosts.push_back(HostAddress((first + j) % options_.hosts));
    for (const core::SocketAddress& host : route.hosts) {
      if (RefusesSessions(host)) ledger_.DomainMayFail(route.domain);
    }
    options_.relay.routes.push_back(route);
  }
  if (options_.dead_domain) {
    options_.relay.routes.push_back({kDeadDomain, {HostAddress(options_.hosts)}});
    ledger_.DomainMayFail(kDeadDomain);
  }
}

// What its sender wants to hear, of each recipient something else.
void Simulation::Ask(ClientMessage* message) {
  static constexpr const char* kNotify[] = {
      "",
      " NOTIFY=NEVER",
      " NOTIFY=SUCCESS",
      " NOTIFY=FAILURE",
      " NOTIFY=DELAY",
      " NOTIFY=SUCCESS,FAILURE",
      " NOTIFY=FAILURE,DELAY",
      " NOTIFY=SUCCESS,FAILURE,DELAY",
  };
  core::Random& random = world_.random();
  if (random.Chance(1, 2)) message->asks = random.Chance(1, 2) ? " RET=FULL" : " RET=HDRS";
  if (random.Chance(1, 2)) message->asks += " ENVID=id+2B" + std::to_string(random.Below(1000));
  for (const std::string& recipient : message->recipients) {
    std::string asks = kNotify[random.Below(std::size(kNotify))];
    if (random.Chance(1, 3)) asks += " ORCPT=rfc822;was+2B" + recipient;
    message->recipients_ask.push_back(asks);
  }
}

ClientMessage Simulation::MakeMessage(uint64_t id) {
  core::Random& random = world_.random();
  ClientMessage message;
  const auto domain = [&] {
    return "@d" + std::to_string(random.Below(static_cast<uint64_t>(options_.domains))) +
           ".example";
  };
  if (!random.Chance(1, 8)) message.reverse_path = "s" + std::to_string(id) + domain();
  const int recipients = static_cast<int>(random.Between(1, options_.recipients_max));
  for (int i = 0; i < recipients; ++i) {
    const bool dead = options_.dead_domain && random.Chance(1, 10);
    message.recipients.push_back("r" + std::to_string(i) + ".m" + std::to_string(id) +
                                 (dead ? "@" + std::string(kDeadDomain) : domain()));
  }
  if (random.Chance(1, 2)) Ask(&message);
  message.content = Ledger::IdField(id) + "From: author" + domain() + "\r\nSubject: a test\r\n\r\n";
  const size_t size = random.Below(random.Chance(1, 10) ? options_.content_bytes_max * 8
                                                        : options_.content_bytes_max);
  while (message.content.size() < size) {
    if (random.Chance(1, 20)) message.content += "..";  // a stuffed dot
    const size_t line = random.Below(200);
    for (size_t i = 0; i < line; ++i) {
      message.content += static_cast<char>('a' + (id + i) % 26);
    }
    message.content += "\r\n";
  }
  return message;
}

void Simulation::Submit(int tries_left) {
  using Abort = ClientScript::Abort;
  --submissions_due_;
  const uint64_t id = ++last_message_;
  const ClientMessage message = MakeMessage(id);
  ClientScript script;
  script.pipelining = world_.random().Chance(1, 2);
  if (!healed_ && world_.Chance(options_.client_abort_ppm)) {
    script.abort = static_cast<Abort>(world_.random().Between(1, 4));
  }
  ledger_.Submitted(id, message, world_.now_ns());
  recipients_.insert(recipients_.end(), message.recipients.begin(), message.recipients.end());
  client_.Send(
      options_.relay.listen, message, script, [this, id, tries_left](const ClientResult& r) {
        ledger_.Answered(id, r);
        if (r.acknowledged || tries_left == 0) return;
        ++submissions_due_;
        world_.Schedule(Within(core::kNsPerMinute), [this, tries_left] { Submit(tries_left - 1); });
      });
}

void Simulation::PlanTrouble() {
  for (int i = 0; i < options_.messages; ++i) {
    ++submissions_due_;
    world_.Schedule(Within(options_.submit_ns), [this] { Submit(kTriesMax); });
  }
  for (int i = 0; i < options_.deaths; ++i) {
    world_.Schedule(Within(options_.submit_ns), [this] { PlanDeath(); });
  }
  for (int i = 0; relay_->has_operator() && i < options_.orders; ++i) {
    world_.Schedule(Within(options_.submit_ns), [this] { GiveOrder(); });
  }
  for (int i = 0; i < options_.wall_jumps; ++i) {
    world_.Schedule(Within(options_.submit_ns), [this] {
      world_.JumpWall(Within(20 * core::kNsPerMinute) - 10 * core::kNsPerMinute);
    });
  }
}

void Simulation::PlanDeath() {
  if (!relay_up_ || healed_) return;
  core::Random& random = world_.random();
  if (random.Chance(1, 2)) {
    // In the middle of something: at one of the next changes of its disk.
    io::SimDisk& disk = world_.disk(kRelayNode);
    disk.CrashAt(disk.changes() + 1 + random.Below(50),
                 static_cast<io::SimCrashMode>(random.Below(3)));
    return;
  }
  death_due_ = true;
  death_by_kill_ = random.Chance(1, 2);
}

// Of invariant 1. They add up at any moment, not only when everything is quiet.
void Simulation::CheckCounters() {
  if (!relay_up_ || !relay_->ready()) return;
  const RelayCounters counters = relay_->Counters();
  if (!counters.AddUp()) Wrong("the counters do not add up: " + counters.ToString());
}

void Simulation::Die() {
  CheckCounters();
  if (death_by_kill_ && !world_.crash_pending()) {
    world_.Kill(kRelayNode);
  } else {
    world_.Crash(kRelayNode);
  }
  relay_->Vanish();
  ledger_.RelayDied(world_.now_ns());
  ++deaths_;
  relay_up_ = death_due_ = death_by_kill_ = false;
  world_.Schedule(Within(kDownMaxNs), [this] { start_due_ = true; });
}

// Runs with deaths and starts. False when the time is over first, or somebody never sleeps.
bool Simulation::RunUntil(const std::function<bool()>& condition, int64_t limit_ns) {
  const int64_t end_ns = world_.now_ns() + limit_ns;
  while (world_.now_ns() < end_ns) {
    const auto result = world_.RunUntil([&] { return death_due_ || start_due_ || condition(); },
                                        end_ns - world_.now_ns());
    if (result == io::SimWorld::RunResult::kTurnLimit) {
      Wrong("a loop that never sleeps");
      return false;
    }
    if (result == io::SimWorld::RunResult::kCrashPoint || death_due_) {
      if (relay_up_) Die();
      death_due_ = false;
      continue;
    }
    if (start_due_) {
      start_due_ = false;
      relay_up_ = true;
      relay_->Start();
      continue;
    }
    if (result == io::SimWorld::RunResult::kCondition) return true;
  }
  return false;
}

void Simulation::Heal() {
  healed_ = true;
  const io::SimOptions healthy;
  io::SimOptions& now = world_.mutable_options();
  const uint64_t seed = now.seed;
  const io::SimDiskOptions disk = now.disk;
  now = healthy;
  now.seed = seed;
  now.disk.capacity_bytes = disk.capacity_bytes;
  now.disk.direct_supported = disk.direct_supported;
  now.receive_buffer_bytes = options_.world.receive_buffer_bytes;
  now.receive_buffers = options_.world.receive_buffers;
  world_.disk(kRelayNode).CrashAt(0, io::SimCrashMode::kBefore);
  for (const auto& host : hosts_) host->script().rules.clear();
  relay_->Heal();
  LetGo();
}

// Again and again: an order to hold may still be on its way.
void Simulation::LetGo() {
  if (Settled()) return;
  if (relay_up_ && relay_->ready() && relay_->has_operator()) {
    ledger_.RetryOrdered(world_.now_ns());
    relay_->Release();
  }
  world_.Schedule(10 * core::kNsPerMinute, [this] { LetGo(); });
}

bool Simulation::Settled() const {
  return relay_up_ && relay_->ready() && submissions_due_ == 0 && client_.under_way() == 0 &&
         relay_->Counters().queued == 0;
}

// The limit is the site's, and a site is a set of hosts: a host may belong to several. Each source
// of the relay is a client of its own.
void Simulation::CheckConnections() {
  std::set<std::set<core::SocketAddress>> sites;
  for (const RelayRoute& route : options_.relay.routes) {
    sites.emplace(route.hosts.begin(), route.hosts.end());
  }
  for (int i = 0; i < options_.hosts; ++i) {
    const core::SocketAddress host = HostAddress(i);
    const size_t shared =
        relay_->sources() *
        static_cast<size_t>(std::count_if(sites.begin(), sites.end(),
                                          [&](const auto& site) { return site.contains(host); }));
    const size_t peak = world_.network().open_peak(host);
    if (peak > shared * options_.relay.connections_max) {
      Wrong(std::to_string(peak) + " connections to " + host.ToString() + ", which is in " +
            std::to_string(shared) + " sites");
    }
  }
}

SimulationResult Simulation::Run() {
  start_due_ = true;
  PlanTrouble();
  RunUntil([] { return false; }, options_.submit_ns);
  Heal();
  // The relay works, and says so to a client that comes now.
  ++submissions_due_;
  Submit(kTriesMax);
  const bool settled = RunUntil([this] { return Settled(); }, options_.heal_ns);
  if (!settled) Wrong("the queue is not empty long after everything was well again");
  CheckCounters();
  const std::set<std::string> queued = relay_->Queued();
  // Idle sessions come to their QUIT.
  RunUntil([] { return false; }, 30 * core::kNsPerMinute);
  relay_->Stop();
  if (!RunUntil([this] { return relay_->stopped(); }, 10 * core::kNsPerMinute)) {
    Wrong("an orderly stop did not come to its end");
  }
  CheckCounters();
  for (const auto& host : hosts_) {
    for (const TakenMessage& message : host->taken()) {
      ledger_.Taken(message);
      if (std::string wrong = relay_->WrongWith(message); !wrong.empty()) Wrong(wrong);
    }
    for (const RecipientAnswer& answer : host->answers()) {
      ledger_.RecipientAnswered(host->script().name, answer);
    }
    for (const std::string& violation : host->violations()) Wrong("protocol: " + violation);
  }
  CheckConnections();
  if (const auto archive = relay_->Archive(); archive.has_value() && queued.empty()) {
    ledger_.CheckArchive(*archive);
  }
  SimulationResult result;
  result.wrong = ledger_.Check(queued);
  result.wrong.insert(result.wrong.begin(), wrong_.begin(), wrong_.end());
  result.trace_hash = world_.trace_hash();
  result.summary = std::to_string(last_message_) + " messages, " +
                   std::to_string(ledger_.acknowledged()) + " recipients acknowledged, " +
                   std::to_string(deaths_) + " deaths, " + std::to_string(world_.steps()) +
                   " steps";
  return result;
}

SimulationResult RunSimulation(const SimulationOptions& options, const RelayFactory& factory,
                               FILE* trace) {
  Simulation simulation(options, factory, trace);
  return simulation.Run();
}

bool CheckSeed(uint64_t seed, const char* program, const RelayFactory& factory, bool verbose) {
  const SimulationOptions options = OptionsOf(seed);
  if (verbose) printf("seed %" PRIu64 ": %s\n", seed, Describe(options).c_str());
  SimulationResult result = RunSimulation(options, factory, verbose ? stdout : nullptr);
  const SimulationResult again = RunSimulation(options, factory, nullptr);
  if (again.trace_hash != result.trace_hash) {
    result.wrong.push_back("the second run of this seed was another one");
  }
  if (verbose) printf("seed %" PRIu64 ": %s\n", seed, result.summary.c_str());
  if (result.wrong.empty()) return true;
  printf("seed %" PRIu64 " fails (%s)\n", seed, result.summary.c_str());
  for (const std::string& wrong : result.wrong) printf("  %s\n", wrong.c_str());
  printf("  options: %s\n  again: %s --seed %" PRIu64 " --verbose\n", Describe(options).c_str(),
         program, seed);
  return false;
}

}  // namespace outbox::simulation
