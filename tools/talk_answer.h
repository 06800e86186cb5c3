// TalkAnswer: the dialogues that one client of the control socket has asked for (`outbox talk`).
//
// They lie in the shards' memory and, those of failed attempts, on the disk as well. A shard only
// copies pieces of its ring out, between two of its turns; reading, comparing and printing is the
// main thread's, piece by piece, so that other clients are answered meanwhile. Of what is wanted
// the newest are kept. Holds itself alive until it has answered.
#ifndef OUTBOX_TOOLS_TALK_ANSWER_H_
#define OUTBOX_TOOLS_TALK_ANSWER_H_

#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "queue/shard.h"
#include "tools/control_server.h"
#include "tools/talk_record.h"

namespace outbox::tools {

class TalkAnswer : public std::enable_shared_from_this<TalkAnswer> {
 public:
  TalkAnswer(ControlServer* server, std::shared_ptr<ReplyStream> reply, TalkFilter filter)
      : server_(server), reply_(std::move(reply)), filter_(std::move(filter)) {}
  ~TalkAnswer();

  // `files`: the older one first. To be called once.
  void Start(std::vector<queue::Shard*> shards, std::vector<std::string> files);

 private:
  // In order of time; the same attempt may be found in memory and on the disk.
  using Key = std::tuple<int64_t, std::string, std::string>;  // its end, message, mail host

  void Later(void (TalkAnswer::*step)());
  void ReadFile();
  void TakeLine(std::string_view line);
  void ReadShard();
  void OnPiece(const std::string& piece, uint64_t next);
  void Keep(TalkRecord record);
  void Print();

  ControlServer* const server_;
  const std::shared_ptr<ReplyStream> reply_;
  const TalkFilter filter_;
  std::vector<queue::Shard*> shards_;
  std::vector<std::string> files_;
  size_t file_ = 0;
  std::FILE* open_ = nullptr;
  std::string rest_;  // of the file's last piece: a line without its end
  size_t shard_ = 0;
  uint64_t from_ = 0;  // in the shard's ring
  std::map<Key, TalkRecord> found_;
  uint64_t matches_ = 0;
};

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_TALK_ANSWER_H_
