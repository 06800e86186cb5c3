// The simulated disk: what programs see, what survives a power failure, and its faults.
#include "io/sim_disk.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "io/sim_io.h"
#include "io/sim_world.h"
#include "tests/io/sim_test_util.h"

namespace outbox::io {
namespace {

struct FreeBytes {
  void operator()(char* bytes) const { free(bytes); }
};
using Block = std::unique_ptr<char, FreeBytes>;

Block MakeBlocks(size_t count, char fill) {
  Block block(static_cast<char*>(aligned_alloc(kBlockBytes, count * kBlockBytes)));
  memset(block.get(), fill, count * kBlockBytes);
  return block;
}

class SimDiskTest : public testing::Test {
 protected:
  void Make(const SimOptions& options) {
    io_.reset();
    world_ = std::make_unique<SimWorld>(options);
    io_ = std::make_unique<SimIo>(world_.get());
  }
  void SetUp() override { Make({}); }
  void TearDown() override { io_.reset(); }

  int32_t Wait(Waiter* waiter) {
    EXPECT_EQ(world_->RunUntil([&] { return waiter->done; }, core::kNsPerMinute),
              SimWorld::RunResult::kCondition);
    waiter->done = false;
    return waiter->value;
  }
  template <typename Start>
  int32_t Do(Start start) {
    Waiter waiter;
    start(&waiter.op);
    return Wait(&waiter);
  }
  File Open(const std::string& path, const OpenOptions& options) {
    return Do([&](Op* op) { io_->Open(op, path, options); });
  }
  int32_t Write(File file, const char* bytes, size_t size, uint64_t offset) {
    const iovec part = {const_cast<char*>(bytes), size};
    return Do([&](Op* op) { io_->Write(op, file, std::span(&part, 1), offset); });
  }
  int32_t Sync(File file) {
    return Do([&](Op* op) { io_->Sync(op, file); });
  }
  int32_t SyncDirectory(const std::string& path) {
    return Do([&](Op* op) { io_->SyncDirectory(op, path); });
  }
  SimDisk& disk() { return world_->disk(); }
  // The power fails and comes back.
  void CrashAndRestart() {
    world_->Crash();
    io_ = std::make_unique<SimIo>(world_.get());
  }

  std::unique_ptr<SimWorld> world_;
  std::unique_ptr<SimIo> io_;
};

TEST_F(SimDiskTest, ReadsBackWhatWasWritten) {
  const File file = Open("/a", {.write = true, .create = true});
  ASSERT_GE(file, 0);
  EXPECT_EQ(Write(file, "hello world", 11, 0), 11);
  EXPECT_EQ(Write(file, "W", 1, 6), 1);
  char bytes[32];
  EXPECT_EQ(Do([&](Op* op) { io_->Read(op, file, bytes, 0); }), 11);
  EXPECT_EQ(std::string(bytes, 11), "hello World");
  EXPECT_EQ(Do([&](Op* op) { io_->Read(op, file, bytes, 11); }), 0);
  EXPECT_EQ(Do([&](Op* op) { io_->CloseFile(op, file); }), 0);
  EXPECT_EQ(Do([&](Op* op) { io_->Read(op, file, bytes, 0); }), -EBADF);
  EXPECT_EQ(disk().ReadAll("a"), "hello World");
}

TEST_F(SimDiskTest, NamesFollowTheSystemCalls) {
  EXPECT_EQ(Open("/missing", {}), -ENOENT);
  EXPECT_EQ(Open("/no/file", {.write = true, .create = true}), -ENOENT);
  EXPECT_EQ(Do([&](Op* op) { io_->MakeDirectory(op, "/d"); }), 0);
  EXPECT_EQ(Do([&](Op* op) { io_->MakeDirectory(op, "/d"); }), 0);
  EXPECT_GE(Open("/d/b", {.write = true, .create = true, .exclusive = true}), 0);
  EXPECT_EQ(Open("/d/b", {.write = true, .create = true, .exclusive = true}), -EEXIST);
  EXPECT_GE(Open("/d/a", {.write = true, .create = true}), 0);
  EXPECT_EQ(Do([&](Op* op) { io_->Rename(op, "/d/b", "/d/c"); }), 0);
  EXPECT_EQ(Do([&](Op* op) { io_->Unlink(op, "/d/b"); }), -ENOENT);
  std::vector<FileInfo> list;
  EXPECT_EQ(Do([&](Op* op) { io_->ListDirectory(op, "/d", &list); }), 2);
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0].name, "a");
  EXPECT_EQ(list[1].name, "c");
  EXPECT_EQ(Do([&](Op* op) { io_->Unlink(op, "/d/c"); }), 0);
  EXPECT_EQ(Do([&](Op* op) { io_->Unlink(op, "/d"); }), -EISDIR);
}

