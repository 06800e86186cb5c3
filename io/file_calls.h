// The blocking file system calls behind Io's file operations, as plain functions.
//
// They run on a helper thread (io/helper_thread.h). Each returns a count or a handle when >= 0,
// -errno otherwise.
#ifndef OUTBOX_IO_FILE_CALLS_H_
#define OUTBOX_IO_FILE_CALLS_H_

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "io/io.h"

namespace outbox::io {

int32_t OpenFileNow(const std::string& path, const OpenOptions& options);
int32_t CloseFileNow(File file);
// Reserves the space first, so that a full disk is known before anything is written. Gives up with
// -ECANCELED between two pieces of 1 MiB when `stop` is set.
int32_t FillNow(File file, uint64_t bytes, const std::atomic<bool>& stop);
int32_t SyncNow(File file);
int32_t SyncDirectoryNow(const std::string& path);
int32_t MakeDirectoryNow(const std::string& path);
int32_t MakePrivateDirectoryNow(const std::string& path);
int32_t RenameNow(const std::string& from, const std::string& to);
int32_t UnlinkNow(const std::string& path);
int32_t ListDirectoryNow(const std::string& path, std::vector<FileInfo>* out);
int32_t FindInDirectoryNow(const std::string& path, const std::string& prefix);
int32_t SpaceNow(const std::string& path, SpaceInfo* out);

}  // namespace outbox::io

#endif  // OUTBOX_IO_FILE_CALLS_H_
