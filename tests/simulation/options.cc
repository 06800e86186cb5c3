// The options of a simulation, drawn from its seed.
#include "core/random.h"
#include "tests/simulation/simulation.h"

namespace outbox::simulation {
namespace {

// So that the options and what happens under them are not the same draw.
constexpr uint64_t kSalt = 0x5eed0b0a7b0c5a17u;

uint32_t Sometimes(core::Random* random, uint32_t ppm_max) {
  if (!random->Chance(1, 3)) return 0;
  return static_cast<uint32_t>(random->Between(1, ppm_max));
}

}  // namespace

SimulationOptions OptionsOf(uint64_t seed) {
  core::Random random(seed ^ kSalt);
  SimulationOptions options;
  options.seed = seed;
  options.world.seed = seed;
  options.world.turns_max = 20'000'000;
  options.world.receive_buffers = static_cast<uint32_t>(random.Between(2, 16));

  io::SimNetworkOptions& network = options.world.network;
  network.window_bytes_min = 2048;
  network.window_bytes_max = static_cast<size_t>(random.Between(2048, 262'144));
  network.segment_bytes_max = static_cast<size_t>(random.Between(64, 65'536));
  network.byte_by_byte_ppm = Sometimes(&random, 100'000);
  network.connect_refused_ppm = Sometimes(&random, 200'000);
  network.connect_error_ppm = Sometimes(&random, 100'000);
  network.connect_lost_ppm = Sometimes(&random, 50'000);
  network.accept_error_ppm = Sometimes(&random, 50'000);
  network.reset_ppm = Sometimes(&random, 20'000);
  network.silent_ppm = Sometimes(&random, 5'000);
  network.stall_ppm = Sometimes(&random, 5'000);
  network.latency.high_ns = random.Between(core::kNsPerMs, 300 * core::kNsPerMs);

  io::SimDiskOptions& disk = options.world.disk;
  disk.write_error_ppm = Sometimes(&random, 5'000);
  disk.sync_error_ppm = Sometimes(&random, 2'000);
  if (random.Chance(1, 10)) disk.write.high_ns = 100 * core::kNsPerMs;
  disk.direct_supported = !random.Chance(1, 10);

  options.relay.listen = {core::IpAddress::V4(10, 0, 0, 1), 25};
  options.relay.shards = static_cast<int>(random.Between(1, 4));
  options.relay.retry_ns = random.Between(10, 120) * core::kNsPerSecond;
  options.relay.expire_ns = random.Between(60, 120) * core::kNsPerMinute;
  options.relay.connections_max = static_cast<uint32_t>(random.Between(1, 20));

  options.hosts = static_cast<int>(random.Between(1, 5));
  options.domains = static_cast<int>(random.Between(1, 8));
  options.messages = static_cast<int>(random.Between(1, 40));
  options.recipients_max = static_cast<int>(random.Between(1, 6));
  options.content_bytes_max = static_cast<size_t>(random.Between(100, 20'000));
  options.submit_ns = random.Between(10, 300) * core::kNsPerSecond;
  options.client_abort_ppm = Sometimes(&random, 300'000);
  options.bad_host_ppm = static_cast<uint32_t>(random.Between(0, 800'000));
  options.dead_domain = random.Chance(1, 4);
  options.deaths = random.Chance(2, 3) ? static_cast<int>(random.Between(1, 4)) : 0;
  options.wall_jumps = random.Chance(1, 5) ? static_cast<int>(random.Between(1, 2)) : 0;
  options.orders = random.Chance(1, 2) ? static_cast<int>(random.Between(1, 20)) : 0;
  if (random.Chance(1, 3)) {
    options.relay.connections_out = static_cast<uint32_t>(random.Between(1, 4));
  }
  disk.read_error_ppm = Sometimes(&random, 2'000);
  disk.short_write_ppm = Sometimes(&random, 20'000);
  // Often while mail waits: delays, deaths and restarts meet.
  if (random.Chance(2, 3)) options.relay.notify_ns = random.Between(10, 400) * core::kNsPerSecond;
  return options;
}

std::string Describe(const SimulationOptions& o) {
  const auto ppm = [](const char* name, uint32_t value) {
    return value == 0 ? std::string() : ", " + std::string(name) + " " + std::to_string(value);
  };
  const io::SimNetworkOptions& network = o.world.network;
  const io::SimDiskOptions& disk = o.world.disk;
  return std::to_string(o.relay.shards) + " shards, " + std::to_string(o.hosts) + " hosts, " +
         std::to_string(o.domains) + " domains, " + std::to_string(o.messages) + " messages, " +
         std::to_string(o.deaths) + " deaths, " + std::to_string(o.wall_jumps) +
         " jumps of the wall clock, " + std::to_string(o.orders) + " orders, retry " +
         std::to_string(o.relay.retry_ns / core::kNsPerSecond) + " s, notice " +
         (o.relay.notify_ns == core::kNever
              ? "never"
              : std::to_string(o.relay.notify_ns / core::kNsPerSecond) + " s") +
         ", at most " + std::to_string(o.relay.connections_max) + " connections" +
         (o.relay.connections_out == UINT32_MAX
              ? ""
              : ", " + std::to_string(o.relay.connections_out) + " a shard in all") +
         ppm("byte by byte", network.byte_by_byte_ppm) +
         ppm("refused", network.connect_refused_ppm) +
         ppm("no descriptor", network.connect_error_ppm) +
         ppm("lost SYN", network.connect_lost_ppm) + ppm("accept error", network.accept_error_ppm) +
         ppm("reset", network.reset_ppm) + ppm("silent", network.silent_ppm) +
         ppm("stall", network.stall_ppm) + ppm("write error", disk.write_error_ppm) +
         ppm("sync error", disk.sync_error_ppm) + ppm("read error", disk.read_error_ppm) +
         ppm("short write", disk.short_write_ppm) + ppm("aborting clients", o.client_abort_ppm) +
         ppm("bad hosts", o.bad_host_ppm) + (disk.direct_supported ? "" : ", no O_DIRECT");
}

}  // namespace outbox::simulation
