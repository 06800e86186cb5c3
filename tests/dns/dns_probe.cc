// dns_probe: asks real name servers through the resolver on io_uring, and prints each plan as a
// line of JSON. For the tests against nsd and unbound, and for a person who wants to see what
// Outbox would see.
//
//     dns_probe --server 127.0.0.1:5300 [--own-name NAME] [--own-network CIDR] [--hosts] NAME...
#include <cstdio>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/limits.h"
#include "core/time.h"
#include "core/timer.h"
#include "core/timer_wheel.h"
#include "dns/resolver.h"
#include "io/uring_io.h"
#include "nlohmann/json.hpp"

namespace dns = outbox::dns;
namespace core = outbox::core;

namespace {

constexpr uint32_t kTimersMax = 100'000;

struct Asked {
  Asked() { query.Bind<&Asked::OnPlan>(this); }
  void OnPlan(const dns::MxPlanPtr& made) { plan = made; }

  std::string name;
  dns::Query query;
  dns::MxPlanPtr plan;
};

struct Arguments {
  dns::ResolverOptions options;
  bool hosts = false;
  std::vector<std::string> names;
};

bool Read(int count, char** texts, Arguments* arguments) {
  for (int i = 1; i < count; ++i) {
    const std::string_view text = texts[i];
    if (text == "--hosts") {
      arguments->hosts = true;
    } else if (!text.starts_with("--")) {
      arguments->names.emplace_back(text);
    } else if (++i == count) {
      return false;
    } else if (text == "--server") {
      const auto address = core::SocketAddress::Parse(texts[i], 53);
      if (!address.ok()) return false;
      arguments->options.servers.push_back(*address);
    } else if (text == "--own-name") {
      arguments->options.own_names.emplace_back(texts[i]);
    } else if (text == "--own-network") {
      const auto network = core::Network::Parse(texts[i]);
      if (!network.ok()) return false;
      arguments->options.own_networks.push_back(*network);
    } else {
      return false;
    }
  }
  return true;
}

void Print(const Asked& asked, int64_t now_ns) {
  nlohmann::json hosts = nlohmann::json::array();
  for (const dns::MxHost& host : asked.plan->hosts) {
    nlohmann::json addresses = nlohmann::json::array();
    for (const core::IpAddress& address : host.addresses) addresses.push_back(address.ToString());
    hosts.push_back(
        {{"name", host.name}, {"preference", host.preference}, {"addresses", addresses}});
  }
  const nlohmann::json line = {
      {"name", asked.name},
      {"kind", dns::MxPlanKindName(asked.plan->kind)},
      {"implicit", asked.plan->implicit},
      {"hosts", hosts},
      {"valid_s", (asked.plan->valid_until_ns - now_ns) / core::kNsPerSecond},
      {"reason", asked.plan->reason},
  };
  printf("%s\n", line.dump().c_str());
}

}  // namespace

int main(int count, char** texts) {
  Arguments arguments;
  if (!Read(count, texts, &arguments)) {
    fprintf(stderr, "dns_probe: see the head of tests/dns/dns_probe.cc\n");
    return 2;
  }
  auto made = outbox::io::UringIo::Create({});
  if (!made.ok()) {
    fprintf(stderr, "dns_probe: %s\n", made.status().ToString().c_str());
    return 1;
  }
  const std::unique_ptr<outbox::io::UringIo> io = std::move(*made);
  io->Turn(0);
  core::TimerWheel wheel(io->now_ns(), kTimersMax);
  dns::Resolver resolver(io.get(), &wheel, arguments.options);
  std::deque<Asked> all(arguments.names.size());
  for (size_t i = 0; i < all.size(); ++i) {
    all[i].name = arguments.names[i];
    all[i].plan = arguments.hosts ? resolver.ResolveHosts(&all[i].query, {&all[i].name, 1})
                                  : resolver.ResolveMx(&all[i].query, all[i].name);
  }
  const auto turn = [&] {
    io->Turn(wheel.NextDeadline());
    wheel.Advance(io->now_ns(), core::kTimerWorkPerTurn,
                  [](uint8_t, uint64_t cookie) { core::Timer::Fire(cookie); });
  };
  for (Asked& asked : all) {
    while (asked.plan == nullptr) turn();
    Print(asked, io->now_ns());
  }
  resolver.Close();
  while (!resolver.closed()) turn();
  return 0;
}