TEST_F(SimDiskTest, DirectNeedsAlignment) {
  const File file = Open("/a", {.write = true, .create = true, .direct = true, .dsync = true});
  const Block block = MakeBlocks(2, 'x');
  EXPECT_EQ(Write(file, block.get(), kBlockBytes, 0), static_cast<int32_t>(kBlockBytes));
  EXPECT_EQ(Write(file, block.get(), kBlockBytes, 512), -EINVAL);
  EXPECT_EQ(Write(file, block.get(), 512, 0), -EINVAL);
  EXPECT_EQ(Write(file, block.get() + 512, kBlockBytes, 0), -EINVAL);
  EXPECT_EQ(Do([&](Op* op) { io_->Read(op, file, std::span(block.get() + 1, kBlockBytes), 0); }),
            -EINVAL);
}

TEST_F(SimDiskTest, DirectCanBeMissing) {
  SimOptions options;
  options.disk.direct_supported = false;
  Make(options);
  EXPECT_EQ(Open("/a", {.write = true, .create = true, .direct = true}), -EINVAL);
}

TEST_F(SimDiskTest, SyncedContentAndNamesSurviveEveryCrash) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    Make({.seed = seed});
    const File plain = Open("/plain", {.write = true, .create = true});
    const File dsync = Open("/dsync", {.write = true, .create = true, .dsync = true});
    EXPECT_EQ(Write(plain, "one", 3, 0), 3);
    EXPECT_EQ(Write(dsync, "two", 3, 0), 3);
    EXPECT_EQ(Sync(plain), 0);
    EXPECT_EQ(SyncDirectory("/"), 0);
    CrashAndRestart();
    EXPECT_EQ(disk().ReadAll("/plain"), "one");
    EXPECT_EQ(disk().ReadAll("/dsync"), "two");
  }
}

TEST_F(SimDiskTest, UnsyncedThingsMayOrMayNotSurvive) {
  int content_kept = 0;
  int name_kept = 0;
  int renamed = 0;
  constexpr int kSeeds = 100;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Make({.seed = seed});
    const File a = Open("/a", {.write = true, .create = true});
    EXPECT_EQ(SyncDirectory("/"), 0);
    EXPECT_EQ(Write(a, "text", 4, 0), 4);
    EXPECT_GE(Open("/b", {.write = true, .create = true}), 0);
    EXPECT_EQ(Do([&](Op* op) { io_->Rename(op, "/a", "/c"); }), 0);
    CrashAndRestart();
    name_kept += disk().Exists("/b");
    renamed += disk().Exists("/c");
    // A rename is atomic: under one name or the other, never both or none.
    EXPECT_NE(disk().Exists("/a"), disk().Exists("/c"));
    const std::string text = disk().ReadAll(disk().Exists("/c") ? "/c" : "/a");
    EXPECT_TRUE(text == "text" || text.empty()) << text;
    content_kept += text == "text";
  }
  for (const int count : {content_kept, name_kept, renamed}) {
    EXPECT_GT(count, 10);
    EXPECT_LT(count, kSeeds - 10);
  }
}

TEST_F(SimDiskTest, SyncOfADirectoryCoversWhatItsNamesBuildOn) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    Make({.seed = seed});
    EXPECT_EQ(Do([&](Op* op) { io_->MakeDirectory(op, "/d"); }), 0);
    EXPECT_EQ(SyncDirectory("/"), 0);
    EXPECT_GE(Open("/tmp", {.write = true, .create = true}), 0);
    EXPECT_EQ(Do([&](Op* op) { io_->Rename(op, "/tmp", "/d/file"); }), 0);
    EXPECT_EQ(SyncDirectory("/d"), 0);
    CrashAndRestart();
    EXPECT_TRUE(disk().Exists("/d/file"));
    EXPECT_FALSE(disk().Exists("/tmp"));
  }
}

