// A resolver in a simulated world, with two name servers to ask.
#ifndef OUTBOX_TESTS_DNS_RESOLVER_WORLD_H_
#define OUTBOX_TESTS_DNS_RESOLVER_WORLD_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/limits.h"
#include "core/time.h"
#include "core/timer.h"
#include "core/timer_wheel.h"
#include "dns/resolver.h"
#include "gtest/gtest.h"
#include "io/sim_io.h"
#include "io/sim_world.h"
#include "tests/dns/sim_name_server.h"

namespace outbox::dns {

inline const core::SocketAddress kFirstServer = {core::IpAddress::V4(10, 0, 0, 53), 53};
inline const core::SocketAddress kSecondServer = {core::IpAddress::V4(10, 0, 0, 54), 53};

inline core::IpAddress Ip(const std::string& text) { return core::IpAddress::Parse(text).value(); }

// Somebody who asks, and keeps the plan.
struct Asker {
  Asker() { query.Bind<&Asker::OnPlan>(this); }
  void OnPlan(const MxPlanPtr& made) {
    EXPECT_NE(made, nullptr);
    EXPECT_FALSE(in_call);  // never inside the call that asked
    plan = made;
    ++times;
    at_once = false;
  }

  Query query;
  MxPlanPtr plan;
  int times = 0;         // that the query completed
  bool at_once = false;  // the call itself had the plan
  bool in_call = false;
};

class ResolverWorld {
 public:
  explicit ResolverWorld(const io::SimOptions& options = {}, ResolverOptions resolver_options = {})
      : world(options),
        io(&world, /*node=*/0, [this] { RunOnce(); }),
        wheel(io.now_ns(), 10'000),
        first(&world, kFirstServer),
        second(&world, kSecondServer) {
    if (resolver_options.servers.empty()) resolver_options.servers = {kFirstServer, kSecondServer};
    resolver = std::make_unique<Resolver>(&io, &wheel, resolver_options);
  }
  ~ResolverWorld() {
    Do([this] { resolver->Close(); });
    EXPECT_TRUE(RunUntil([this] { return resolver->closed(); }));
    EXPECT_EQ(io.in_flight(), 0u);
    EXPECT_EQ(wheel.size(), 0u);
    EXPECT_EQ(world.network().datagrams().sockets(), 0u);
    resolver.reset();
  }

  bool RunUntil(const std::function<bool()>& condition) {
    return world.RunUntil(condition, core::kNsPerHour) == io::SimWorld::RunResult::kCondition;
  }
  // Does it on the shard, in a turn of its own.
  void Do(const std::function<void()>& what) {
    todo_ = what;
    io.WakeFromOutside();
    EXPECT_TRUE(RunUntil([this] { return todo_ == nullptr; }));
  }
  void Ask(Asker* asker, const std::string& domain) {
    Do([&] {
      asker->in_call = true;
      Take(asker, resolver->ResolveMx(&asker->query, domain));
    });
  }
  void AskHosts(Asker* asker, const std::vector<std::string>& names) {
    Do([&] {
      asker->in_call = true;
      Take(asker, resolver->ResolveHosts(&asker->query, names));
    });
  }
  // The whole way.
  MxPlan Plan(const std::string& domain) {
    Asker asker;
    Ask(&asker, domain);
    return Wait(&asker);
  }
  MxPlan PlanOfHosts(const std::vector<std::string>& names) {
    Asker asker;
    AskHosts(&asker, names);
    return Wait(&asker);
  }
  MxPlan Wait(Asker* asker) {
    EXPECT_TRUE(RunUntil([&] { return asker->plan != nullptr; }));
    return asker->plan == nullptr ? MxPlan() : *asker->plan;
  }
  // Both servers know it.
  void AddMx(const std::string& name, uint16_t preference, const std::string& host,
             uint32_t ttl_s = SimNameServer::kTtl) {
    for (SimNameServer* server : {&first, &second}) server->AddMx(name, preference, host, ttl_s);
  }
  void AddAddress(const std::string& name, const std::string& address,
                  uint32_t ttl_s = SimNameServer::kTtl) {
    for (SimNameServer* server : {&first, &second}) server->AddAddress(name, Ip(address), ttl_s);
  }
  uint64_t questions() const { return first.questions() + second.questions(); }

  io::SimWorld world;
  io::SimIo io;
  core::TimerWheel wheel;
  SimNameServer first;
  SimNameServer second;
  std::unique_ptr<Resolver> resolver;

 private:
  void RunOnce() {
    io.Turn(wheel.NextDeadline());
    if (todo_ != nullptr) std::exchange(todo_, nullptr)();
    wheel.Advance(io.now_ns(), core::kTimerWorkPerTurn, [](uint8_t kind, uint64_t cookie) {
      EXPECT_EQ(kind, static_cast<uint8_t>(core::TimerKind::kObject));
      core::Timer::Fire(cookie);
    });
  }
  void Take(Asker* asker, const MxPlanPtr& plan) {
    asker->in_call = false;
    EXPECT_EQ(plan == nullptr, asker->query.in_flight());
    if (plan == nullptr) return;
    asker->plan = plan;
    asker->at_once = true;
  }

  std::function<void()> todo_;
};

// "10 a.example: 192.0.2.1 192.0.2.2; 20 b.example:" for comparisons.
inline std::string HostsOf(const MxPlan& plan) {
  std::string text;
  for (const MxHost& host : plan.hosts) {
    if (!text.empty()) text += "; ";
    text += std::to_string(host.preference) + " " + host.name + ":";
    for (const core::IpAddress& address : host.addresses) text += " " + address.ToString();
  }
  return text;
}

}  // namespace outbox::dns

#endif  // OUTBOX_TESTS_DNS_RESOLVER_WORLD_H_
