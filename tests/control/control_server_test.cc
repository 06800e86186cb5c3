// The control socket over a real Unix socket: one answer, streams, answers from other threads,
// clients that misbehave, stale socket files.
#include "tools/control_server.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tools/control_client.h"

namespace outbox::tools {
namespace {

constexpr int kSeconds = 20;
constexpr int kStreamLines = 20000;

class TestHandler final : public ControlHandler {
 public:
  void Handle(const nlohmann::json& request, std::shared_ptr<ReplyStream> reply) override {
    const std::string command = request["command"];
    if (command == "echo") {
      reply->Finish({{"echo", request["value"]}});
    } else if (command == "later") {
      // The answer comes from another thread, by way of Post.
      helper = std::thread(
          [this, reply] { server->Post([reply] { reply->Finish({{"late", true}}); }); });
    } else if (command == "stream") {
      Stream(reply, 0);
    } else if (command == "long") {
      reply->Finish({{"text", std::string(size_t{8} << 20, 'x')}});
    } else if (command == "wait") {
      // Nothing is said; who asks may go.
      left = reply;
      reply->WhenGone([this] { heard_gone = true; });
    } else if (command == "again") {
      if (left == nullptr) return reply->Fail("nobody has left");
      // All that comes later is a no-op, and nobody waits in vain.
      bool resumed = false;
      bool heard = false;
      left->WhenReady([&resumed] { resumed = true; });
      left->WhenGone([&heard] { heard = true; });
      reply->Finish({{"gone", left->gone() && heard_gone},
                     {"full", left->full()},
                     {"resumed", resumed},
                     {"heard", heard},
                     {"sent", left->Send({{"x", 1}})}});
    } else if (command == "binary") {
      reply->Finish({{"text", std::string("\xff\xfe")}});
    } else if (command == "quit") {
      reply->Finish({{"stopping", true}});
      server->Quit();
    } else {
      reply->Fail("unknown command");
    }
  }
  void OnSignal(int signal) override {
    last_signal = signal;
    server->Quit();
  }
  // Sends lines as fast as the client reads them, and not faster.
  void Stream(const std::shared_ptr<ReplyStream>& reply, int from) {
    for (int i = from; i < kStreamLines; ++i) {
      if (reply->full()) {
        ++pauses;
        reply->WhenReady([this, reply, i] { Stream(reply, i); });
        return;
      }
      if (!reply->Send({{"line", i}, {"padding", std::string(100, 'x')}})) {
        stream_broken = true;
        return;
      }
    }
    reply->Finish({{"end", true}, {"lines", kStreamLines}});
  }

  ControlServer* server = nullptr;
  std::thread helper;
  int last_signal = 0;
  int pauses = 0;
  bool stream_broken = false;
  bool heard_gone = false;
  std::shared_ptr<ReplyStream> left;
};

class ControlServerTest : public testing::Test {
 protected:
  ControlServerTest() {
    ControlServer::BlockSignals();
    char name[] = "/tmp/outbox-control-XXXXXX";
    directory_ = mkdtemp(name);
    path_ = directory_ + "/control.sock";
  }
  ~ControlServerTest() override {
    Stop();
    unlink(path_.c_str());
    rmdir(directory_.c_str());
  }

  void Start() {
    core::Result<std::unique_ptr<ControlServer>> server = ControlServer::Create(path_, &handler_);
    ASSERT_TRUE(server.ok()) << server.status().message();
    server_ = std::move(server).value();
    handler_.server = server_.get();
    thread_ = std::thread([this] { server_->Run(); });
  }
  void Stop() {
    if (thread_.joinable()) {
      server_->Post([this] { server_->Quit(); });
      thread_.join();
    }
    if (handler_.helper.joinable()) handler_.helper.join();
    server_.reset();
  }
  // A connected socket below ControlClient, for clients that it would not be.
  int RawClient() const {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.c_str(), path_.size() + 1);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return fd;
  }

  std::string directory_;
  std::string path_;
  TestHandler handler_;
  std::unique_ptr<ControlServer> server_;
  std::thread thread_;
};

TEST_F(ControlServerTest, AnswersOneRequestAfterAnother) {
  Start();
  ControlClient client;
  ASSERT_TRUE(client.Connect(path_).ok());
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(client.Send({{"command", "echo"}, {"value", i}}).ok());
    const auto answer = client.Receive(kSeconds);
    ASSERT_TRUE(answer.ok()) << answer.status().message();
    EXPECT_EQ((*answer)["echo"], i);
  }
}