// A write of four blocks over old content, cut off by the power: every sector is old or new, and
// over many seeds all of nothing, something and everything happens.
TEST_F(SimDiskTest, WriteInFlightIsTornBySectors) {
  std::set<size_t> kept;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    Make({.seed = seed});
    disk().WriteAll("/log", std::string(4 * kBlockBytes, 'o'));
    const File file = Open("/log", {.write = true, .direct = true, .dsync = true});
    const Block block = MakeBlocks(4, 'n');
    const iovec part = {block.get(), 4 * kBlockBytes};
    Waiter waiter;
    io_->Write(&waiter.op, file, std::span(&part, 1), 0);
    CrashAndRestart();
    EXPECT_FALSE(waiter.done);
    EXPECT_FALSE(waiter.op.in_flight);
    const std::string now = disk().ReadAll("/log");
    size_t sectors = 0;
    for (size_t at = 0; at < now.size(); at += kSimSectorBytes) {
      const std::string sector = now.substr(at, kSimSectorBytes);
      ASSERT_TRUE(sector == std::string(kSimSectorBytes, 'o') ||
                  sector == std::string(kSimSectorBytes, 'n'));
      sectors += sector[0] == 'n';
    }
    kept.insert(sectors);
  }
  EXPECT_TRUE(kept.contains(0));
  EXPECT_TRUE(kept.contains(32));
  EXPECT_GT(kept.size(), 5u);
}

TEST_F(SimDiskTest, CrashPointsAreExact) {
  for (const SimCrashMode mode :
       {SimCrashMode::kBefore, SimCrashMode::kTorn, SimCrashMode::kAfter}) {
    for (uint64_t seed = 1; seed <= 20; ++seed) {
      Make({.seed = seed});
      disk().WriteAll("/log", std::string(2 * kBlockBytes, 'o'));
      const File file = Open("/log", {.write = true, .direct = true, .dsync = true});
      const Block block = MakeBlocks(2, 'n');
      EXPECT_EQ(disk().changes(), 0u);
      disk().CrashAt(2, mode);
      EXPECT_EQ(Write(file, block.get(), kBlockBytes, 0), static_cast<int32_t>(kBlockBytes));
      const iovec part = {block.get(), 2 * kBlockBytes};
      Waiter waiter;
      io_->Write(&waiter.op, file, std::span(&part, 1), 0);
      EXPECT_EQ(world_->RunFor(core::kNsPerMinute), SimWorld::RunResult::kCrashPoint);
      EXPECT_TRUE(world_->crash_pending());
      CrashAndRestart();
      EXPECT_FALSE(world_->crash_pending());
      EXPECT_FALSE(waiter.done);
      const std::string now = disk().ReadAll("/log");
      EXPECT_EQ(now[0], 'n');  // the first write was acknowledged
      const std::string second = now.substr(kBlockBytes);
      if (mode == SimCrashMode::kBefore) {
        EXPECT_EQ(second, std::string(kBlockBytes, 'o'));
      }
      if (mode == SimCrashMode::kAfter) {
        EXPECT_EQ(second, std::string(kBlockBytes, 'n'));
      }
    }
  }
}

TEST_F(SimDiskTest, KillKeepsWhatWasWritten) {
  const File file = Open("/a", {.write = true, .create = true});
  EXPECT_EQ(Write(file, "text", 4, 0), 4);
  world_->Kill();
  io_ = std::make_unique<SimIo>(world_.get());
  EXPECT_EQ(disk().ReadAll("/a"), "text");
}

