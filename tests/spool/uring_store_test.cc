// The store on a real disk through UringIo: the same client, and kill -9 at random moments.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "io/uring_io.h"
#include "tests/spool/spool_client.h"

namespace outbox::queue {
namespace {

class UringStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/outbox-spool-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    directory_ = name;
    options_ = SpoolMachine::SmallOptions();
    options_.directory = directory_ + "/log-1";
    options_.segment_bytes = 256 << 10;
    options_.max_bytes = 32 << 20;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  static std::unique_ptr<io::UringIo> NewIo() {
    auto io = io::UringIo::Create({});
    EXPECT_TRUE(io.ok()) << io.status().message();
    return std::move(io.value());
  }
  static void Close(SpoolClient* client) {
    bool closed = false;
    client->store.Close([&](const core::Status&) { closed = true; });
    while (!closed) client->Step();
  }

  std::string directory_;
  StoreOptions options_;
};

TEST_F(UringStoreTest, WorksAndRecovers) {
  Ledger ledger;
  for (uint64_t boot = 0; boot < 3; ++boot) {
    ledger.Boot();
    const auto io = NewIo();
    Workload workload;
    workload.actions = boot < 2 ? 2000 : 0;
    SpoolClient client(io.get(), options_, &ledger, boot, workload);
    client.Open();
    while (!client.finished()) client.Step();
    EXPECT_EQ(ledger.problems(), "");
    EXPECT_TRUE(client.damages.empty());
    Close(&client);
    for (auto& [id, entry] : ledger.entries()) {
      if (entry.done_sent) entry.fate = LedgerEntry::Fate::kGone;
    }
  }
  EXPECT_GT(ledger.live(), 0u);
}

// A stray file whose name says that there are a hundred million segments costs a sentence.
TEST_F(UringStoreTest, AFileThatNoLogMakesIsReported) {
  std::filesystem::create_directories(options_.directory);
  std::ofstream(options_.directory + "/segment-99999999") << std::string(64 << 10, 'x');
  Ledger ledger;
  ledger.Boot();
  const auto io = NewIo();
  SpoolClient client(io.get(), options_, &ledger, 1, {});
  client.Open();
  while (!client.finished()) client.Step();
  EXPECT_EQ(ledger.problems(), "");
  ASSERT_EQ(client.damages.size(), 1u);
  EXPECT_NE(client.damages[0].find("segment-99999999"), std::string::npos) << client.damages[0];
  EXPECT_GT(ledger.live(), 0u);
  EXPECT_LT(client.store.stats().segments, 200u);
  Close(&client);
}

// What the child tells the parent: a message is acknowledged; is about to be finished; its end is
// on the disk.
enum class Fate : uint64_t { kAcknowledged, kFinishing, kFinished };
struct Word {
  uint64_t id = 0;
  Fate fate = Fate::kAcknowledged;
};

uint32_t BodyBytes(uint64_t id) { return 100 + static_cast<uint32_t>(id / 1024 % 5000); }

// Appends as fast as it can until it is killed.
class Appender final : public RecoverySink {
 public:
  Appender(io::Io* io, const StoreOptions& options, int pipe)
      : io_(io), store_(io, options), pipe_(pipe) {}

  [[noreturn]] void Run() {
    store_.Open(this);
    while (true) {
      for (Slot& slot : slots_) {
        if (!slot.op.in_flight && !flushing_ && store_.accepting()) Start(&slot);
      }
      if (!flushing_ && ending_.size() >= kEndsPerFlush) Flush();
      store_.Tick();
      io_->Turn(std::min(store_.NextDeadline(), io_->now_ns() + core::kNsPerMs));
    }
  }
  void OnMessage(Message*, const MetaView&, const StateView&) override {}
  void OnDamage(std::string_view) override {}
  void OnWritable(const core::Status&) override {}
  void OnRecovered(const RecoveryReport&) override {}

 private:
  struct Slot {
    Appender* appender = nullptr;
    AppendOp op;
    MetaBuilder meta;
    std::string body;
    iovec part = {};
    LedgerEntry entry;
    void OnAppended(const core::Status& status, Message* message) {
      if (!status.ok()) return;
      appender->Tell({message->id, Fate::kAcknowledged});
      if (message->id / 1024 % 3 == 0) {
        appender->Tell({message->id, Fate::kFinishing});
        appender->ending_.push_back(message->id);
        appender->store_.Done(message);
      }
    }
  };

