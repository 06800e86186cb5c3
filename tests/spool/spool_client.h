// SpoolClient: a shard that uses a store at random, and keeps the ledger.
//
// Everything it does is drawn from a generator, so a run is repeated by its seed. SpoolMachine is
// the machine under it, which can crash and boot again.
#ifndef OUTBOX_TESTS_SPOOL_SPOOL_CLIENT_H_
#define OUTBOX_TESTS_SPOOL_SPOOL_CLIENT_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "core/random.h"
#include "io/sim_io.h"
#include "io/sim_world.h"
#include "queue/store.h"
#include "tests/spool/ledger.h"

namespace outbox::queue {

// What the client does, in parts of the sum of all.
struct Workload {
  uint32_t append = 40;
  uint32_t big = 2;  // append through a BodyStream
  uint32_t state = 20;
  uint32_t done = 30;  // Store::Done
  uint32_t commit_done = 5;
  uint32_t dsn = 5;      // a state and a DSN in one record
  uint32_t replace = 5;  // a message that has the body of another, and that one's end or state
  uint32_t fetch = 10;   // of the record or the state, and the message may be finished meanwhile
  uint32_t rest = 20;    // nothing: lets time pass
  uint32_t body_max = 6000;
  uint32_t big_max = 40000;
  uint32_t live_max = 300;  // above it, more is finished than appended
  uint32_t actions = 300;   // then it is over
};

class SpoolClient final : public RecoverySink {
 public:
  SpoolClient(io::Io* io, const StoreOptions& options, Ledger* ledger, uint64_t seed,
              const Workload& workload);
  ~SpoolClient() override;

  void Open() { store.Open(this); }
  // One round of the loop: some actions, Tick, Turn.
  void Step();
  // All actions are done and nothing is under way.
  bool finished() const { return recovered && actions_left == 0 && in_flight == 0 && !checking(); }
  bool checking() const { return !to_check.empty() || checks_in_flight > 0; }
  void Abandon();

  void OnMessage(Message* message, const MetaView& meta, const StateView& state) override;
  void OnDamage(std::string_view what) override;
  void OnWritable(const core::Status& status) override;
  void OnRecovered(const RecoveryReport& the_report) override;

  io::Io* io;
  Ledger* ledger;
  core::Random random;
  Workload workload;
  Store store;
  RecoveryReport report;
  bool writable = false;
  bool recovered = false;
  bool check_bodies = true;  // after recovery, fetch everything and compare
  core::Status open_status;
  uint32_t actions_left = 0;
  uint32_t in_flight = 0;
  uint32_t refused = 0;
  uint32_t failed = 0;
  uint32_t raced_bytes =
      0;  // fetches that brought the bytes of a message that was finished meanwhile
  uint32_t raced_nothing = 0;  // that found it gone
  std::vector<std::string> damages;

 private:
  struct AppendSlot;
  struct CommitSlot;
  struct CheckSlot;
  struct RaceSlot;

  void Act();
  void Append(bool big);
  void FeedStream(AppendSlot* slot);
  void Commit(bool with_state, bool with_done, bool with_dsn);
  void Replace(CommitSlot* slot, LedgerEntry* entry, bool ends);
  void FinishOne();
  void FetchOne();
  LedgerEntry* Pick();
  void CheckNext();
  void CheckWindow(uint64_t id, std::span<const char> bytes, bool whole);

  std::vector<std::unique_ptr<AppendSlot>> appends;
  std::vector<std::unique_ptr<CommitSlot>> commits;
  std::vector<std::unique_ptr<CheckSlot>> checks;
  std::vector<std::unique_ptr<RaceSlot>> races;
  bool replacing = false;  // the next Commit with a message
  std::deque<uint64_t> to_check;
  uint32_t checks_in_flight = 0;
  std::deque<std::pair<Window, uint64_t>> leases;
};

// One machine with one spool. Boot and Crash as often as wanted; the ledger goes on.
class SpoolMachine {
 public:
  SpoolMachine(uint64_t seed, const io::SimOptions& sim, const StoreOptions& options,
               const Workload& workload);
  ~SpoolMachine();

  static StoreOptions SmallOptions();
  static io::SimOptions Sim(uint64_t seed);

  void Boot();
  // The same, until mail is taken; false if it is not.
  bool BootReady();
  void Crash();
  // Runs until the client is finished (kCondition) or a crash point is reached.
  io::SimWorld::RunResult Run(int64_t limit_ns = 600 * core::kNsPerSecond);
  io::SimWorld::RunResult RunUntil(const std::function<bool()>& condition,
                                   int64_t limit_ns = 600 * core::kNsPerSecond);
  // Everything is committed and closed. False if that does not come to an end.
  bool Close();

  io::SimWorld world;
  StoreOptions options;
  Workload workload;
  Ledger ledger;
  uint64_t seed;
  uint32_t boots = 0;
  std::unique_ptr<io::SimIo> io;
  std::unique_ptr<SpoolClient> client;
};

}  // namespace outbox::queue

#endif  // OUTBOX_TESTS_SPOOL_SPOOL_CLIENT_H_