TEST_F(ControlServerTest, AnswersRequestsThatWereSentAtOnceInOrder) {
  Start();
  ControlClient client;
  ASSERT_TRUE(client.Connect(path_).ok());
  ASSERT_TRUE(client.Send({{"command", "later"}}).ok());
  ASSERT_TRUE(client.Send({{"command", "echo"}, {"value", 7}}).ok());
  auto answer = client.Receive(kSeconds);
  ASSERT_TRUE(answer.ok()) << answer.status().message();
  EXPECT_EQ((*answer)["late"], true);
  answer = client.Receive(kSeconds);
  ASSERT_TRUE(answer.ok()) << answer.status().message();
  EXPECT_EQ((*answer)["echo"], 7);
}

TEST_F(ControlServerTest, StreamsMoreThanItWouldBuffer) {
  Start();
  ControlClient client;
  ASSERT_TRUE(client.Connect(path_).ok());
  ASSERT_TRUE(client.Send({{"command", "stream"}}).ok());
  for (int i = 0; i < kStreamLines; ++i) {
    const auto line = client.Receive(kSeconds);
    ASSERT_TRUE(line.ok()) << line.status().message();
    ASSERT_EQ((*line)["line"], i);
  }
  const auto end = client.Receive(kSeconds);
  ASSERT_TRUE(end.ok());
  EXPECT_EQ((*end)["lines"], kStreamLines);
  Stop();
  EXPECT_GT(handler_.pauses, 0);
}

TEST_F(ControlServerTest, TellsTheStreamThatTheClientHasGone) {
  Start();
  {
    ControlClient client;
    ASSERT_TRUE(client.Connect(path_).ok());
    ASSERT_TRUE(client.Send({{"command", "stream"}}).ok());
    ASSERT_TRUE(client.Receive(kSeconds).ok());
  }
  // The next client is served, and by then the first one is known to be gone or soon will be.
  ControlClient next;
  ASSERT_TRUE(next.Connect(path_).ok());
  ASSERT_TRUE(next.Send({{"command", "quit"}}).ok());
  ASSERT_TRUE(next.Receive(kSeconds).ok());
  thread_.join();
  EXPECT_TRUE(handler_.stream_broken);
}

