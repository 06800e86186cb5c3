// States on their way to a disk that is slow, fails or stands still.
#include "queue/state_writer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "io/sim_io.h"
#include "io/sim_world.h"

namespace outbox::queue {
namespace {

using core::kNsPerMs;
using core::kNsPerSecond;

// A shard with a store, one message in it and its writer of states.
class StateWriterTest : public testing::Test, private RecoverySink {
 protected:
  StateWriterTest() {
    io_.set_run_once([this] {
      writer_.Tick(/*force=*/false);
      store_.Tick();
      // The test acts between two turns, and nobody tells the loop.
      const int64_t soon_ns = io_.now_ns() + 5 * kNsPerMs;
      io_.Turn(std::min({writer_.NextDeadline(), store_.NextDeadline(), soon_ns}));
    });
    store_.Open(this);
    EXPECT_TRUE(RunUntil([this] { return recovered_ && store_.accepting(); }));
    const uint32_t retry_s[] = {60};
    meta_.Start(store_.NewId(), io_.wall_ns(), 0, "a@sender.example", "");
    meta_.AddGroup("b.example", "", retry_s, {.notify_after_s = 60, .retry_until_s = 600});
    meta_.AddRecipient("one@b.example");
    meta_.SetBody(0, 0);
    append_.meta = meta_.Finish();
    append_.Bind<&StateWriterTest::OnAppended>(this);
    store_.Append(&append_);
    EXPECT_TRUE(RunUntil([this] { return message_ != nullptr; }));
    ticket_.message = message_;
    ticket_.store = &store_;
    ticket_.mask = 1;
    message_->home = &ticket_;
    message_->policy = 0;
  }
  ~StateWriterTest() override {
    writer_.Close();
    bool closed = false;
    store_.Close([&](const core::Status&) { closed = true; });
    EXPECT_TRUE(RunUntil([&] { return closed; }));
  }

  static StoreOptions Options() {
    StoreOptions options;
    options.directory = "/log-1";
    options.log_id = 1;
    options.segment_bytes = 128 << 10;
    options.batch_bytes_max = 32 << 10;
    options.hot_bytes_max = 128 << 10;
    options.max_bytes = 8 << 20;
    options.disk_reserve_bytes = 0;
    options.stream_buffers = 1;
    options.fetch_buffers = 1;
    return options;
  }
  bool RunUntil(const std::function<bool()>& condition) {
    return world_.RunUntil(condition, 600 * kNsPerSecond) == io::SimWorld::RunResult::kCondition;
  }
  void RunFor(int64_t ns) {
    const int64_t until_ns = io_.now_ns() + ns;
    world_.RunUntil([&] { return io_.now_ns() >= until_ns; }, ns);
  }
  void Mark() {
    ++ticket_.attempts;
    writer_.Mark(&store_, message_);
  }
  // What the disk has of it.
  uint16_t StoredAttempts() {
    fetch_.message = message_;
    fetch_.part = FetchOp::kPartState;
    fetch_.Bind<&StateWriterTest::OnFetched>(this);
    store_.Fetch(&fetch_);
    EXPECT_TRUE(RunUntil([this] { return !fetch_.in_flight; }));
    return stored_;
  }

  // RecoverySink
  void OnMessage(Message*, const MetaView&, const StateView&) override {}
  void OnDamage(std::string_view) override {}
  void OnWritable(const core::Status& status) override { EXPECT_TRUE(status.ok()); }
  void OnRecovered(const RecoveryReport&) override { recovered_ = true; }

  void OnAppended(const core::Status& status, Message* message) {
    EXPECT_TRUE(status.ok()) << status.ToString();
    message_ = message;
  }
  void OnFetched(const core::Status& status, Window window) {
    ASSERT_TRUE(status.ok());
    const std::optional<StateView> view = StateView::Parse(window.bytes());
    ASSERT_TRUE(view.has_value());
    StatePart part;
    uint32_t at = 0;
    ASSERT_TRUE(view->Next(&at, &part));
    stored_ = part.attempts;
    store_.Return(window);
  }

  io::SimWorld world_{io::SimOptions{}};
  io::SimIo io_{&world_};
  Store store_{&io_, Options()};
  StateWriter writer_{&io_};
  MetaBuilder meta_;
  AppendOp append_;
  FetchOp fetch_;
  Message* message_ = nullptr;
  HomeTicket ticket_;
  uint16_t stored_ = 0;
  bool recovered_ = false;
};

TEST_F(StateWriterTest, ADiskThatStandsStillGetsOneOfEachMessage) {
  world_.mutable_options().disk.write = {60 * kNsPerSecond, 60 * kNsPerSecond};
  const uint64_t before = store_.stats().records;
  for (int i = 0; i < 500; ++i) {
    Mark();
    RunFor(25 * kNsPerMs);
  }
  world_.mutable_options().disk.write = {kNsPerMs, kNsPerMs};
  ASSERT_TRUE(RunUntil([this] { return writer_.idle(); }));
  EXPECT_LE(store_.stats().records - before, 3u);
  EXPECT_EQ(StoredAttempts(), 500);  // and of that the newest
}

TEST_F(StateWriterTest, WhatTheDiskRefusesIsNotWritten) {
  world_.mutable_options().disk.write = {3 * kNsPerMs, 15 * kNsPerMs};
  world_.mutable_options().disk.write_error_ppm = 1'000'000;
  Mark();
  const uint64_t milestone = writer_.Milestone();
  constexpr int kChanges = 3000;  // over 21 s, in which commits are given up and begun again
  for (int i = 0; i < kChanges; ++i) {
    RunFor(7 * kNsPerMs);
    Mark();
    ASSERT_FALSE(writer_.Written(milestone)) << i;
  }
  EXPECT_GT(store_.stats().commit_errors, 9u);
  world_.mutable_options().disk.write_error_ppm = 0;
  EXPECT_TRUE(RunUntil([&] { return writer_.Written(milestone); }));
  EXPECT_TRUE(RunUntil([this] { return writer_.idle(); }));
  EXPECT_EQ(StoredAttempts(), kChanges + 1);
}

TEST_F(StateWriterTest, NothingIsLeftOfAMessageThatItsNoticeHasEnded) {
  Mark();
  const uint64_t milestone = writer_.Milestone();
  const uint64_t id = message_->id;
  writer_.Lock(message_);
  writer_.Unmark(message_);
  RunFor(kNsPerSecond);
  EXPECT_FALSE(writer_.Written(milestone));  // it is not known yet what becomes of the notice
  EXPECT_FALSE(writer_.idle());
  store_.Done(message_);
  RunFor(kNsPerSecond);
  writer_.Ended(id);
  EXPECT_TRUE(RunUntil([&] { return writer_.Written(milestone); }));
  EXPECT_TRUE(writer_.idle());
}

TEST_F(StateWriterTest, ANoticeThatFailsLeavesTheMarkBehind) {
  Mark();
  const uint64_t milestone = writer_.Milestone();
  writer_.Lock(message_);
  writer_.Unmark(message_);
  RunFor(kNsPerSecond);
  EXPECT_FALSE(writer_.Written(milestone));
  writer_.Unlock(message_);
  writer_.Mark(&store_, message_);
  EXPECT_FALSE(writer_.Written(milestone));
  EXPECT_TRUE(RunUntil([&] { return writer_.Written(milestone); }));
  EXPECT_TRUE(RunUntil([this] { return writer_.idle(); }));
  EXPECT_EQ(StoredAttempts(), 1);
}

}  // namespace
}  // namespace outbox::queue
