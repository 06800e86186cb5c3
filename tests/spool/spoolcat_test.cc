// spoolcat on a spool that a store has left: what it lists, checks and exports is what was put in.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "io/uring_io.h"
#include "queue/message_id.h"
#include "queue/store.h"

namespace outbox::queue {
namespace {

constexpr std::string_view kPrefix = "Received: by relay.example.com\r\n";

class Silent final : public RecoverySink {
 public:
  void OnMessage(Message* message, const MetaView&, const StateView&) override {
    pending[message->id] = message->pending;
  }
  void OnDamage(std::string_view) override { ++damages; }
  void OnWritable(const core::Status&) override {}
  void OnRecovered(const RecoveryReport&) override {}

  std::map<uint64_t, uint32_t> pending;
  int damages = 0;
};

// Appends one message, inline or through a stream.
struct Sender {
  Store* store = nullptr;
  uint64_t id = 0;
  std::string body;
  std::string_view left;
  BodyStream stream;
  MetaBuilder meta;
  iovec part = {};
  AppendOp op;
  bool done = false;
  core::Status status;

  std::vector<std::string> recipients = {"recipient@example.net"};

  void StartMeta() {
    const uint32_t retry = 900;
    meta.Start(id, 1, 0, "sender@example.com", "192.0.2.1");
    meta.AddGroup("example.net", "default", {&retry, 1}, {});
    for (const std::string& recipient : recipients) meta.AddRecipient(recipient);
    meta.SetPrefix(kPrefix);
  }
  void Inline() {
    StartMeta();
    meta.SetBody(body.size(), 1);
    part = {body.data(), body.size()};
    op.body = {&part, 1};
    Append();
  }
  void Streamed() {
    left = body;
    stream.Bind<&Sender::Feed, &Sender::OnFinished>(this);
    ASSERT_TRUE(store->BeginStream(&stream, 0));
    Feed();
  }
  void Feed() {
    left = stream.Write(left);
    if (left.empty()) stream.Finish();
  }
  void OnFinished(const core::Status& finished) {
    ASSERT_TRUE(finished.ok()) << finished.ToString();
    StartMeta();
    meta.SetExtents(body.size(), 1, stream.extents());
    op.stream = &stream;
    Append();
  }
  void Append() {
    op.meta = meta.Finish();
    op.Bind<&Sender::OnAppended>(this);
    store->Append(&op);
  }
  void OnAppended(const core::Status& appended, Message*) {
    status = appended;
    done = true;
  }
};

class SpoolcatTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/outbox-spoolcat-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    directory_ = name;
    for (int i = 0; i < 5'000; ++i)
      big_ += "line " + std::to_string(i) + " of a big body\r\n" + "..dots\r\n";
    Fill();
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  // What a daemon finds in the spool, before it has done anything to it.
  Silent Recover() {
    Silent sink;
    UseStore(&sink, [](Store*, const auto&) {});
    return sink;
  }

  void Fill() {
    Silent sink;
    UseStore(&sink, [this](Store* store, const auto& run_until) {
      small_.store = large_.store = store;
      small_.id = store->NewId();
      large_.id = store->NewId();
      small_.body = "Subject: small\r\n\r\n..a dot\r\nend\r\n.\r\n";
      large_.body = big_ + ".\r\n";
      large_.recipients = {"bob@example.net", "carol@example.net", "dave@example.org"};
      small_.Inline();
      large_.Streamed();
      run_until([this] { return small_.done && large_.done; });
      ASSERT_TRUE(small_.status.ok() && large_.status.ok());
    });
  }

  template <typename Use>
  void UseStore(Silent* sink, const Use& use) {
    auto io = io::UringIo::Create({});
    ASSERT_TRUE(io.ok());
    StoreOptions options;
    options.directory = directory_ + "/spool/log-0";
    options.segment_bytes = 1 << 20;
    options.batch_bytes_max = 512 << 10;
    std::filesystem::create_directories(directory_ + "/spool");
    Store store(io->get(), options);
    const auto run_until = [&](const auto& condition) {
      while (!condition()) {
        store.Tick();
        (*io)->Turn(store.NextDeadline());
      }
    };
    store.Open(sink);
    run_until([&] { return store.recovered() && store.accepting(); });
    use(&store, run_until);
    bool closed = false;
    store.Close([&](const core::Status&) { closed = true; });
    run_until([&] { return closed; });
  }

  // Its exit code; `out` is what it wrote to the standard output.
  int Run(const std::string& arguments, std::string* out) {
    const std::string path = directory_ + "/out";
    const int status = std::system(
        (std::string(OUTBOX_SPOOLCAT) + " " + arguments + " >" + path + " 2>&1").c_str());
    *out = Read(path);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  static std::string Read(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::string spool() const { return directory_ + "/spool"; }

  std::string directory_;
  std::string big_;
  Sender small_;
  Sender large_;
};

TEST_F(SpoolcatTest, ListsWithIdsAsPeopleReadThem) {
  std::string out;
  ASSERT_EQ(Run("list " + spool(), &out), 0) << out;
  EXPECT_NE(out.find(FormatMessageId(small_.id) + " "), std::string::npos) << out;
  EXPECT_NE(out.find(FormatMessageId(large_.id) + " "), std::string::npos) << out;
  ASSERT_EQ(Run("list --json " + spool(), &out), 0) << out;
  EXPECT_NE(out.find("\"" + FormatMessageId(small_.id) + "\""), std::string::npos) << out;
}

TEST_F(SpoolcatTest, ExportsWhatWasSent) {
  std::string out;
  ASSERT_EQ(Run("export " + spool() + " --all -o " + directory_, &out), 0) << out;
  EXPECT_EQ(Read(directory_ + "/" + FormatMessageId(small_.id) + ".eml"),
            std::string(kPrefix) + "Subject: small\r\n\r\n.a dot\r\nend\r\n");
  std::string unstuffed = big_;
  for (size_t at = 0; (at = unstuffed.find("\r\n..", at)) != std::string::npos; at += 3) {
    unstuffed.erase(at + 2, 1);
  }
  EXPECT_EQ(Read(directory_ + "/" + FormatMessageId(large_.id) + ".eml"),
            std::string(kPrefix) + unstuffed);
  std::filesystem::create_directory(directory_ + "/one");
  ASSERT_EQ(Run("export " + spool() + " " + FormatMessageId(small_.id) + " --lf -o " + directory_ +
                    "/one",
                &out),
            0)
      << out;
  EXPECT_EQ(Read(directory_ + "/one/" + FormatMessageId(small_.id) + ".eml"),
            "Received: by relay.example.com\nSubject: small\n\n.a dot\nend\n");
}

TEST_F(SpoolcatTest, PurgesWhatIsMeantAndTheDaemonSeesIt) {
  std::string out;
  const std::string purge = "purge " + spool() + " ";
  EXPECT_EQ(Run(purge, &out), 2) << out;  // of what?
  EXPECT_EQ(Run(purge + "--all --domain x", &out), 2) << out;
  EXPECT_EQ(Run(purge + "--older-than soon", &out), 2) << out;
  EXPECT_EQ(Run(purge + "--domain EXAMPLE.net --dry-run --json", &out), 0) << out;
  EXPECT_EQ(out,
            "{\"bytes\":63,\"dry_run\":true,\"messages\":2,\"messages_ended\":1,"
            "\"recipients\":3}\n");
  EXPECT_EQ(Recover().pending, (std::map<uint64_t, uint32_t>{{small_.id, 1}, {large_.id, 3}}));
  EXPECT_EQ(Run(purge + "--domain example.net", &out), 0) << out;
  EXPECT_NE(out.find("3 recipients of 2 messages purged; 1 message with"), std::string::npos)
      << out;
  // Again: nothing is left to be done.
  EXPECT_EQ(Run(purge + "--domain example.net", &out), 0) << out;
  EXPECT_NE(out.find("0 recipients of 0 messages purged"), std::string::npos) << out;
  EXPECT_EQ(Run("check " + spool(), &out), 0) << out;
  EXPECT_NE(out.find("1 messages, 0 damages"), std::string::npos) << out;
  const Silent found = Recover();
  EXPECT_EQ(found.pending, (std::map<uint64_t, uint32_t>{{large_.id, 1}}));
  EXPECT_EQ(found.damages, 0);
  // Behind what the daemon has made of it since.
  EXPECT_EQ(Run(purge + "--id " + FormatMessageId(large_.id) + " --sender 'sender@*'", &out), 0);
  EXPECT_NE(out.find("1 recipient of 1 message purged"), std::string::npos) << out;
  const Silent empty = Recover();
  EXPECT_TRUE(empty.pending.empty());
  EXPECT_EQ(empty.damages, 0);
}

// A purge that was cut off: what it had not written whole does not count, the rest does.
TEST_F(SpoolcatTest, APurgeThatIsCutOff) {
  std::string out;
  ASSERT_EQ(Run("purge " + spool() + " --all", &out), 0) << out;
  int cut = 0;
  for (const auto& file : std::filesystem::directory_iterator(spool() + "/log-0")) {
    // The batch of done entries: the second half of its first block is not there yet.
    std::string bytes = Read(file.path());
    for (size_t at = 8192; at + 4096 <= bytes.size(); at += 4096) {
      if (bytes.substr(at, 4) != bytes.substr(8192, 4) || bytes[at + 64 + 24] != 3) continue;
      std::fstream segment(file.path(), std::ios::binary | std::ios::in | std::ios::out);
      segment.seekp(static_cast<std::streamoff>(at + 100));
      segment << std::string(400, '\0');
      ++cut;
    }
  }
  ASSERT_EQ(cut, 1);
  EXPECT_EQ(Run("check " + spool(), &out), 0) << out;
  EXPECT_EQ(Recover().pending.size(), 2u);
  ASSERT_EQ(Run("purge " + spool() + " --all", &out), 0) << out;
  EXPECT_TRUE(Recover().pending.empty());
}

TEST_F(SpoolcatTest, SaysWhatIsNotThereOrDamaged) {
  std::string out;
  EXPECT_EQ(Run("check " + spool(), &out), 0) << out;
  EXPECT_NE(out.find("2 messages, 0 damages"), std::string::npos) << out;
  const std::string stranger = FormatMessageId(large_.id + 1024);
  EXPECT_EQ(Run("export " + spool() + " " + stranger, &out), 1);
  EXPECT_NE(out.find(stranger), std::string::npos) << out;
  EXPECT_EQ(Run("export " + spool() + " 12345", &out), 2);
  // One bit of the big body.
  for (const auto& file : std::filesystem::directory_iterator(spool() + "/log-0")) {
    std::string bytes = Read(file.path());
    const size_t at = bytes.find("line 77 of a big body");
    if (at == std::string::npos) continue;
    std::fstream segment(file.path(), std::ios::binary | std::ios::in | std::ios::out);
    segment.seekp(static_cast<std::streamoff>(at));
    segment.put('L');
  }
  EXPECT_EQ(Run("check " + spool(), &out), 1);
  EXPECT_NE(out.find(FormatMessageId(large_.id)), std::string::npos) << out;
}

}  // namespace
}  // namespace outbox::queue
