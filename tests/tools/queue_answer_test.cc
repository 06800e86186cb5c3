// One listing from several shards to one client: all lines, however slowly it reads; an end, when
// it has gone.
#include "tools/queue_answer.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "queue/message_id.h"

namespace outbox::tools {
namespace {

constexpr uint32_t kShards = 4;
constexpr int kLinesOfShard = 2'500;

// Threads that wait sleep: what they wait for needs the processors, the more so under a sanitizer.
void Wait() { std::this_thread::sleep_for(std::chrono::microseconds(200)); }

// Answers every request with a listing; each shard is a thread that makes lines as a lister does.
class Lister final : public ControlHandler {
 public:
  ~Lister() override {
    for (std::thread& shard : shards_) shard.join();
  }
  void Handle(const nlohmann::json&, std::shared_ptr<ReplyStream> reply) override {
    auto answer = std::make_shared<QueueAnswer>(server, reply, kShards);
    answer->HoldUntilDone();
    watched = answer;
    for (uint32_t i = 0; i < kShards; ++i) {
      shards_.emplace_back([this, i, sink = answer.get()] { List(i, sink); });
    }
  }
  void OnSignal(int) override {}

  ControlServer* server = nullptr;
  std::weak_ptr<QueueAnswer> watched;
  std::atomic<uint32_t> done = 0;
  std::atomic<int> pauses = 0;
  std::atomic<int> made = 0;

 private:
  void List(uint32_t shard, QueueAnswer* sink) {
    std::vector<queue::QueueLine> chunk;
    for (int i = 0; i < kLinesOfShard && !sink->gone(); ++i) {
      while (sink->full()) {
        ++pauses;
        Wait();
      }
      queue::QueueLine& line = chunk.emplace_back();
      line.id = shard + 1;
      line.sender = "sender@client.test";
      line.recipient = "recipient" + std::to_string(i) + "@example.net";
      line.last_reply = std::string(200, 'r');
      line.size = static_cast<uint64_t>(i);
      ++made;
      if (chunk.size() < queue::kQueueLinesPerChunk && i + 1 < kLinesOfShard) continue;
      if (!sink->Lines(std::exchange(chunk, {}))) break;
    }
    ++done;
    sink->Done({.unreadable = 2, .recovering = shard == 0 ? 1u : 0u});
  }

  std::vector<std::thread> shards_;
};

class QueueAnswerTest : public testing::Test {
 protected:
  QueueAnswerTest() {
    ControlServer::BlockSignals();
    char name[] = "/tmp/outbox-answer-XXXXXX";
    directory_ = mkdtemp(name);
    path_ = directory_ + "/control.sock";
    core::Result<std::unique_ptr<ControlServer>> server = ControlServer::Create(path_, &lister_);
    EXPECT_TRUE(server.ok());
    server_ = std::move(server).value();
    lister_.server = server_.get();
    thread_ = std::thread([this] { server_->Run(); });
  }
  ~QueueAnswerTest() override {
    server_->Post([this] { server_->Quit(); });
    thread_.join();
    server_.reset();
    rmdir(directory_.c_str());
  }
  int Connect() const {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.c_str(), path_.size() + 1);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(send(fd, "{\"command\":\"queue\"}\n", 20, 0), 20);
    return fd;
  }

  std::string directory_;
  std::string path_;
  Lister lister_;
  std::unique_ptr<ControlServer> server_;
  std::thread thread_;
};

TEST_F(QueueAnswerTest, ASlowReaderGetsEveryLine) {
  const int fd = Connect();
  // It does not read until the shards have had to wait for it.
  while (lister_.pauses < 100) Wait();
  EXPECT_LT(lister_.made, 8'000);  // bounded by what waits, not by the queue
  std::vector<int> next(kShards, 0);
  std::string input;
  bool ended = false;
  char buffer[3000];
  while (!ended) {
    const ssize_t size = recv(fd, buffer, sizeof buffer, 0);
    ASSERT_GT(size, 0) << "cut off after " << next[0] << " lines of the first shard";
    input.append(buffer, static_cast<size_t>(size));
    size_t begin = 0;
    for (size_t end; (end = input.find('\n', begin)) != std::string::npos; begin = end + 1) {
      const nlohmann::json line = nlohmann::json::parse(input.substr(begin, end - begin));
      if (line.contains("end")) {
        ended = true;
        EXPECT_EQ(line["unreadable"], 2 * kShards);
        EXPECT_EQ(line["recovering"], 1);
        continue;
      }
      const auto id = queue::ParseMessageId(line["id"].get<std::string>());
      ASSERT_TRUE(id.has_value());
      const auto shard = static_cast<size_t>(*id - 1);
      ASSERT_EQ(line["size"], next[shard]);
      ++next[shard];
    }
    input.erase(0, begin);
  }
  for (const int count : next) EXPECT_EQ(count, kLinesOfShard);
  close(fd);
}

TEST_F(QueueAnswerTest, EndsWhenItsClientHasGone) {
  const int fd = Connect();
  while (lister_.pauses < 100) Wait();
  close(fd);
  while (lister_.done < kShards || !lister_.watched.expired()) Wait();
  EXPECT_LT(lister_.made, 8'000);
}

}  // namespace
}  // namespace outbox::tools