TEST_F(SimDiskTest, FullDisk) {
  SimOptions options;
  options.disk.capacity_bytes = 8 * kBlockBytes;
  Make(options);
  const File a = Open("/a", {.write = true, .create = true, .dsync = true});
  EXPECT_EQ(Do([&](Op* op) { io_->Fill(op, a, 6 * kBlockBytes); }), 0);
  SpaceInfo space;
  EXPECT_EQ(Do([&](Op* op) { io_->Space(op, "/", &space); }), 0);
  EXPECT_EQ(space.total_bytes, 8 * kBlockBytes);
  EXPECT_EQ(space.free_bytes, 2 * kBlockBytes);
  const File b = Open("/b", {.write = true, .create = true, .direct = true, .dsync = true});
  EXPECT_EQ(Do([&](Op* op) { io_->Fill(op, b, 3 * kBlockBytes); }), -ENOSPC);
  EXPECT_EQ(Do([&](Op* op) { io_->Unlink(op, "/b"); }), 0);
  EXPECT_EQ(Do([&](Op* op) { io_->CloseFile(op, b); }), 0);
  const Block block = MakeBlocks(3, 'x');
  const File c = Open("/c", {.write = true, .create = true, .direct = true, .dsync = true});
  // What fits is written, as the kernel does it; then nothing is.
  EXPECT_EQ(Write(c, block.get(), 3 * kBlockBytes, 0), static_cast<int32_t>(2 * kBlockBytes));
  EXPECT_EQ(Write(c, block.get(), kBlockBytes, 2 * kBlockBytes), -ENOSPC);
  // Writing where there are blocks already needs no space.
  EXPECT_EQ(Write(c, block.get(), kBlockBytes, 0), static_cast<int32_t>(kBlockBytes));
}

TEST_F(SimDiskTest, FaultsOnDemand) {
  const Block block = MakeBlocks(2, 'x');
  const File file = Open("/a", {.write = true, .create = true, .direct = true, .dsync = true});
  disk().FailChange(disk().changes() + 2, EIO);
  EXPECT_EQ(Write(file, block.get(), 2 * kBlockBytes, 0), static_cast<int32_t>(2 * kBlockBytes));
  EXPECT_EQ(Write(file, block.get(), kBlockBytes, 0), -EIO);
  EXPECT_EQ(Write(file, block.get(), kBlockBytes, 0), static_cast<int32_t>(kBlockBytes));

  const auto read = [&] {
    return Do([&](Op* op) { io_->Read(op, file, std::span(block.get(), 2 * kBlockBytes), 0); });
  };
  disk().FailRead(1);
  EXPECT_EQ(read(), -EIO);
  EXPECT_EQ(read(), static_cast<int32_t>(2 * kBlockBytes));
  EXPECT_TRUE(disk().SetBadRange("/a", kBlockBytes, 1));
  EXPECT_EQ(read(), -EIO);
  EXPECT_EQ(Write(file, block.get(), kBlockBytes, kBlockBytes), static_cast<int32_t>(kBlockBytes));
  EXPECT_EQ(read(), static_cast<int32_t>(2 * kBlockBytes));
  EXPECT_TRUE(disk().FlipBit("/a", 5, 3));
  EXPECT_EQ(read(), static_cast<int32_t>(2 * kBlockBytes));
  EXPECT_EQ(block.get()[5], 'x' ^ 8);
  EXPECT_TRUE(disk().SetFailing("/a", false, true));
  EXPECT_EQ(Write(file, block.get(), kBlockBytes, 0), -EIO);
  EXPECT_FALSE(disk().SetFailing("/b", true, true));
}

TEST_F(SimDiskTest, ShortWritesAreWholeBlocks) {
  SimOptions options;
  options.disk.short_write_ppm = 1'000'000;
  Make(options);
  const Block block = MakeBlocks(4, 'x');
  const File file = Open("/a", {.write = true, .create = true, .direct = true, .dsync = true});
  const int32_t written = Write(file, block.get(), 4 * kBlockBytes, 0);
  EXPECT_GT(written, 0);
  EXPECT_LT(written, static_cast<int32_t>(4 * kBlockBytes));
  EXPECT_EQ(written % static_cast<int32_t>(kBlockBytes), 0);
}

TEST_F(SimDiskTest, MemoryThatChangesUnderAWriteIsOurMistake) {
  const File file = Open("/a", {.write = true, .create = true});
  const auto spoil = [&] {
    char bytes[4] = {'a', 'b', 'c', 'd'};
    const iovec part = {bytes, 4};
    Waiter waiter;
    io_->Write(&waiter.op, file, std::span(&part, 1), 0);
    bytes[2] = 'x';
    Wait(&waiter);
  };
  EXPECT_DEATH(spoil(), "CHECK");
}

TEST_F(SimDiskTest, HelperRunsInItsCompletionTurn) {
  bool ran = false;
  Waiter waiter;
  io_->RunOnHelper(&waiter.op, [&] {
    ran = true;
    return 7;
  });
  EXPECT_FALSE(ran);
  EXPECT_EQ(Wait(&waiter), 7);
  EXPECT_TRUE(ran);
}

}  // namespace
}  // namespace outbox::io
