// A store on a simulated disk: what it acknowledges is there, whatever happens.
#include "queue/store.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/limits.h"
#include "tests/spool/spool_client.h"

namespace outbox::queue {
namespace {

using RunResult = io::SimWorld::RunResult;

TEST(RecordPlaceTest, IsWhatItWasMadeOf) {
  EXPECT_FALSE(RecordPlace().set());
  for (const uint32_t segment : {0u, 1u, core::kSegmentsPerLog - 1}) {
    for (const uint32_t offset : {8192u, 8200u, uint32_t{core::kSegmentBytesMax} - 8}) {
      for (const uint32_t length : {16u, 17u, core::kRecordBytesMax}) {
        const RecordPlace place(segment, offset, length);
        EXPECT_TRUE(place.set());
        EXPECT_EQ(place.segment(), segment);
        EXPECT_EQ(place.offset(), offset);
        EXPECT_EQ(place.length(), length);
        EXPECT_EQ(place, RecordPlace(segment, offset, length));
        EXPECT_NE(place, RecordPlace(segment, offset, length + 1));
      }
    }
  }
}

TEST(RecordPlaceTest, HoldsNothingThatNoLogWrites) {
  EXPECT_FALSE(RecordPlace::Holds(core::kSegmentsPerLog, 8192, 16));
  EXPECT_FALSE(RecordPlace::Holds(0, 8193, 16));
  EXPECT_FALSE(RecordPlace::Holds(0, 1u << 30, 16));
  EXPECT_FALSE(RecordPlace::Holds(0, 8192, 1u << 19));
}

TEST(StoreTest, KeepsWhatItAcknowledgedOverARestart) {
  core::DurationHistogram commit_time;
  StoreOptions options = SpoolMachine::SmallOptions();
  options.commit_time = &commit_time;
  SpoolMachine machine(1, SpoolMachine::Sim(1), options, {});
  machine.Boot();
  ASSERT_EQ(machine.Run(), RunResult::kCondition);
  EXPECT_LT(machine.client->refused, 20u);
  EXPECT_GT(machine.client->store.stats().commits, 10u);
  core::DurationCounts took;
  commit_time.AddTo(&took);
  EXPECT_EQ(took.total(), machine.client->store.stats().commits);
  EXPECT_GT(took.PercentileUs(0.01), 0u);
  ASSERT_TRUE(machine.Close());
  machine.workload.actions = 0;
  machine.Boot();
  ASSERT_EQ(machine.Run(), RunResult::kCondition);
  EXPECT_EQ(machine.ledger.problems(), "");
  EXPECT_GT(machine.ledger.live(), 0u);
  EXPECT_EQ(machine.client->store.stats().messages, machine.ledger.live());
  EXPECT_TRUE(machine.client->damages.empty());
  ASSERT_TRUE(machine.Close());
}

struct Fetched {
  explicit Fetched(Store* the_store) : store(the_store) {}
  Store* store = nullptr;
  FetchOp op;
  bool called = false;
  core::Status status;
  Window window;
  void Start(Message* message) {
    op.message = message;
    op.Bind<&Fetched::OnFetched>(this);
    store->Fetch(&op);
  }
  void OnFetched(const core::Status& s, Window w) {
    called = true;
    status = s;
    window = w;
  }
};

// One buffer: the second fetch waits until the first one's window comes back, and its message is
// long gone by then, its slot another message's.
TEST(StoreTest, AFetchMayBeOvertakenByTheEndOfItsMessage) {
  StoreOptions options = SpoolMachine::SmallOptions();
  options.fetch_buffers = 1;
  Workload workload;
  workload.actions = 200;
  workload.done = workload.commit_done = workload.big = workload.fetch = 0;
  SpoolMachine machine(3, SpoolMachine::Sim(3), options, workload);
  machine.Boot();
  ASSERT_EQ(machine.Run(), RunResult::kCondition);
  SpoolClient& client = *machine.client;
  std::vector<LedgerEntry*> live;
  for (auto& [id, entry] : machine.ledger.entries()) {
    if (entry.message != nullptr) live.push_back(&entry);
  }
  ASSERT_GE(live.size(), 2u);
  const auto done = [&](LedgerEntry* entry) {
    entry->done_sent = true;
    client.store.Done(entry->message);
    entry->message = nullptr;
  };
  Fetched first(&client.store);
  Fetched second(&client.store);
  first.Start(live[0]->message);
  second.Start(live[1]->message);
  // The read of the first one is on its way when its message ends.
  client.store.Tick();
  ASSERT_TRUE(first.op.in_flight);
  done(live[0]);
  done(live[1]);
  bool flushed = false;
  client.store.Flush([&](const core::Status&) { flushed = true; });
  ASSERT_EQ(machine.RunUntil([&] { return flushed && first.called; }), RunResult::kCondition);
  EXPECT_TRUE(first.status.ok()) << first.status.ToString();
  const auto meta = MetaView::Parse(first.window.bytes());
  ASSERT_TRUE(meta.has_value());
  EXPECT_EQ(meta->id(), live[0]->id);
  EXPECT_EQ(client.store.Find(live[0]->id), nullptr);
  EXPECT_EQ(client.store.Find(live[1]->id), nullptr);
  EXPECT_FALSE(second.called);
  // Others take the slots.
  client.workload = {};
  client.workload.fetch = 0;
  client.actions_left = 100;
  ASSERT_EQ(machine.Run(), RunResult::kCondition);
  EXPECT_FALSE(second.called);
  client.store.Return(first.window);
  ASSERT_EQ(machine.RunUntil([&] { return second.called; }), RunResult::kCondition);
  EXPECT_EQ(second.status.code(), core::StatusCode::kNotFound);
  EXPECT_EQ(machine.ledger.problems(), "");
  ASSERT_TRUE(machine.Close());
}

// The same at random, with reclaim at work.
TEST(StoreTest, FetchesRaceWithTheEndOfMessages) {
  Workload workload;
  workload.actions = 4000;
  workload.fetch = 60;
  workload.live_max = 60;
  SpoolMachine machine(5, SpoolMachine::Sim(5), SpoolMachine::SmallOptions(), workload);
  machine.Boot();
  ASSERT_EQ(machine.Run(), RunResult::kCondition);
  EXPECT_GT(machine.client->raced_bytes, 0u);
  EXPECT_EQ(machine.ledger.problems(), "");
  ASSERT_TRUE(machine.Close());
}

// A spool that does nothing of its own: the test does.
class IdleMachine : public SpoolMachine {
 public:
  explicit IdleMachine(const StoreOptions& the_options = SmallOptions())
      : SpoolMachine(6, Sim(6), the_options, Workload{.actions = 0}) {}
  static StoreOptions WithStreamBuffers(uint32_t count) {
    StoreOptions small = SmallOptions();
    small.stream_buffers = count;
    return small;
  }
};

// A client with a big body, as fast as the store takes it.
struct Feeder {
  Store* store = nullptr;
  BodyStream stream;
  std::string_view left;
  bool waited_at_first = false;
  bool begun = false;
  bool finished = false;
  core::Status status;
  bool Begin(Store* the_store, std::string_view body, uint64_t expected_bytes = 0) {
    store = the_store;
    left = body;
    stream.Bind<&Feeder::Feed, &Feeder::OnFinished>(this);
    if (!store->BeginStream(&stream, expected_bytes)) return false;
    waited_at_first = stream.room().empty();
    Feed();
    return true;
  }
  void Feed() {
    begun = begun || !stream.room().empty();
    left = stream.Write(left);
    if (left.empty()) stream.Finish();
  }
  void OnFinished(const core::Status& the_status) {
    status = the_status;
    finished = true;
  }
};

// A client that begins and then says nothing.
struct Silent {
  BodyStream stream;
  bool finished = false;
  bool Begin(Store* store, uint64_t expected_bytes) {
    stream.Bind<&Silent::OnRoom, &Silent::OnFinished>(this);
    return store->BeginStream(&stream, expected_bytes);
  }
  void OnRoom() {}
  void OnFinished(const core::Status& status) { finished = status.ok(); }
};

// A burst on a fresh spool: no extent segment is there yet, and there are few buffers. All get
// through.
TEST(StoreTest, StreamsTakeTurnsWithTheBuffers) {
  IdleMachine machine;
  ASSERT_TRUE(machine.BootReady());
  Store& store = machine.client->store;
  const std::string body(200'000, 'b');
  std::vector<std::unique_ptr<Feeder>> feeders;
  for (int i = 0; i < 20; ++i) {
    feeders.push_back(std::make_unique<Feeder>());
    EXPECT_TRUE(feeders.back()->Begin(&store, body)) << i;
  }
  EXPECT_FALSE(feeders.front()->waited_at_first);
  EXPECT_TRUE(feeders.back()->waited_at_first);
  EXPECT_EQ(machine.RunUntil([&] {
    return std::all_of(feeders.begin(), feeders.end(), [](const auto& f) { return f->finished; });
  }),
            RunResult::kCondition);
  for (const auto& feeder : feeders) {
    EXPECT_TRUE(feeder->status.ok()) << feeder->status.ToString();
    EXPECT_EQ(feeder->stream.bytes(), body.size());
    feeder->stream.Abort();
  }
  ASSERT_TRUE(machine.Close());
}

// As many begin as can be kept whole: no stream that has begun waits for what others are kept for,
// and each piece is still in memory when its message is sent.
TEST(StoreTest, StreamsThatHaveBegunFindBuffers) {
  constexpr size_t kPieces = 5;
  StoreOptions options = IdleMachine::WithStreamBuffers(40);
  options.segment_bytes = 32 << 20;
  options.max_bytes = 512 << 20;
  IdleMachine machine(options);
  ASSERT_TRUE(machine.BootReady());
  Store& store = machine.client->store;
  Silent probe;
  ASSERT_TRUE(probe.Begin(&store, 0));
  const std::string body(kPieces * probe.stream.room().size(), 'b');
  probe.stream.Abort();
  // The first one waits for a segment to be made.
  Feeder first;
  ASSERT_TRUE(first.Begin(&store, "first"));
  ASSERT_EQ(machine.RunUntil([&] { return first.finished; }), RunResult::kCondition);
  first.stream.Abort();
  std::vector<std::unique_ptr<Feeder>> feeders;
  std::vector<int64_t> began_ns(30, core::kNever);
  for (size_t i = 0; i < began_ns.size(); ++i) {
    feeders.push_back(std::make_unique<Feeder>());
    ASSERT_TRUE(feeders.back()->Begin(&store, body, body.size()));
  }
  EXPECT_TRUE(feeders.back()->waited_at_first);
  size_t sent = 0;
  const auto look = [&] {
    const int64_t now_ns = machine.io->now_ns();
    for (size_t i = 0; i < feeders.size(); ++i) {
      Feeder* feeder = feeders[i].get();
      if (feeder->begun && began_ns[i] == core::kNever) began_ns[i] = now_ns;
      if (!feeder->finished || !feeder->stream.active()) continue;
      EXPECT_TRUE(feeder->status.ok()) << feeder->status.ToString();
      EXPECT_LT(now_ns - began_ns[i], core::kStreamKeepMs * core::kNsPerMs) << i;
      EXPECT_EQ(feeder->stream.extents().size(), kPieces);
      for (const Extent& piece : feeder->stream.extents()) {
        const Window window = store.LeaseExtent(piece);
        EXPECT_TRUE(window) << i;
        store.Return(window);
      }
      feeder->stream.Abort();
      ++sent;
    }
    return sent == feeders.size();
  };
  EXPECT_EQ(machine.RunUntil(look), RunResult::kCondition);
  ASSERT_TRUE(machine.Close());
}

// Clients that begin and then say nothing have been promised buffers. They do not hold up others
// for longer than a moment, and get theirs all the same when they go on.
TEST(StoreTest, StreamsThatStandStillHoldUpNobody) {
  IdleMachine machine(IdleMachine::WithStreamBuffers(16));
  ASSERT_TRUE(machine.BootReady());
  Store& store = machine.client->store;
  std::vector<std::unique_ptr<Silent>> silent;
  for (int i = 0; i < 8; ++i) {
    silent.push_back(std::make_unique<Silent>());
    ASSERT_TRUE(silent.back()->Begin(&store, 100'000'000));
  }
  EXPECT_FALSE(silent.front()->stream.room().empty());
  EXPECT_TRUE(silent.back()->stream.room().empty());
  const std::string body(200'000, 'b');
  Feeder feeder;
  ASSERT_TRUE(feeder.Begin(&store, body, body.size()));
  EXPECT_TRUE(feeder.waited_at_first);
  const int64_t began_ns = machine.io->now_ns();
  EXPECT_EQ(machine.RunUntil([&] { return feeder.finished; }), RunResult::kCondition);
  EXPECT_TRUE(feeder.status.ok()) << feeder.status.ToString();
  EXPECT_LT(machine.io->now_ns() - began_ns, core::kNsPerSecond);
  feeder.stream.Abort();
  BodyStream& late = silent.front()->stream;
  std::string_view left = body;
  EXPECT_EQ(machine.RunUntil([&] {
    if (!left.empty() && (left = late.Write(left)).empty()) late.Finish();
    return silent.front()->finished;
  }),
            RunResult::kCondition);
  EXPECT_EQ(late.bytes(), body.size());
  for (const auto& one : silent) one->stream.Abort();
  ASSERT_TRUE(machine.Close());
}

// Slow peers have all that may be lent, and a client that says nothing has one more: too few are
// left for what a stream is expected to bring, and it begins all the same.
TEST(StoreTest, AStreamAloneBeginsWithWhatIsLeft) {
  IdleMachine machine(IdleMachine::WithStreamBuffers(8));
  ASSERT_TRUE(machine.BootReady());
  Store& store = machine.client->store;
  std::vector<Window> lent;
  for (int i = 0; i < 6; ++i) {
    Feeder feeder;
    ASSERT_TRUE(feeder.Begin(&store, "body"));
    ASSERT_EQ(machine.RunUntil([&] { return feeder.finished; }), RunResult::kCondition);
    lent.push_back(store.LeaseExtent(feeder.stream.extents()[0]));
    ASSERT_TRUE(lent.back()) << i;
    feeder.stream.Abort();
  }
  Silent silent;
  ASSERT_TRUE(silent.Begin(&store, 1));
  ASSERT_FALSE(silent.stream.room().empty());
  const std::string body(200'000, 'b');
  Feeder feeder;
  ASSERT_TRUE(feeder.Begin(&store, body, body.size()));
  EXPECT_EQ(machine.RunUntil([&] { return feeder.finished; }), RunResult::kCondition);
  EXPECT_TRUE(feeder.status.ok()) << feeder.status.ToString();
  feeder.stream.Abort();
  silent.stream.Abort();
  for (const Window& window : lent) store.Return(window);
  ASSERT_TRUE(machine.Close());
}

// What has been written is lent from memory: byte for byte, as often as it is asked for, and not
// any more once others have needed the memory. A slow peer's lease is not taken away, and never
// stops streams.
TEST(StoreTest, APieceIsLentFromTheMemoryItCameInto) {
  IdleMachine machine(IdleMachine::WithStreamBuffers(4));
  ASSERT_TRUE(machine.BootReady());
  Store& store = machine.client->store;
  const auto store_body = [&](Feeder* feeder, std::string_view body) {
    ASSERT_TRUE(feeder->Begin(&store, body));
    ASSERT_EQ(machine.RunUntil([&] { return feeder->finished; }), RunResult::kCondition);
    ASSERT_TRUE(feeder->status.ok()) << feeder->status.ToString();
  };
  const std::string body(10'000, 'm');
  Feeder feeder;
  store_body(&feeder, body);
  ASSERT_FALSE(feeder.stream.extents().empty());
  const Extent piece = feeder.stream.extents()[0];
  Extent other = piece;
  ++other.generation;
  EXPECT_FALSE(store.LeaseExtent(other));
  const Window first = store.LeaseExtent(piece);
  const Window second = store.LeaseExtent(piece);
  ASSERT_TRUE(first && second);
  EXPECT_GT(store.stats().hot_bytes, 0u);
  store.Return(first);
  // Others come and go, more than there is memory for.
  const std::string others(10'000, 'o');
  for (int i = 0; i < 20; ++i) {
    Feeder next;
    store_body(&next, others);
    next.stream.Abort();
  }
  EXPECT_EQ(std::string_view(second.data, second.size),
            std::string_view(body).substr(0, piece.length));
  store.Return(second);
  EXPECT_EQ(store.stats().hot_bytes, 0u);
  for (int i = 0; i < 20; ++i) {
    Feeder next;
    store_body(&next, others);
    next.stream.Abort();
  }
  EXPECT_FALSE(store.LeaseExtent(piece));
  feeder.stream.Abort();
  ASSERT_TRUE(machine.Close());
}

TEST(StoreTest, StreamsHaveABound) {
  IdleMachine machine;
  ASSERT_TRUE(machine.BootReady());
  std::vector<std::unique_ptr<Feeder>> feeders;
  for (uint32_t i = 0; i <= core::kStreamsPerLog; ++i) {
    feeders.push_back(std::make_unique<Feeder>());
    EXPECT_EQ(feeders.back()->Begin(&machine.client->store, "body"), i < core::kStreamsPerLog);
  }
  for (const auto& feeder : feeders) feeder->stream.Abort();
  ASSERT_TRUE(machine.Close());
}

// The machine loses power at every single change of its disk: before it, in the middle, right
// after.
void CrashEverywhere(uint64_t seed, const Workload& workload, const StoreOptions& options,
                     io::SimCrashMode mode, uint64_t step) {
  uint64_t changes = 0;
  {
    SpoolMachine machine(seed, SpoolMachine::Sim(seed), options, workload);
    machine.Boot();
    ASSERT_EQ(machine.Run(), RunResult::kCondition);
    ASSERT_TRUE(machine.Close());
    changes = machine.world.disk().changes();
    ASSERT_EQ(machine.ledger.problems(), "");
  }
  for (uint64_t at = 1; at <= changes; at += step) {
    SpoolMachine machine(seed, SpoolMachine::Sim(seed), options, workload);
    machine.Boot();
    machine.world.disk().CrashAt(at, mode);
    RunResult result = machine.Run();
    if (result == RunResult::kCondition) {
      bool closed = false;
      machine.client->store.Close([&](const core::Status&) { closed = true; });
      result = machine.RunUntil([&] { return closed; });
    }
    ASSERT_EQ(result, RunResult::kCrashPoint) << "change " << at;
    machine.Crash();
    machine.workload.actions = 30;
    machine.Boot();
    ASSERT_EQ(machine.Run(), RunResult::kCondition) << "change " << at;
    ASSERT_EQ(machine.ledger.problems(), "") << "change " << at;
    ASSERT_TRUE(machine.client->damages.empty()) << "change " << at << machine.client->damages[0];
    machine.Crash();
    machine.workload.actions = 0;
    machine.Boot();
    ASSERT_EQ(machine.Run(), RunResult::kCondition) << "change " << at;
    ASSERT_EQ(machine.ledger.problems(), "") << "change " << at;
    ASSERT_TRUE(machine.client->damages.empty()) << "change " << at << machine.client->damages[0];
  }
}

Workload Short() {
  Workload workload;
  workload.actions = 120;
  workload.live_max = 20;
  return workload;
}

TEST(StoreTest, CrashBeforeEveryChange) {
  CrashEverywhere(7, Short(), SpoolMachine::SmallOptions(), io::SimCrashMode::kBefore, 1);
}
TEST(StoreTest, CrashInTheMiddleOfEveryChange) {
  CrashEverywhere(8, Short(), SpoolMachine::SmallOptions(), io::SimCrashMode::kTorn, 1);
}
TEST(StoreTest, CrashAfterEveryChange) {
  CrashEverywhere(9, Short(), SpoolMachine::SmallOptions(), io::SimCrashMode::kAfter, 1);
}

}  // namespace
}  // namespace outbox::queue