  void Start(Slot* slot) {
    slot->appender = this;
    slot->entry.id = store_.NewId();
    slot->body = Ledger::Body(slot->entry.id, BodyBytes(slot->entry.id));
    slot->entry.body_bytes = static_cast<uint32_t>(slot->body.size());
    Ledger::FillMeta(&slot->meta, slot->entry);
    slot->op.meta = slot->meta.Finish();
    slot->part = {slot->body.data(), slot->body.size()};
    slot->op.body = {&slot->part, 1};
    slot->op.Bind<&Slot::OnAppended>(slot);
    store_.Append(&slot->op);
  }
  void Flush() {
    flushing_ = true;
    flushed_.swap(ending_);
    store_.Flush([this](const core::Status& status) {
      flushing_ = false;
      if (status.ok()) {
        for (const uint64_t id : flushed_) Tell({id, Fate::kFinished});
      }
      flushed_.clear();
    });
  }
  void Tell(const Word& word) {
    if (write(pipe_, &word, sizeof(word)) != sizeof(word)) _exit(1);
  }

  io::Io* io_;
  Store store_;
  int pipe_;
  Slot slots_[8];
  static constexpr size_t kEndsPerFlush = 8;
  bool flushing_ = false;
  std::vector<uint64_t> ending_;   // since the last flush began
  std::vector<uint64_t> flushed_;  // before it
};

TEST_F(UringStoreTest, KillNine) {
  std::set<uint64_t> acknowledged;
  std::set<uint64_t> finishing;
  std::set<uint64_t> finished;
  uint64_t finished_in_all = 0;
  core::Random random(20);
  constexpr int kRounds = 30;
  for (int round = 0; round < kRounds; ++round) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      close(ends[0]);
      Appender(NewIo().release(), options_, ends[1]).Run();
    }
    close(ends[1]);
    const uint64_t words = 20 + random.Below(300);
    Word word;
    for (uint64_t i = 0;; ++i) {
      if (i == words) kill(child, SIGKILL);
      // What it had said before it died counts, too.
      if (read(ends[0], &word, sizeof(word)) != sizeof(word)) break;
      std::set<uint64_t>* const sets[] = {&acknowledged, &finishing, &finished};
      sets[static_cast<size_t>(word.fate)]->insert(word.id);
    }
    close(ends[0]);
    ASSERT_EQ(waitpid(child, nullptr, 0), child);

    Ledger ledger;
    for (const uint64_t id : acknowledged) {
      LedgerEntry& entry =
          ledger.Add(id, static_cast<uint32_t>(Ledger::Body(id, BodyBytes(id)).size()));
      entry.fate = finished.contains(id) ? LedgerEntry::Fate::kGone : LedgerEntry::Fate::kLive;
      entry.done_sent = finishing.contains(id);
    }
    finished_in_all += finished.size();
    const auto io = NewIo();
    Workload workload;
    workload.actions = 0;
    SpoolClient client(io.get(), options_, &ledger, 1, workload);
    client.Open();
    while (!client.finished()) client.Step();
    EXPECT_TRUE(client.damages.empty());
    // Messages that were not acknowledged may be there, whole: the ledger calls them unknown.
    std::string problems = ledger.problems();
    for (size_t at = 0; at < problems.size();) {
      const size_t end = problems.find('\n', at);
      const std::string line = problems.substr(at, end - at);
      EXPECT_NE(line.find("never sent"), std::string::npos) << line << " in round " << round;
      at = end + 1;
    }
    // Finish everything, so that space comes round: what is finished must not come back.
    std::vector<Message*> live;
    uint32_t cursor = 0;
    while (
        client.store.ForEach(&cursor, 1000, [&](Message* message) { live.push_back(message); })) {
    }
    for (Message* message : live) client.store.Done(message);
    Close(&client);
    acknowledged.clear();
    finishing.clear();
    finished.clear();
  }
  EXPECT_GT(finished_in_all, 100u);
}

}  // namespace
}  // namespace outbox::queue
