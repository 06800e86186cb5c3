// The machine under a SpoolClient: it crashes and boots again.
#include <algorithm>

#include "tests/spool/spool_client.h"

namespace outbox::queue {

SpoolMachine::SpoolMachine(uint64_t the_seed, const io::SimOptions& sim,
                           const StoreOptions& the_options, const Workload& the_workload)
    : world(sim), options(the_options), workload(the_workload), seed(the_seed) {}

SpoolMachine::~SpoolMachine() {
  if (client) Crash();
}

StoreOptions SpoolMachine::SmallOptions() {
  StoreOptions options;
  options.directory = "/log-1";
  options.log_id = 1;
  options.segment_bytes = 128 << 10;
  options.batch_bytes_max = 32 << 10;
  options.hot_bytes_max = 128 << 10;
  options.max_bytes = 8 << 20;
  options.disk_reserve_bytes = 0;
  options.fetch_buffers = 3;
  options.stream_buffers = 4;
  return options;
}

io::SimOptions SpoolMachine::Sim(uint64_t seed) {
  io::SimOptions sim;
  sim.seed = seed;
  sim.turns_max = 2'000'000;
  return sim;
}

void SpoolMachine::Boot() {
  ledger.Boot();
  io = std::make_unique<io::SimIo>(&world);
  client =
      std::make_unique<SpoolClient>(io.get(), options, &ledger, seed * 1000 + boots++, workload);
  io->set_run_once([this] { client->Step(); });
  client->Open();
}

bool SpoolMachine::BootReady() {
  Boot();
  return RunUntil([this] { return client->recovered && client->store.accepting(); }) ==
         io::SimWorld::RunResult::kCondition;
}

void SpoolMachine::Crash() {
  world.Crash();
  client->Abandon();
  client.reset();
  io.reset();
}

io::SimWorld::RunResult SpoolMachine::Run(int64_t limit_ns) {
  return RunUntil([this] { return client->finished(); }, limit_ns);
}

io::SimWorld::RunResult SpoolMachine::RunUntil(const std::function<bool()>& condition,
                                               int64_t limit_ns) {
  return world.RunUntil(condition, limit_ns);
}

bool SpoolMachine::Close() {
  bool closed = false;
  client->store.Close([&](const core::Status&) { closed = true; });
  if (RunUntil([&] { return closed; }) != io::SimWorld::RunResult::kCondition) return false;
  // What was flushed is final.
  for (auto& [id, entry] : ledger.entries()) {
    if (entry.done_sent) entry.fate = LedgerEntry::Fate::kGone;
  }
  client.reset();
  io.reset();
  return true;
}

}  // namespace outbox::queue