TEST_F(ControlServerTest, ASingleAnswerIsNeverCut) {
  Start();
  const int fd = RawClient();
  // And the next request is read when there is room for its answer.
  const std::string requests = "{\"command\":\"long\"}\n{\"command\":\"long\"}\n";
  ASSERT_EQ(send(fd, requests.data(), requests.size(), 0), static_cast<ssize_t>(requests.size()));
  size_t newlines = 0;
  size_t bytes = 0;
  std::vector<char> buffer(100'000);
  while (newlines < 2) {
    const ssize_t size = recv(fd, buffer.data(), buffer.size(), 0);
    ASSERT_GT(size, 0);
    bytes += static_cast<size_t>(size);
    newlines += static_cast<size_t>(std::count(buffer.begin(), buffer.begin() + size, '\n'));
  }
  EXPECT_EQ(bytes, 2 * ((size_t{8} << 20) + std::strlen("{\"text\":\"\"}\n")));
  close(fd);
}

TEST_F(ControlServerTest, WhoWaitsForAClientHearsThatItHasGone) {
  Start();
  {
    ControlClient client;
    ASSERT_TRUE(client.Connect(path_).ok());
    ASSERT_TRUE(client.Send({{"command", "wait"}}).ok());
    ControlClient other;  // is answered later than that
    ASSERT_TRUE(other.Connect(path_).ok());
    ASSERT_TRUE(other.Send({{"command", "echo"}, {"value", 1}}).ok());
    ASSERT_TRUE(other.Receive(kSeconds).ok());
  }
  ControlClient next;
  ASSERT_TRUE(next.Connect(path_).ok());
  ASSERT_TRUE(next.Send({{"command", "again"}}).ok());
  const auto answer = next.Receive(kSeconds);
  ASSERT_TRUE(answer.ok()) << answer.status().message();
  EXPECT_EQ((*answer)["gone"], true);
  EXPECT_EQ((*answer)["full"], false);
  EXPECT_EQ((*answer)["resumed"], true);
  EXPECT_EQ((*answer)["heard"], true);
  EXPECT_EQ((*answer)["sent"], false);
}

TEST_F(ControlServerTest, RefusesWhatIsNoRequestAndGoesOn) {
  Start();
  ControlClient client;
  ASSERT_TRUE(client.Connect(path_).ok());
  for (const nlohmann::json& bad : {nlohmann::json("text"), nlohmann::json({{"command", 1}}),
                                    nlohmann::json({{"command", "no such"}})}) {
    ASSERT_TRUE(client.Send(bad).ok());
    const auto answer = client.Receive(kSeconds);
    EXPECT_FALSE(answer.ok());
    EXPECT_EQ(answer.status().code(), core::StatusCode::kIoError);
  }
  ASSERT_TRUE(client.Send({{"command", "binary"}}).ok());
  EXPECT_TRUE(client.Receive(kSeconds).ok());
}

TEST_F(ControlServerTest, ClosesAClientWhoseRequestNeverEnds) {
  Start();
  const int fd = RawClient();
  const std::string junk(4096, 'x');
  size_t sent = 0;
  while (sent < 2 * kControlRequestBytes) {
    const ssize_t size = send(fd, junk.data(), junk.size(), MSG_NOSIGNAL);
    if (size < 0) break;
    sent += static_cast<size_t>(size);
  }
  std::string answer;
  char bytes[512];
  for (ssize_t size = 0; (size = recv(fd, bytes, sizeof bytes, 0)) > 0;) {
    answer.append(bytes, static_cast<size_t>(size));
  }
  close(fd);
  EXPECT_EQ(answer, "{\"error\":\"request too long\"}\n");
}

TEST_F(ControlServerTest, BoundsTheNumberOfClients) {
  Start();
  std::vector<std::unique_ptr<ControlClient>> clients;
  for (size_t i = 0; i < kControlClientsMax; ++i) {
    clients.push_back(std::make_unique<ControlClient>());
    ASSERT_TRUE(clients.back()->Connect(path_).ok());
    ASSERT_TRUE(clients.back()->Send({{"command", "echo"}, {"value", 1}}).ok());
    ASSERT_TRUE(clients.back()->Receive(kSeconds).ok());
  }
  ControlClient one_more;
  ASSERT_TRUE(one_more.Connect(path_).ok());
  const auto answer = one_more.Receive(kSeconds);
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.status().message(), "too many clients");
}

// Also who has not yet asked for anything when he is turned away hears why.
TEST_F(ControlServerTest, WhoIsTurnedAwayBeforeHeAsksHearsWhy) {
  Start();
  std::vector<std::unique_ptr<ControlClient>> clients;
  for (size_t i = 0; i < kControlClientsMax; ++i) {
    clients.push_back(std::make_unique<ControlClient>());
    ASSERT_TRUE(clients.back()->Connect(path_).ok());
    ASSERT_TRUE(clients.back()->Send({{"command", "echo"}, {"value", 1}}).ok());
    ASSERT_TRUE(clients.back()->Receive(kSeconds).ok());
  }
  ControlClient one_more;
  ASSERT_TRUE(one_more.Connect(path_).ok());
  // When another one has its answer, this one has been seen.
  ASSERT_TRUE(clients[0]->Send({{"command", "echo"}, {"value", 1}}).ok());
  ASSERT_TRUE(clients[0]->Receive(kSeconds).ok());
  ASSERT_TRUE(one_more.Send({{"command", "echo"}, {"value", 1}}).ok());
  const auto answer = one_more.Receive(kSeconds);
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.status().message(), "too many clients");
}

TEST_F(ControlServerTest, ReplacesAStaleSocketButNothingElse) {
  Start();
  // A second server at the path of a living one is refused.
  TestHandler other;
  EXPECT_FALSE(ControlServer::Create(path_, &other).ok());
  Stop();
  // A socket file without a listener is replaced.
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path_.c_str(), path_.size() + 1);
  ASSERT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  close(fd);
  Start();
  struct stat info = {};
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777u, 0660u);
  Stop();
  // A regular file is not.
  FILE* const file = std::fopen(path_.c_str(), "w");
  ASSERT_NE(file, nullptr);
  std::fclose(file);
  EXPECT_FALSE(ControlServer::Create(path_, &other).ok());
}

TEST_F(ControlServerTest, ReportsSignalsAndRunsTimers) {
  Start();
  server_->Post([this] { server_->After(1'000'000, [] { kill(getpid(), SIGTERM); }); });
  thread_.join();
  EXPECT_EQ(handler_.last_signal, SIGTERM);
}

}  // namespace
}  // namespace outbox::tools
