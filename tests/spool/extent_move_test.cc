// Bodies that reclaim has moved: what is left of the old place does no harm.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "tests/spool/spool_client.h"

namespace outbox::queue {
namespace {

using RunResult = io::SimWorld::RunResult;

// A message, with its body in extents or in its record, that only the test finishes.
class StoredMessage {
 public:
  StoredMessage(SpoolClient* client, bool big) : client_(client), id_(client->store.NewId()) {
    body_ = Ledger::Body(id_, big ? 20'000 : 500);
    client_->ledger->Add(id_, static_cast<uint32_t>(body_.size()));
    Ledger::FillMeta(&meta_, *entry());
    op_.Bind<&StoredMessage::OnAppended>(this);
    if (!big) {
      Append();
      return;
    }
    stream_.Bind<&StoredMessage::Feed, &StoredMessage::OnFinished>(this);
    EXPECT_TRUE(client_->store.BeginStream(&stream_, 0));
    Feed();
  }

  uint64_t id() const { return id_; }
  bool stored() const { return stored_; }
  LedgerEntry* entry() const { return client_->ledger->Find(id_); }

 private:
  void Feed() {
    fed_ = body_.size() - stream_.Write(std::string_view(body_).substr(fed_)).size();
    if (fed_ == body_.size()) stream_.Finish();
  }
  void OnFinished(const core::Status& status) {
    ASSERT_TRUE(status.ok());
    meta_.SetExtents(body_.size(), 0, stream_.extents());
    op_.stream = &stream_;
    Append();
  }
  void Append() {
    op_.meta = meta_.Finish();
    part_ = {body_.data(), body_.size()};
    if (op_.stream == nullptr) op_.body = {&part_, 1};
    client_->store.Append(&op_);
  }
  void OnAppended(const core::Status& status, Message* message) {
    ASSERT_TRUE(status.ok());
    stored_ = true;
    entry()->fate = LedgerEntry::Fate::kLive;
    entry()->message = message;
    entry()->busy = 1;  // nobody else finishes it
  }

  SpoolClient* client_;
  uint64_t id_;
  std::string body_;
  size_t fed_ = 0;
  BodyStream stream_;
  MetaBuilder meta_;
  AppendOp op_;
  iovec part_ = {};
  bool stored_ = false;
};

class ExtentMoveTest : public testing::Test {
 protected:
  ExtentMoveTest() : machine_(7, SpoolMachine::Sim(7), Options(), Quiet()) {
    machine_.Boot();
    const auto open = [this] { return client().recovered && client().store.accepting(); };
    EXPECT_EQ(machine_.RunUntil(open), RunResult::kCondition);
  }

  static StoreOptions Options() {
    StoreOptions options = SpoolMachine::SmallOptions();
    options.max_bytes = 64 << 20;
    return options;
  }
  static Workload Quiet() {
    Workload workload;
    workload.actions = 0;
    return workload;
  }
  SpoolClient& client() { return *machine_.client; }

