// The control socket over a real Unix socket: one answer, streams, answers from other threads,
// clients that misbehave, stale socket files.
#include "tools/control_server.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

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
