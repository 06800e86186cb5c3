// TalkFile: where the dialogues of failed attempts are on the disk, so that they survive a restart.
//
// Two files of JSON lines in a directory, `failed.jsonl` and the one before it, `failed.jsonl.1`:
// when the first has half of the allowed size it takes the place of the other. Write is called by
// the shards' helper threads with whole lines. What the disk does not take is gone, whole lines of
// it; the next write tries again. Thread-safe.
#ifndef OUTBOX_TOOLS_TALK_FILE_H_
#define OUTBOX_TOOLS_TALK_FILE_H_

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace outbox::tools {

class TalkFile {
 public:
  // `bytes_max`: of both files together. The directory is made when it is needed.
  TalkFile(std::string directory, uint64_t bytes_max);
  TalkFile(const TalkFile&) = delete;
  TalkFile& operator=(const TalkFile&) = delete;
  ~TalkFile();

  bool Write(std::string_view lines);
  // The files, the older one first; they may not exist.
  std::vector<std::string> paths() const { return {path_ + ".1", path_}; }

 private:
  bool Open();
  void Close();

  const std::string directory_;
  const std::string path_;
  const uint64_t half_bytes_;
  std::mutex mutex_;
  int fd_ = -1;
  uint64_t size_ = 0;
};

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_TALK_FILE_H_