  void Append(std::vector<std::unique_ptr<StoredMessage>>* to, bool big) {
    to->push_back(std::make_unique<StoredMessage>(&client(), big));
    client().store.Tick();  // the client sleeps
    const auto done = [to] { return to->back()->stored(); };
    ASSERT_EQ(machine_.RunUntil(done), RunResult::kCondition);
  }
  // So many big ones, and among them small ones that stay.
  void Store(size_t count) {
    for (size_t i = 0; i < count; ++i) {
      Append(&messages_, true);
      if (i % 3 == 0) Append(&small_, false);
    }
  }
  void Finish(LedgerEntry* entry) {
    entry->done_sent = true;
    client().store.Done(entry->message);
    entry->message = nullptr;
  }
  // All but one in `keep` are finished, and reclaim moves what is left together.
  void LeaveGaps(size_t keep) {
    for (size_t i = 0; i < messages_.size(); ++i) {
      if (i % keep != 0) Finish(messages_[i]->entry());
    }
    client().store.Flush([](const core::Status& status) { EXPECT_TRUE(status.ok()); });
    client().store.Tick();
    ASSERT_EQ(machine_.world.RunFor(2 * core::kNsPerSecond), RunResult::kTimeLimit);
  }
  // Small messages come and go until the segments of the log have been used again.
  void TurnTheLogOver() {
    client().workload = Workload();
    client().workload.big = client().workload.dsn = client().workload.state = 0;
    client().workload.append = client().workload.done = 50;
    client().workload.live_max = 20;
    client().actions_left = 3000;
    ASSERT_EQ(machine_.Run(), RunResult::kCondition);
    client().workload.append = 0;
    client().actions_left = 200;
    ASSERT_EQ(machine_.Run(), RunResult::kCondition);
    ASSERT_EQ(machine_.world.RunFor(core::kNsPerSecond), RunResult::kTimeLimit);
  }
  // The machine fails; what was finished long ago must be gone, and the rest be there.
  void CrashAndLook() {
    for (auto& [id, entry] : machine_.ledger.entries()) {
      if (entry.done_sent) entry.fate = LedgerEntry::Fate::kGone;
    }
    messages_.clear();
    small_.clear();
    machine_.Crash();
    machine_.Boot();
    ASSERT_EQ(machine_.Run(), RunResult::kCondition);
    EXPECT_EQ(machine_.ledger.problems(), "");
  }

  SpoolMachine machine_;
  std::vector<std::unique_ptr<StoredMessage>> messages_;
  std::vector<std::unique_ptr<StoredMessage>> small_;
};

TEST_F(ExtentMoveTest, TheBodiesAreThereAfterACrash) {
  Store(96);
  LeaveGaps(6);
  EXPECT_GE(client().store.stats().moved_bodies, 8u);
  CrashAndLook();
  ASSERT_TRUE(machine_.Close());
}

// Its older record may still lie in a segment that others keep in use, when the segments with its
// newer record and with its end are used again.
// Somebody else has taken the disk: what is left is the reserve, and none of it is mail's.
TEST_F(ExtentMoveTest, AtTheReserveAsWell) {
  Store(24);
  machine_.world.disk(0).SetCapacity(1);
  ASSERT_EQ(machine_.world.RunFor(20 * core::kNsPerSecond), RunResult::kTimeLimit);
  EXPECT_FALSE(client().store.accepting());
  LeaveGaps(4);
  ASSERT_EQ(machine_.world.RunFor(20 * core::kNsPerSecond), RunResult::kTimeLimit);
  EXPECT_GT(client().store.stats().moved_bodies, 0u);
  EXPECT_TRUE(client().store.accepting());
  CrashAndLook();
}

TEST_F(ExtentMoveTest, WhatIsFreeForLongGoesBackToTheFileSystem) {
  Store(180);
  const uint64_t segment = client().store.options().segment_bytes;
  const uint64_t before = client().store.stats().spool_bytes;
  ASSERT_GT(before, 22 * segment);
  for (const auto& message : messages_) Finish(message->entry());
  client().store.Flush([](const core::Status& status) { EXPECT_TRUE(status.ok()); });
  client().store.Tick();
  ASSERT_EQ(machine_.world.RunFor(30 * core::kNsPerSecond), RunResult::kTimeLimit);
  EXPECT_EQ(client().store.stats().spool_bytes, before);  // it may be needed again soon
  ASSERT_EQ(machine_.world.RunFor(120 * core::kNsPerSecond), RunResult::kTimeLimit);
  const StoreStats stats = client().store.stats();
  EXPECT_LE(stats.segments_free, 16 + stats.segments - stats.segments_free);
  EXPECT_LT(stats.spool_bytes, before);
  EXPECT_TRUE(client().store.accepting());
  CrashAndLook();
}

TEST_F(ExtentMoveTest, AFinishedMessageDoesNotComeBackByItsOlderRecord) {
  Store(96);
  TurnTheLogOver();
  LeaveGaps(6);
  ASSERT_GE(client().store.stats().moved_bodies, 8u);
  for (size_t i = 0; i < messages_.size(); i += 12) Finish(messages_[i]->entry());
  TurnTheLogOver();
  CrashAndLook();
  ASSERT_TRUE(machine_.Close());
}

}  // namespace
}  // namespace outbox::queue
