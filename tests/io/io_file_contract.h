// The part of io_contract.h that is about files and the helper.
#ifndef OUTBOX_TESTS_IO_IO_FILE_CONTRACT_H_
#define OUTBOX_TESTS_IO_IO_FILE_CONTRACT_H_

#include <errno.h>

#include <cstring>
#include <deque>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/io/io_environment.h"

namespace outbox::io {

TEST_P(IoTest, WhatIsWrittenIsReadAndEndsShort) {
  const std::string path = environment_->Directory() + "/log";
  Waiter w(io_);
  io_->Open(&w.op, path, OpenOptions{.write = true, .create = true, .exclusive = true});
  EXPECT_TRUE(w.results.empty());
  const File file = Finish(&w);
  ASSERT_GE(file, 0);
  const std::string head = Pattern(100);
  const std::string tail = Pattern(900, 100);
  const iovec parts[] = {Part(head), Part(tail)};
  w.Clear();
  io_->Write(&w.op, file, parts, 50);
  ASSERT_EQ(Finish(&w), 1000);
  w.Clear();
  io_->Sync(&w.op, file);
  ASSERT_EQ(Finish(&w), 0);
  std::string memory(2000, 'x');
  w.Clear();
  io_->Read(&w.op, file, std::span(memory), 0);
  ASSERT_EQ(Finish(&w), 1050);
  EXPECT_EQ(memory.substr(0, 50), std::string(50, '\0'));
  EXPECT_EQ(memory.substr(50, 1000), Pattern(1000));
  w.Clear();
  io_->Read(&w.op, file, std::span(memory), 5000);
  EXPECT_EQ(Finish(&w), 0);
  w.Clear();
  io_->CloseFile(&w.op, file);
  EXPECT_EQ(Finish(&w), 0);
}

TEST_P(IoTest, ANameIsFoundByItsBeginning) {
  const std::string directory = environment_->Directory() + "/cur";
  Waiter w(io_);
  io_->FindInDirectory(&w.op, directory, "a");
  EXPECT_EQ(Finish(&w), -ENOENT);
  w.Clear();
  io_->MakePrivateDirectory(&w.op, directory);
  EXPECT_EQ(Finish(&w), 0);
  w.Clear();
  io_->MakePrivateDirectory(&w.op, directory);
  EXPECT_EQ(Finish(&w), 0);  // an existing one is as good
  for (const char* name : {"1700.a:2,S", "1701.b"}) {
    w.Clear();
    io_->Open(&w.op, directory + "/" + name,
              OpenOptions{.write = true, .create = true, .owner_only = true});
    const File file = Finish(&w);
    ASSERT_GE(file, 0);
    w.Clear();
    io_->CloseFile(&w.op, file);
    EXPECT_EQ(Finish(&w), 0);
  }
  const auto find = [&](const char* prefix) {
    w.Clear();
    io_->FindInDirectory(&w.op, directory, prefix);
    return Finish(&w);
  };
  EXPECT_EQ(find("1700.a"), 1);
  EXPECT_EQ(find("1701.b"), 1);
  EXPECT_EQ(find("1701.bc"), 0);
  EXPECT_EQ(find("170"), 1);
  EXPECT_EQ(find("2"), 0);
}

TEST_P(IoTest, OpenSaysWhatIsWrong) {
  const std::string path = environment_->Directory() + "/file";
  Waiter w(io_);
  io_->Open(&w.op, path, OpenOptions{});
  EXPECT_EQ(Finish(&w), -ENOENT);
  w.Clear();
  io_->Open(&w.op, path, OpenOptions{.write = true, .create = true});
  const File file = Finish(&w);
  ASSERT_GE(file, 0);
  w.Clear();
  io_->CloseFile(&w.op, file);
  EXPECT_EQ(Finish(&w), 0);
  w.Clear();
  io_->Open(&w.op, path, OpenOptions{.write = true, .create = true, .exclusive = true});
  EXPECT_EQ(Finish(&w), -EEXIST);
}

TEST_P(IoTest, FilledFileTakesDirectWritesInBlocks) {
  const std::string path = environment_->Directory() + "/segment";
  constexpr uint64_t kBytes = (uint64_t{2} << 20) + 8 * kBlockBytes;
  Waiter w(io_);
  io_->Open(&w.op, path, OpenOptions{.write = true, .create = true, .direct = true, .dsync = true});
  const File file = Finish(&w);
  ASSERT_GE(file, 0);
  w.Clear();
  io_->Fill(&w.op, file, kBytes);
  ASSERT_EQ(Finish(&w), 0);
  alignas(kBlockBytes) static char block[2 * kBlockBytes];
  const std::string text = Pattern(sizeof(block));
  memcpy(block, text.data(), sizeof(block));
  const iovec parts[] = {{block, kBlockBytes}, {block + kBlockBytes, kBlockBytes}};
  w.Clear();
  io_->Write(&w.op, file, parts, kBytes - sizeof(block));
  ASSERT_EQ(Finish(&w), static_cast<int32_t>(sizeof(block)));
  memset(block, 'x', sizeof(block));
  w.Clear();
  io_->Read(&w.op, file, std::span(block), kBytes - sizeof(block));
  ASSERT_EQ(Finish(&w), static_cast<int32_t>(sizeof(block)));
  EXPECT_EQ(std::string(block, sizeof(block)), text);
  w.Clear();
  io_->Read(&w.op, file, std::span(block), 0);
  ASSERT_EQ(Finish(&w), static_cast<int32_t>(sizeof(block)));
  EXPECT_EQ(std::string(block, sizeof(block)), std::string(sizeof(block), '\0'));
  w.Clear();
  io_->CloseFile(&w.op, file);
  EXPECT_EQ(Finish(&w), 0);
}

TEST_P(IoTest, DirectoriesAreMadeListedAndSynced) {
  const std::string directory = environment_->Directory() + "/spool";
  Waiter w(io_);
  for (int time = 0; time < 2; ++time) {  // the second finds it there, which is success
    w.Clear();
    io_->MakeDirectory(&w.op, directory);
    EXPECT_EQ(Finish(&w), 0);
  }
  for (const char* name : {"/c", "/a", "/b"}) {
    w.Clear();
    io_->Open(&w.op, directory + name, OpenOptions{.write = true, .create = true});
    const File file = Finish(&w);
    ASSERT_GE(file, 0);
    w.Clear();
    io_->Fill(&w.op, file, 4096);
    EXPECT_EQ(Finish(&w), 0);
    w.Clear();
    io_->CloseFile(&w.op, file);
    EXPECT_EQ(Finish(&w), 0);
  }
  w.Clear();
  io_->Rename(&w.op, directory + "/c", directory + "/d");
  EXPECT_EQ(Finish(&w), 0);
  w.Clear();
  io_->Rename(&w.op, directory + "/c", directory + "/e");
  EXPECT_EQ(Finish(&w), -ENOENT);
  w.Clear();
  io_->Unlink(&w.op, directory + "/b");
  EXPECT_EQ(Finish(&w), 0);
  w.Clear();
  io_->Unlink(&w.op, directory + "/b");
  EXPECT_EQ(Finish(&w), -ENOENT);
  w.Clear();
  io_->SyncDirectory(&w.op, directory);
  EXPECT_EQ(Finish(&w), 0);
  std::vector<FileInfo> files(1);  // to be appended to
  w.Clear();
  io_->ListDirectory(&w.op, directory, &files);
  EXPECT_EQ(Finish(&w), 2);
  ASSERT_EQ(files.size(), 3u);
  EXPECT_EQ(files[1].name, "a");
  EXPECT_EQ(files[2].name, "d");
  EXPECT_EQ(files[2].size, 4096u);
  EXPECT_FALSE(files[2].is_directory);
  w.Clear();
  io_->ListDirectory(&w.op, directory + "/none", &files);
  EXPECT_EQ(Finish(&w), -ENOENT);
  SpaceInfo space;
  w.Clear();
  io_->Space(&w.op, directory, &space);
  EXPECT_EQ(Finish(&w), 0);
  EXPECT_GT(space.total_bytes, 0u);
  EXPECT_LE(space.free_bytes, space.total_bytes);
}

TEST_P(IoTest, WorkOnTheHelperReturnsItsResult) {
  Waiter w(io_);
  io_->RunOnHelper(&w.op, [] { return 42; });
  EXPECT_TRUE(w.results.empty());
  EXPECT_EQ(Finish(&w), 42);
  w.Clear();
  io_->RunOnHelper(&w.op, [] { return -EACCES; });
  EXPECT_EQ(Finish(&w), -EACCES);
}

TEST_P(IoTest, LongWorkReturnsItsResult) {
  Waiter w(io_);
  io_->RunLong(&w.op, [] { return 42; });
  EXPECT_TRUE(w.results.empty());
  EXPECT_EQ(Finish(&w), 42);
}

TEST_P(IoTest, CancelledWorkOnTheHelperCompletesOnce) {
  std::deque<Waiter> waiters;
  for (int32_t i = 0; i < 50; ++i) {
    io::Op* const op = &waiters.emplace_back(io_).op;
    if (i % 2 == 0) {
      io_->RunOnHelper(op, [i] { return i; });
    } else {
      io_->RunLong(op, [i] { return i; });
    }
  }
  for (Waiter& waiter : waiters) io_->Cancel(&waiter.op);
  for (int32_t i = 0; i < 50; ++i) {
    Waiter& waiter = waiters[static_cast<size_t>(i)];
    EXPECT_THAT(Finish(&waiter), testing::AnyOf(i, -ECANCELED));
    EXPECT_EQ(waiter.results.size(), 1u);
  }
}

}  // namespace outbox::io

#endif  // OUTBOX_TESTS_IO_IO_FILE_CONTRACT_H_
