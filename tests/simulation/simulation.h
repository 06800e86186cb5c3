// Simulation: one run of a relay in a world of trouble, all of it drawn from one seed.
//
// Clients submit mail, peers take it or misbehave, the network and the disk fail, the relay dies
// and is started again. Then everything heals, and the relay must bring to an end what it has
// promised; the ledger says whether it did.
#ifndef OUTBOX_TESTS_SIMULATION_SIMULATION_H_
#define OUTBOX_TESTS_SIMULATION_SIMULATION_H_

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "io/sim_options.h"
#include "tests/simulation/relay.h"
#include "tests/simulation/scripted_server.h"

namespace outbox::simulation {

struct SimulationOptions {
  uint64_t seed = 1;
  io::SimOptions world;
  RelayOptions relay;
  int hosts = 3;
  int domains = 4;
  int messages = 20;
  int recipients_max = 4;
  size_t content_bytes_max = 4000;
  int64_t submit_ns = 5 * core::kNsPerMinute;  // trouble lasts as long
  uint32_t client_abort_ppm = 0;
  uint32_t bad_host_ppm = 0;  // hosts whose script misbehaves
  bool dead_domain = false;   // one whose mail expires
  int deaths = 0;
  int wall_jumps = 0;
  int orders = 0;  // of an operator, to a relay that has one
  int64_t heal_ns = 4 * core::kNsPerHour;  // then everything promised must have come to its end
};

// Everything but the seed's own number, drawn from it.
SimulationOptions OptionsOf(uint64_t seed);
// For a person who reads a failing seed.
std::string Describe(const SimulationOptions& options);

struct SimulationResult {
  uint64_t trace_hash = 0;
  std::vector<std::string> wrong;  // empty: all promises were kept
  std::string summary;
};

SimulationResult RunSimulation(const SimulationOptions& options, const RelayFactory& factory,
                               FILE* trace);

// Runs a seed twice and compares. Prints what is wrong, and the command that runs it again.
bool CheckSeed(uint64_t seed, const char* program, const RelayFactory& factory, bool verbose);

}  // namespace outbox::simulation

#endif  // OUTBOX_TESTS_SIMULATION_SIMULATION_H_
